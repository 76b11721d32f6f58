"""Run the simulator: one seed is one run, on every machine.

    PYTHONPATH=src:tests python -m sim.run --seed 7
    PYTHONPATH=src:tests python -m sim.run --seeds 0:1000 [--steps 100] [--bug NAME] [--keep]

Prints the end of the trace and the violation of a run that fails, and exits 1 then. `--keep` adds
such seeds to `seeds.txt`, so that they are run for ever.
"""

import argparse
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

from sim.fleet import Fleet, run_fleet
from sim.invariants import Violation
from sim.loop import Stuck
from sim.planted import BUGS, planted
from sim.watch import Watch
from sim.workload import Workload

STEPS: Final = 100
SIZES: Final = (3, 4, 5)
SEEDS_FILE: Final = Path(__file__).with_name("seeds.txt")
LINES_SHOWN: Final = 120


class Run(NamedTuple):
    """How one seed went."""

    seed: int
    violations: tuple[Violation, ...]
    fingerprint: str
    lines: tuple[str, ...]
    seen: dict[str, int]
    virtual_s: float


def simulate(seed: int, *, steps: int = STEPS) -> Run:
    """Run one seed and return how it went."""
    fleet = Fleet(seed, SIZES[seed % len(SIZES)])
    watch = Watch(fleet)
    try:
        run_fleet(fleet, Workload(fleet, watch, steps=steps).run())
    except Stuck as stuck:
        watch.violations.append(Violation("stuck", str(stuck)))
    history = fleet.history
    run = Run(
        seed=seed,
        violations=tuple(watch.violations),
        fingerprint=history.fingerprint(),
        lines=tuple(history.lines),
        seen=dict(sorted(history.seen.items())),
        virtual_s=fleet.loop.time(),
    )
    with suppress(Stuck):
        fleet.close()
    return run


def kept_seeds() -> list[int]:
    """Return the seeds that failed once."""
    lines = SEEDS_FILE.read_text("utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m sim.run", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", help="FIRST:END, END is not run")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this bug first")
    parser.add_argument("--keep", action="store_true", help="add failing seeds to seeds.txt")
    parser.add_argument("--trace", action="store_true", help="print the trace in any case")
    asked = parser.parse_args()
    first, _, end = (asked.seeds or "0:20").partition(":")
    seeds = range(int(first), int(end)) if asked.seed is None else [asked.seed]
    failed = 0
    began_s = time.monotonic()
    with ExitStack() as stack:
        if asked.bug is not None:
            stack.enter_context(planted(asked.bug))
        for seed in seeds:
            run = simulate(seed, steps=asked.steps)
            failed += bool(run.violations)
            _print(run, trace=asked.trace)
            if run.violations and asked.keep:
                _keep(run)
    took_s = time.monotonic() - began_s
    _say(f"{len(seeds)} seeds, {failed} failed, {took_s:.1f} s")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _print(run: Run, *, trace: bool) -> None:
    if run.violations or trace:
        _say("\n".join(run.lines[-LINES_SHOWN:]))
    for violation in run.violations[:5]:
        _say(f"seed {run.seed}: {violation.rule}: {violation.detail}")
    if not run.violations:
        _say(f"seed {run.seed}: well, {run.virtual_s:.0f} s, {run.fingerprint[:16]}")


def _keep(run: Run) -> None:
    with SEEDS_FILE.open("a", encoding="utf-8") as file:
        file.write(f"{run.seed} {run.violations[0].rule}\n")


if __name__ == "__main__":
    sys.exit(main())
