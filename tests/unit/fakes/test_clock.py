import pytest

from fakes.clock import FakeClock, TrueTime
from port_contracts.clock import ClockContract


class ToldWorld:
    """See `port_contracts.clock.World`."""

    def __init__(self) -> None:
        self.clock = FakeClock()

    def pass_some_time(self) -> None:
        self.clock.advance_ms(5)


@pytest.fixture
def world() -> ToldWorld:
    return ToldWorld()


class TestFakeClock(ClockContract):
    pass


def test_a_step_moves_the_wall_clock_alone() -> None:
    clock = FakeClock()
    before = (clock.monotonic_ns(), clock.wall_ns())
    clock.step_wall_ms(-3_600_000)
    assert clock.monotonic_ns() == before[0]
    assert clock.wall_ns() == before[1] - 3_600_000_000_000
    clock.undo_wall_steps()
    assert clock.wall_ns() == before[1]


def test_machines_share_the_true_time_and_nothing_else() -> None:
    time = TrueTime()
    one = FakeClock(time)
    two = FakeClock(time, booted_ns=10, wall_error_ms=1, drift_ppm=500)
    time.advance_ms(2_000)
    assert one.monotonic_ns() == 2_000_000_000
    assert two.monotonic_ns() == 10 + 2_001_000_000
    assert two.wall_ns() - one.wall_ns() == 2_000_000
