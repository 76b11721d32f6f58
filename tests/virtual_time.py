"""An event loop whose time passes only when everybody waits: hours cost milliseconds."""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fakes.clock import FakeClock
from trust_runtime.contracts.units import NS_PER_S

T = TypeVar("T")


class _Jumps(selectors.SelectSelector):
    """Never blocks: where the loop would wait for time, time has passed at once."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everybody waits for something that no passing time brings")
        if not ready and timeout is not None:
            self._clock.time.now_ns += math.ceil(max(0.0, timeout) * NS_PER_S)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._virtual = clock
        super().__init__(_Jumps(clock))

    def time(self) -> float:
        return self._virtual.monotonic_ns() / NS_PER_S


def run_virtual(clock: FakeClock, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` on a loop that lets `clock` pass; a wait without end fails."""
    with asyncio.Runner(loop_factory=lambda: _VirtualLoop(clock)) as runner:
        return runner.run(main())


async def wait_ms(duration_ms: float) -> None:
    """Let everybody else run for so long."""
    await asyncio.sleep(duration_ms / 1_000)


async def run_for_ms(duration_ms: float, *works: Coroutine[Any, Any, None]) -> None:
    """Run endless works for so long, then cancel them; what one of them raises is raised."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work) for work in works]
        await wait_ms(duration_ms)
        for task in running:
            task.cancel()
