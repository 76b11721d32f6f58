"""What every `Clock` must do."""

from typing import Protocol

from trust_runtime.ports.clock import Clock


class World(Protocol):
    """One clock, and a way to see time pass on it."""

    @property
    def clock(self) -> Clock: ...

    def pass_some_time(self) -> None:
        """Let at least a microsecond and at most a second pass."""
        ...


class ClockContract:
    def test_the_monotonic_clock_goes_on_and_never_back(self, world: World) -> None:
        readings = []
        for _ in range(10):
            readings.append(world.clock.monotonic_ns())
            world.pass_some_time()
        assert readings == sorted(set(readings))

    def test_both_clocks_count_the_same_nanoseconds(self, world: World) -> None:
        before = (world.clock.monotonic_ns(), world.clock.wall_ns())
        world.pass_some_time()
        after = (world.clock.monotonic_ns(), world.clock.wall_ns())
        elapsed_ns = after[0] - before[0]
        assert 1_000 <= elapsed_ns <= 1_000_000_000
        assert abs((after[1] - before[1]) - elapsed_ns) < 5_000_000

    def test_the_wall_clock_counts_from_the_epoch(self, world: World) -> None:
        year_ns = 365 * 24 * 3_600 * 1_000_000_000
        assert 54 * year_ns < world.clock.wall_ns() < 200 * year_ns
