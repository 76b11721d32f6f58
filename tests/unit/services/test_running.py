import pytest

from fakes.clock import FakeClock
from signed_fleet import boot, settings_of
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.services.running import Running


@pytest.mark.parametrize(
    ("passed_ns", "uptime_ms"),
    [(0, 0), (NS_PER_MS - 1, 0), (NS_PER_MS, 1), (3_600_000 * NS_PER_MS, 3_600_000)],
)
def test_the_age_is_that_since_the_start_and_no_wall_clock_moves_it(
    passed_ns: int, uptime_ms: int
) -> None:
    clock = FakeClock(booted_ns=77_777)
    clock.advance_ms(5_000)
    running = Running(settings=settings_of(), file_values={}, boot_id=boot(1), clock=clock)

    clock.time.now_ns += passed_ns
    clock.step_wall_ms(-100_000)

    assert running.uptime_ms == uptime_ms


def test_a_process_starts_neither_ready_nor_stopping_and_keeps_its_own_values() -> None:
    values = {"runtime.log.level": "debug"}
    running = Running(
        settings=settings_of(), file_values=values, boot_id=boot(1), clock=FakeClock()
    )
    values.clear()

    assert (running.ready, running.stopping) == (False, False)
    assert running.file_values == {"runtime.log.level": "debug"}
