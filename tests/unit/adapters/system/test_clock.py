import time

import pytest

from port_contracts.clock import ClockContract
from trust_runtime.adapters.system.clock import SystemClock


def test_the_clocks_are_those_of_the_machine() -> None:
    clock = SystemClock()

    before = (time.monotonic_ns(), time.time_ns())
    read = (clock.monotonic_ns(), clock.wall_ns())
    after = (time.monotonic_ns(), time.time_ns())

    assert before[0] <= read[0] <= after[0]
    assert before[1] <= read[1] <= after[1]


class MachineWorld:
    """See `port_contracts.clock.World`."""

    def __init__(self) -> None:
        self.clock = SystemClock()

    def pass_some_time(self) -> None:
        until_ns = time.monotonic_ns() + 2_000
        while time.monotonic_ns() < until_ns:
            pass


@pytest.fixture
def world() -> MachineWorld:
    return MachineWorld()


class TestSystemClock(ClockContract):
    pass
