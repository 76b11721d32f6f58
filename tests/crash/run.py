"""Kill, break and unplug the store at many points, and check it each time.

    PYTHONPATH=src:tests python -m crash.run --points 1000 --losses 300 --seed 1

Prints a table and exits 1 when anything acknowledged was lost, anything is there twice or not as
it must be, when something could not be tested here, or when the checks see no loss with a setting
that must lose.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

from crash.living import why_no_strace
from crash.losses import lose_power, lose_power_with_lies
from crash.points import (
    SHAPES,
    Plan,
    break_everywhere,
    faults,
    fill_disks,
    kill_at_random,
    kill_places,
    make_plan,
    thinned,
)
from crash.tally import Tallies, Tally, table

_KILLS: Final = 0.70
_ERRORS: Final = 0.12
_NO_SPACE: Final = 0.06
_FULL_DISKS: Final = 0.02
_RANDOM: Final = 0.05
"""Shares of the points; kills at chance moments make up the rest, at least so many."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a programme found, and what it could not do."""

    tallies: Tallies = field(default_factory=Tallies)
    untested: list[str] = field(default_factory=list)


def run_points(folder: Path, *, points: int, seed: int) -> Outcome:
    """Crash the writer at `points` points."""
    outcome = Outcome()
    tallies = outcome.tallies

    @cache
    def plan(number: int) -> Plan:
        return make_plan(folder / f"plan {number}", seed + 10 * number, number % SHAPES)

    reason = why_no_strace()
    if reason is None:
        places = kill_places(plan, round(points * _KILLS))
        break_everywhere(folder / "kills", places, tallies)
        # One call at a time: which write or sync is the n-th is then the same in every run.
        single = [plan(number) for number in range(SHAPES - 1)]
        for what, share, groups in (
            ("EIO", _ERRORS, (("sync",), ("write",), ("size", "name", "read"))),
            ("ENOSPC", _NO_SPACE, (("sync", "size", "name"), ("write",))),
        ):
            for number, names in enumerate(groups):
                errors = [place for one in single for place in faults(one, what, names)]
                errors = thinned(errors, round(points * share / len(groups)))
                break_everywhere(folder / f"{what} {number}", errors, tallies)
    else:
        outcome.untested.append(f"kills at every system call, EIO, ENOSPC: {reason}")
    disks = max(2, round(points * _FULL_DISKS))
    problem = fill_disks(folder / "disk", disks, seed, tallies)
    if problem is not None:
        outcome.untested.append(f"full disks: {problem}")
    rest = max(points - tallies.total("").points, round(points * _RANDOM))
    kill_at_random(folder / "random", rest, seed, tallies)
    return outcome


def run_losses(folder: Path, *, count: int, seed: int) -> Outcome:
    """Lose power `count` times."""
    outcome = Outcome()
    reason = why_no_strace()
    if reason is None:
        line = outcome.tallies.line("power loss")
        lose_power(folder / "losses", count=count, seed=seed, tally=line)
    else:
        outcome.untested.append(f"power losses: {reason}")
    return outcome


def prove_sight(folder: Path, *, count: int, seed: int) -> tuple[list[str], list[str]]:
    """Plant what must lose; return what was seen, and what went unseen."""
    early = _answer_early(folder / "early", seed)
    weak = Tally(name="power loss, synchronous = NORMAL")
    lose_power(folder / "weak", count=count, seed=seed, tally=weak, synchronous="NORMAL")
    lies, unseen = lose_power_with_lies(folder / "lies", count=count, seed=seed)
    seen = [
        f"an answer before the write: {early.points} kills, {early.lost} acknowledged calls lost",
        f"synchronous = NORMAL: {weak.points} power losses, {weak.lost} acknowledged calls lost",
        (
            f"a disk that lies about syncs: {unseen.points} power losses, {lies.unharmed} harmless,"
            f" {lies.refused} found damaged at the start or by verify,"
            f" {lies.witnessed} contradicted by a head kept elsewhere, {lies.silent} silent"
            f" outside the audit log, {unseen.broken} audit records lost unseen"
        ),
    ]
    problems = []
    if not early.lost:
        problems.append("an answer before the write lost nothing: the kills prove nothing")
    if not weak.lost:
        problems.append("synchronous = NORMAL lost nothing: the power losses prove nothing")
    if unseen.broken:
        problems.append("audit records were lost on a lying disk and nothing showed it")
    if lies.unharmed == unseen.points:
        problems.append("a lying disk harmed nothing: the power losses prove nothing")
    return seen, problems


def _answer_early(folder: Path, seed: int) -> Tally:
    """Kill a writer that answers before it writes, at some of its writes."""
    plan = make_plan(folder / "plan", seed, 1)
    plan = replace(plan, setting=replace(plan.setting, early=True))
    tallies = Tallies()
    break_everywhere(folder / "kills", thinned(faults(plan, "kill", ("write",)), 10), tallies)
    return tallies.total("an answer before the write")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--points", type=int, default=1_000)
    parser.add_argument("--losses", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began_s = time.monotonic()
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        folder = Path(name).resolve()
        points = run_points(folder, points=asked.points, seed=asked.seed)
        lost = run_losses(folder, count=asked.losses, seed=asked.seed)
        total = points.tallies.total("all crash points")
        lines = [*points.tallies.lines.values(), total, *lost.tallies.lines.values()]
        total.examples.clear()
        _print(table(lines))
        problems += [f"NOT TESTED: {what}" for what in [*points.untested, *lost.untested]]
        if why_no_strace() is None:
            count = max(25, asked.losses // 5)
            seen, unseen = prove_sight(folder / "planted", count=count, seed=asked.seed)
            _print("\n".join(["", "Planted faults, which the checks must see:", *seen]))
            problems += unseen
    problems += [f"{line.name}: not as it must be" for line in lines if not line.is_good]
    _print(f"\nseed {asked.seed}, {time.monotonic() - began_s:.0f} s")
    for problem in problems:
        _print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
