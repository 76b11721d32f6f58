"""Notices when this process itself stood still, so that it accuses nobody (invariant I20)."""

import asyncio
from collections.abc import Callable
from typing import Final

from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS, MonotonicNs
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log

TICK_MS: Final = 100
STALL_MS_MIN: Final = 400
"""A tick that late is a stall: the loop, the process or the machine stood still."""

SETTLE_MS: Final = 3_000
"""For that long after a stall what was lost may have been lost by ourselves."""


class Stalls:
    """Measures how late its own ticks come.

    `on_stall` is called with the length in nanoseconds right after each stall.
    """

    def __init__(self, *, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log
        self._ticked_ns: MonotonicNs | None = None
        self._ended_ns: MonotonicNs | None = None
        self._length_ns = 0
        self.on_stall: Callable[[int], None] = lambda _ns: None

    @property
    def since_ms(self) -> int | None:
        """How long ago the last stall ended, milliseconds; None if there was none."""
        if self._ended_ns is None:
            return None
        return (self._clock.monotonic_ns() - self._ended_ns) // NS_PER_MS

    @property
    def recent_ms(self) -> int:
        """Length of the last stall in milliseconds while it is recent; else 0."""
        since_ms = self.since_ms
        recent = since_ms is not None and since_ms < SETTLE_MS
        return self._length_ns // NS_PER_MS if recent else 0

    async def run(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                self.check()
                self._ticked_ns = self._clock.monotonic_ns()
                await asyncio.sleep(TICK_MS / MS_PER_S)
        finally:
            self._ticked_ns = None

    def check(self) -> None:
        """Note a stall that has just ended; whoever judges others calls it first.

        After a stall everything is due at once, and the tick need not be what runs first.
        """
        if self._ticked_ns is None:
            return
        now_ns = self._clock.monotonic_ns()
        late_ns = now_ns - self._ticked_ns - TICK_MS * NS_PER_MS
        if late_ns < STALL_MS_MIN * NS_PER_MS:
            return
        self._ticked_ns = now_ns
        self._length_ns, self._ended_ns = late_ns, now_ns
        late_ms = late_ns // NS_PER_MS
        self._log.warn("stalled", f"this process stood still for {late_ms} ms", late_ms=late_ms)
        self.on_stall(late_ns)
