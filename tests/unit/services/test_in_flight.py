import asyncio

import pytest

from fakes.clock import FakeClock
from trust_runtime.services.in_flight import InFlight
from virtual_time import run_virtual, wait_ms


def waited_ms(clock: FakeClock, since_ns: int) -> int:
    return (clock.monotonic_ns() - since_ns) // 1_000_000


def test_with_nothing_in_flight_nobody_waits() -> None:
    clock = FakeClock()

    async def main() -> None:
        assert await InFlight().wait_idle(10)
        assert clock.monotonic_ns() == 0

    run_virtual(clock, main)


def test_idle_is_when_the_last_one_ended_however_it_ended() -> None:
    clock = FakeClock()

    async def main() -> None:
        count = InFlight()

        async def work(length_ms: int) -> None:
            with count:
                await wait_ms(length_ms)
                if length_ms == 300:
                    raise ValueError

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work(100))
            long = tasks.create_task(work(200))
            failing = asyncio.gather(work(300), return_exceptions=True)
            cancelled = tasks.create_task(work(400))
            await wait_ms(0)
            assert not await count.wait_idle(0.25)
            assert waited_ms(clock, 0) == 250
            cancelled.cancel()
            assert await count.wait_idle(10)
            assert waited_ms(clock, 0) == 300
            assert long.done()
            await failing

    run_virtual(clock, main)


def test_one_that_comes_later_is_waited_for() -> None:
    clock = FakeClock()

    async def main() -> None:
        count = InFlight()
        with count:
            pass
        with count:
            assert not await count.wait_idle(0)
        assert await count.wait_idle(0.001)

    run_virtual(clock, main)


def test_an_error_passes_through() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="mine"), InFlight():
            raise ValueError("mine")

    run_virtual(FakeClock(), main)
