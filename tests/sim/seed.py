"""One seed: one run, on every machine."""

from contextlib import suppress
from typing import Final, NamedTuple

from sim.fleet import Fleet, run_fleet
from sim.invariants import Violation
from sim.loop import Stuck
from sim.watch import Watch
from sim.workload import Workload

STEPS: Final = 100
SIZES: Final = (3, 4, 5)


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
