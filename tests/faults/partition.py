"""A fleet cut into two halves, and healed."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final

from faults.housed import HousedRuntime
from faults.matrix_cases import joined
from faults.namespaces import Network, cut
from faults.report import Figure, spread, tell, worst_figure
from faults.sights import Pair, Seen, matrix_at
from trust_runtime.contracts.sight import Sight
from waiting import wait_until

FLEET: Final = 10
LIMIT_S: Final = 3.0
WATCHED_S: Final = 20.0


def run_partition(folder: Path, *, rounds: int, seed: int) -> list[Figure]:
    """Cut and heal that often, the halves drawn anew each time, and return the figures."""
    random = Random(seed)  # noqa: S311 - no secret: a seed makes a run
    cut_s: list[float] = []
    healed_s: list[float] = []
    false: list[str] = []
    with Network() as network, joined(folder, network, size=FLEET) as fleet:
        before = _incarnations(fleet.runtimes)
        for number in range(rounds):
            side = random.sample(fleet.runtimes, FLEET // 2)
            other = [one for one in fleet.runtimes if one not in side]
            cut([one.house for one in side], [one.house for one in other])
            halves = {one.id: half for half in (side, other) for one in half}
            took = _wait_for_all(fleet.runtimes, halves, false)
            cut_s += took
            fleet.heal()
            back = _wait_for_all(
                fleet.runtimes, dict.fromkeys(halves, fleet.runtimes), false, healing=True
            )
            healed_s += back
            tell(f"round {number}: cut {spread(took)}; healed {spread(back)}")
        after = _incarnations(fleet.runtimes)
    due = rounds * FLEET
    restarted = sorted(name for name in before if before[name] != after[name])
    return [
        worst_figure(
            f"partition: right on both sides ({len(cut_s)} of {due})", cut_s, s_max=LIMIT_S
        ),
        Figure("partition: sides never right", str(due - len(cut_s)), "0", len(cut_s) == due),
        worst_figure("partition: all heard after healing", healed_s, s_max=LIMIT_S),
        Figure("partition: never healed", str(due - len(healed_s)), "0", len(healed_s) == due),
        Figure("partition: restarted", ", ".join(restarted) or "nobody", "nobody", not restarted),
        Figure("partition: false accusations", "; ".join(false[:3]) or "0", "0", not false),
    ]


def _incarnations(fleet: Iterable[HousedRuntime]) -> dict[str, tuple[int, int]]:
    """Return process id of each runtime, and how often it came up in it."""
    found = {}
    for runtime in fleet:
        assert runtime.process is not None
        assert runtime.process.poll() is None, runtime.output()
        found[runtime.id] = (runtime.process.pid, runtime.output().count("ready"))
    return found


def _wait_for_all(
    fleet: Sequence[HousedRuntime],
    halves: Mapping[str, Sequence[HousedRuntime]],
    false: list[str],
    *,
    healing: bool = False,
) -> list[float]:
    """Return how long each took until its own answer was right: own half heard, the rest cut."""
    began_s = time.monotonic()
    took: dict[str, float] = {}

    def is_over() -> bool:
        for runtime in fleet:
            if runtime.id in took:
                continue
            seen = matrix_at(runtime)
            near = {one.id for one in halves[runtime.id]}
            within = [pair for pair in seen.sights if set(pair) <= near]
            if not healing:
                false.extend(f"{pair}: {sight}" for pair, sight in seen.accusations(within).items())
            if _is_right(seen, runtime.id, near, within):
                took[runtime.id] = time.monotonic() - began_s
        return len(took) == len(fleet)

    wait_until(is_over, within_s=WATCHED_S)
    return sorted(took.values())


def _is_right(seen: Seen, own: str, near: set[str], within: list[Pair]) -> bool:
    across = [pair for pair in seen.sights if pair[0] in near and pair[1] not in near]
    return (
        own in near
        and all(seen.sights[pair] is Sight.HEARD for pair in within)
        and all(seen.sights[pair] is Sight.CUT for pair in across)
    )
