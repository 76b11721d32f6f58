"""The signed word of this runtime about itself, every period and at every change (5.3)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import beacon_key
from trust_runtime.contracts.presence import BeaconStatus
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS, WallNs
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing

_JITTER: Final = 0.1
_GAP_MS: Final = 100
"""At most ten beacons a second, however much changes and however short the period."""


class Beacons:
    """Publishes the own beacon; the loop reads the whole status each time."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        running: Running,
        signing: Signing,
        mesh: Mesh,
        clock: Clock,
        entropy: Entropy,
        status: Callable[[], BeaconStatus],
    ) -> None:
        self._own = own
        self._running = running
        self._signing = signing
        self._mesh = mesh
        self._clock = clock
        self._entropy = entropy
        self._status = status
        self._seq = 0
        self._leaving = False
        self._due = asyncio.Event()
        self.last_sent_ns = WallNs(0)
        self.on_sent: Callable[[], None] = lambda: None

    def soon(self) -> None:
        """Send the next beacon as soon as the rate allows."""
        self._due.set()

    def send(self, *, leaving: bool = False) -> None:
        """Send one beacon now; from the goodbye of an orderly stop on, each says `leaving`."""
        self._leaving = self._leaving or leaving
        self._seq += 1
        status = self._status()
        status = msgspec.structs.replace(
            status,
            seq=self._seq,
            lifecycle="leaving" if self._leaving else "running",
            uptime_ms=self._running.uptime_ms,  # Others measure clocks by it: as late as possible.
        )
        self._mesh.put(
            self._signing.broadcast(
                TokenType.BEACON,
                beacon_key(self._own),
                status,
                seq=self._seq,
                boot_id=self._running.boot_id,
            )
        )
        self.last_sent_ns = self._clock.wall_ns()
        self.on_sent()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._due.clear()
            started_ns = self._clock.monotonic_ns()
            self.send()
            period_ms = self._running.settings.presence.beacon_period_ms
            spread = 1 + _JITTER * (2 * self._entropy.fraction() - 1)
            with suppress(TimeoutError):
                async with asyncio.timeout(period_ms * spread / MS_PER_S):
                    await self._due.wait()
            passed_ms = (self._clock.monotonic_ns() - started_ns) // NS_PER_MS
            await asyncio.sleep(max(0, _GAP_MS - passed_ms) / MS_PER_S)
