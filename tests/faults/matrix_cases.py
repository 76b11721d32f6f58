"""Injected cases of one runtime or link that fails, and what `fleet/matrix` makes of each.

A case is right when the whole fleet is classified as it is, seen from a runtime that nothing was
done to, and where it lives on, from the one that suffers too. It counts only when that took no
longer than the limit and no pair that nothing was done to was accused meanwhile.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum, unique
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from faults.housed import HousedFleet, HousedRuntime
from faults.namespaces import Network, cut
from faults.report import Figure, spread, tell
from faults.sights import Pair, Seen, all_heard, all_pairs, matrix_at
from faults.slow import starved, wait_through_bursts
from trust_runtime.contracts.sight import Sight
from waiting import wait_until

FLEET: Final = 5
RIGHT_S: Final = 3.0
WATCHED_S: Final = 6.0
"""How long a class that does not come is waited for, to tell late from never."""
STEADY_S: Final = 0.7
"""How long the right class is watched on, so that one that changes again is noticed."""
JOINED_S: Final = 60.0
SHARE_RIGHT: Final = 0.99


@unique
class Kind(StrEnum):
    """What is done."""

    DEAD = "dead"
    FROZEN = "frozen"
    ONE_WAY = "one-way"
    CUT = "cut"
    SLOW = "slow"


@dataclass(slots=True)
class Case:
    """What is done to whom, and what came of it."""

    number: int
    kind: Kind
    how: str
    hit: HousedRuntime
    other: HousedRuntime
    """The other end of a cut; with the other kinds just another runtime."""
    fleet: tuple[str, ...]
    """Canonical ids of all."""
    watchers: tuple[HousedRuntime, ...]
    """Whose answers are judged, one that nothing was done to first."""
    took_s: dict[str, float] = field(default_factory=dict)
    """Per watcher, until the class was right."""
    false: Counter[str] = field(default_factory=Counter)
    """Accusations among pairs that nothing was done to, and how often they were seen."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Other conclusions on the pairs concerned, before the right one."""
    healed_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it counts as classified."""
        in_time = [self.took_s.get(one.id, WATCHED_S + 1) <= RIGHT_S for one in self.watchers]
        return all(in_time) and not self.false

    def __str__(self) -> str:
        took = ", ".join(
            f"{one.id} {self.took_s[one.id]:.2f} s" if one.id in self.took_s else f"{one.id} never"
            for one in self.watchers
        )
        healed = "never" if self.healed_s is None else f"{self.healed_s:.1f} s"
        text = (
            f"case {self.number}: {self.kind} ({self.how}) {self.hit.id}/{self.other.id}:"
            f" seen by {took}; healed {healed}"
        )
        if self.wrong:
            text += f"; before: {dict(sorted(self.wrong.items()))}"
        if self.false:
            text += f"; FALSE: {dict(sorted(self.false.items()))}"
        return text if self.ok else f"{text}  <-- not right"


def run_matrix(folder: Path, *, cases: int, seed: int) -> list[Figure]:
    """Inject that many cases, evenly of every kind, and return the figures."""
    done: list[Case] = []
    with Network() as network, joined(folder, network) as fleet:
        for number in range(cases):
            case = draw_case(fleet.runtimes, number, seed=seed)
            inject(case)
            heal(fleet, case)
            done.append(case)
            tell(str(case))
    return list(figures(done))


@contextmanager
def joined(folder: Path, network: Network, *, size: int = FLEET) -> Iterator[HousedFleet]:
    """Yield a fleet in which everybody hears everybody."""
    fleet = HousedFleet(folder, network, [network.house() for _ in range(size)])
    try:
        fleet.start()
        assert wait_until(lambda: all_heard(fleet.runtimes), within_s=JOINED_S)
        yield fleet
    finally:
        fleet.close()


def draw_case(fleet: Sequence[HousedRuntime], number: int, *, seed: int) -> Case:
    """Return what the seed says is done in the case of that number."""
    random = Random(f"{seed}/{number}")  # noqa: S311 - no secret: a seed makes a case
    kind = list(Kind)[number % len(Kind)]
    hit, other, third = random.sample(list(fleet), 3)
    how = random.choice(_WAYS[kind])
    if kind is Kind.SLOW and how == "bursts":
        lengths = [round(random.uniform(0.6, 2.5), 2) for _ in range(random.randint(1, 3))]
        how = "bursts " + " ".join(map(str, lengths))
    watchers = (third,) if kind in {Kind.DEAD, Kind.FROZEN} else (third, other, hit)
    ids = tuple(runtime.id for runtime in fleet)
    return Case(number, kind, how, hit, other, fleet=ids, watchers=watchers)


_WAYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.DEAD: ("SIGKILL",),
    Kind.FROZEN: ("SIGSTOP",),
    Kind.ONE_WAY: ("lost on arrival", "refused on leaving"),
    Kind.CUT: ("lost on arrival", "refused on leaving"),
    Kind.SLOW: ("bursts", "starved"),
}


def inject(case: Case) -> None:
    """Do it, and watch until every watcher is right and stays so, or time is over."""
    if case.kind is Kind.SLOW:
        _inject_slow(case)
        return
    _break(case)
    wait_for_verdicts(case, began_s=time.monotonic())


def _break(case: Case) -> None:
    hit, other = case.hit, case.other
    arriving = case.how == "lost on arrival"
    match case.kind:
        case Kind.DEAD:
            hit.kill()
        case Kind.FROZEN:
            hit.signal(signal.SIGSTOP)
        case Kind.ONE_WAY:
            if arriving:
                other.house.drop_arriving(hit.house.address)
            else:
                hit.house.drop_leaving(other.house.address)
        case Kind.CUT:
            if arriving:
                cut([hit.house], [other.house])
            else:
                hit.house.drop_leaving(other.house.address)
                other.house.drop_leaving(hit.house.address)
        case Kind.SLOW:
            raise AssertionError(case.kind)


def _inject_slow(case: Case) -> None:
    """Slow one observer down, watching it from outside meanwhile; it is judged afterwards."""
    third = case.watchers[0]
    process = case.hit.process
    assert process is not None
    if case.how == "starved":
        with starved(process.pid) as quota:
            case.how = f"starved to {quota:.0%}"
            wait_looking(case, third, for_s=4.0)
    else:
        for burst in map(float, case.how.split()[1:]):
            wait_through_bursts(process, [burst], look=partial(_look, case, third))
            wait_looking(case, third, for_s=0.3)
    wait_for_verdicts(case, began_s=time.monotonic())


def wait_looking(case: Case, watcher: HousedRuntime, *, for_s: float) -> None:
    """Note accusations that this watcher shows for so long."""
    until_s = time.monotonic() + for_s

    def is_over() -> bool:
        _look(case, watcher)
        return time.monotonic() > until_s

    wait_until(is_over, within_s=for_s + JOINED_S)


def _look(case: Case, watcher: HousedRuntime) -> Seen:
    seen = matrix_at(watcher)
    found = seen.accusations(_untouched(case, seen))
    if case.kind is Kind.SLOW:
        # Whoever does not answer for seconds is rightly called frozen by the others meanwhile.
        frozen = {pair for pair in found if pair[1] == case.hit.id and found[pair] is Sight.FROZEN}
        found = {pair: sight for pair, sight in found.items() if pair not in frozen}
    case.false.update(f"{watcher.id}: {a} of {b}: {sight}" for (a, b), sight in found.items())
    return seen


def wait_for_verdicts(case: Case, *, began_s: float) -> None:
    """Ask all watchers in turn until all are right and have stayed so."""
    since_s: dict[str, float] = {}

    def is_over() -> bool:
        for watcher in case.watchers:
            seen = _look(case, watcher)
            now_s = time.monotonic()
            wanted = expected(case, watcher)
            off = {pair for pair, good in wanted.items() if seen.sights.get(pair) not in good}
            if off or not _tells_stall(case, seen):
                since_s.pop(watcher.id, None)
                case.wrong.update(
                    str(seen.sights.get(pair, "absent"))
                    for pair in off
                    if seen.sights.get(pair) is not Sight.HEARD
                )
            else:
                since_s.setdefault(watcher.id, now_s)
        now_s = time.monotonic()
        steady = [now_s - since_s.get(w.id, now_s) >= STEADY_S for w in case.watchers]
        return all(steady) or now_s - began_s > WATCHED_S

    wait_until(is_over, within_s=WATCHED_S + JOINED_S)
    case.took_s = {name: at_s - began_s for name, at_s in since_s.items()}


def _tells_stall(case: Case, seen: Seen) -> bool:
    """Tell whether an observer that stood still is shown to have done so.

    A starved one may turn slowly without ever standing still.
    """
    return not case.how.startswith("bursts") or seen.stalled_ms.get(case.hit.id, 0) > 0


def expected(case: Case, watcher: HousedRuntime) -> dict[Pair, frozenset[Sight]]:
    """Return which conclusions are right for which pair, as this watcher can know them."""
    hit, other = case.hit.id, case.other.id
    wanted = dict.fromkeys(all_pairs(case.fleet), _HEARD)
    match case.kind:
        case Kind.DEAD | Kind.FROZEN:
            right = frozenset({Sight.DEAD if case.kind is Kind.DEAD else Sight.FROZEN})
            # What the hit runtime itself sees is nobody's to say any more.
            return {
                (observer, target): right if target == hit else good
                for (observer, target), good in wanted.items()
                if observer != hit
            }
        case Kind.ONE_WAY | Kind.CUT:
            right = frozenset({Sight.CUT if case.kind is Kind.CUT else Sight.ONE_WAY})
            return wanted | {(hit, other): right, (other, hit): right}
        case Kind.SLOW:
            # It may not hear everybody yet, but says of itself why: it stood still.
            own = watcher is case.hit
            return wanted | {
                pair: _SLOW if own or pair[0] == hit else _HEARD for pair in wanted if hit in pair
            }


_HEARD: Final = frozenset({Sight.HEARD})
_SLOW: Final = frozenset({Sight.HEARD, Sight.OBSERVER_STALLED})


def _untouched(case: Case, seen: Seen) -> list[Pair]:
    """Return the pairs of which every accusation is false."""
    hit, other = case.hit.id, case.other.id
    match case.kind:
        case Kind.DEAD | Kind.FROZEN:
            return [pair for pair in seen.sights if hit not in pair]
        case Kind.ONE_WAY | Kind.CUT:
            return [pair for pair in seen.sights if set(pair) != {hit, other}]
        case Kind.SLOW:
            return list(seen.sights)


def heal(fleet: HousedFleet, case: Case) -> None:
    """Undo it and wait until everybody hears everybody."""
    began_s = time.monotonic()
    fleet.heal()
    if case.kind is Kind.FROZEN:
        case.hit.signal(signal.SIGCONT)
    if case.kind is Kind.DEAD:
        fleet.start()
    if wait_until(lambda: all_heard(fleet.runtimes), within_s=JOINED_S):
        case.healed_s = time.monotonic() - began_s
    # The next case begins with a fleet in which nobody stood still lately.
    wait_until(lambda: all(map(is_calm, fleet.runtimes)), within_s=JOINED_S)


def is_calm(watcher: HousedRuntime) -> bool:
    """Tell whether this one sees everybody heard, and nobody that stood still lately."""
    seen = matrix_at(watcher)
    return not any(seen.stalled_ms.values()) and set(seen.sights.values()) == {Sight.HEARD}


def figures(cases: Sequence[Case]) -> Iterator[Figure]:
    """Yield how many were right, per kind and in all."""
    for kind in Kind:
        these = [case for case in cases if case.kind is kind]
        right = [case for case in these if case.ok]
        third = [c.took_s[c.watchers[0].id] for c in these if c.watchers[0].id in c.took_s]
        yield Figure(f"{kind}: right within {RIGHT_S:g} s", f"{len(right)} of {len(these)}", "")
        yield Figure(f"{kind}: seen by a third", spread(third), "")
    for kind in (Kind.ONE_WAY, Kind.CUT):
        ends = [
            case.took_s[end.id]
            for case in cases
            if case.kind is kind
            for end in (case.hit, case.other)
            if end.id in case.took_s
        ]
        yield Figure(f"{kind}: seen by both ends", spread(ends), "")
    right = [case for case in cases if case.ok]
    share = len(right) / len(cases) if cases else 0.0
    yield Figure(
        "matrix: cases right", f"{len(right)} of {len(cases)}", "99 of 100", share >= SHARE_RIGHT
    )
    false = sum(case.false.total() for case in cases)
    yield Figure("matrix: false accusations seen", str(false), "")
    healed = [case.healed_s for case in cases if case.healed_s is not None]
    yield Figure("matrix: all heard again after", spread(healed), "")
