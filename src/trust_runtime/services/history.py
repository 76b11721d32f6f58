"""Records every change of the fleet's state, and rebuilds any past instant (contract 6.17, D59)."""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.history import RecordedState
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS
from trust_runtime.core.delta import diff, rebuild
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.timeline import HistoryStore
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.stream import Stream

_TICK_MS: Final = 100
"""At most ten states a second, coalesced."""

_STEPS_MAX: Final = 256
"""Steps between two keyframes: what rebuilding an instant costs at most."""

_RETRY_S: Final = 1.0
_BEAT_MS: Final = 5_000
"""After a crash the time since the last beat is shown as not known."""


class PastState(Struct, frozen=True, kw_only=True):
    """The state at a past instant, or why it is not known."""

    topology: Topology | None
    """None when it is not known."""
    recorded_at_ns: int = 0
    """When what is shown was recorded; nothing had changed from then to the instant."""
    unknown_because: str = ""
    """Why it is not known, for people."""


class History:
    """Compares the state with the last seen one; differences go to disk and to the stream.

    `on_change` is told the state before and after each difference.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        stream: Stream,
        store: HistoryStore,
        health: StoreHealth,
        clock: Clock,
    ) -> None:
        self._fleet = fleet
        self._stream = stream
        self._store = store
        self._health = health
        self._clock = clock
        self._seen: Topology | None = None
        self._alike: Topology | None = None
        """What differs from `_seen` by nothing but the time that passed."""
        self._begun = False
        self._whole_due = True
        self._steps = 0
        self._lost_ns: int | None = None
        self._newest_ns = 0
        self._repeated_ns: tuple[int, int] | None = None
        self._beat_due_ns = 0
        self.on_change: Callable[[Topology, Topology], None] = lambda _before, _after: None

    async def begin(self) -> None:
        """Close what a crash left open: nothing is known from its last sign of life on.

        Raises:
            StoreFailed: the records cannot be read or written; it is tried again before the next.
        """
        if self._begun:
            return
        alive_ns = await self._store.last_beat_ns()
        if alive_ns:
            await self._keep(RecordedState(at_ns=alive_ns, ended=True))
        self._begun = True

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            try:
                await self.record_now()
                await self._beat()
            except StoreFailed as error:
                self._health.failed(error)
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_TICK_MS / MS_PER_S)

    async def record_now(self) -> None:
        """Record the present state if it differs from the last recorded one.

        Raises:
            StoreFailed: it is not recorded, and what was is not known until it is.
        """
        before, topology, at_ns = self._seen, self._fleet.topology(), self._clock.wall_ns()
        delta = None if before is None or topology is self._alike else diff(before, topology)
        self._alike = topology  # As good as what was seen; it stays until it is projected anew.
        if before is not None and delta is not None:
            self._stream.send("state", delta)
            self.on_change(before, topology)
        if before is None or delta is not None:
            self._seen = topology
        elif not self._whole_due and not self._is_set_back(at_ns):
            return
        whole = delta is None or self._whole_due or self._steps >= _STEPS_MAX
        entry = (
            RecordedState(at_ns=at_ns, whole=topology)
            if whole
            else RecordedState(at_ns=at_ns, delta=delta)
        )
        try:
            await self._close_gap()
            await self._keep(entry)
        except StoreFailed:
            self._whole_due = True
            if self._lost_ns is None:
                self._lost_ns = at_ns
            raise
        self._whole_due, self._lost_ns = False, None
        self._steps = 0 if whole else self._steps + 1

    async def end(self) -> None:
        """Record that the process stops: from here on nothing is known.

        Raises:
            StoreFailed: it is not recorded.
        """
        await self._close_gap()
        await self._keep(RecordedState(at_ns=self._clock.wall_ns(), ended=True))

    async def at(self, at_ns: int) -> PastState:
        """Return the state at a past instant; of one that passed twice, as it was at first.

        Raises:
            StoreFailed: the records cannot be read.
        """
        if at_ns > self._clock.wall_ns():
            return _unknown("that instant is still to come")
        if self._lost_ns is not None and at_ns >= self._lost_ns:
            return _unknown("the records could not be kept then")
        if self._passes_again(at_ns):
            return _unknown("the clock was set back, and that time passes a second time")
        await self.begin()
        entries = await self._store.until(at_ns)
        if not entries or (entries[0].whole is None and not entries[-1].ended):
            return _unknown("nothing is recorded of that time")
        topology = rebuild(entries)
        if topology is None:
            return _unknown("this runtime did not run then")
        return PastState(topology=topology, recorded_at_ns=entries[-1].at_ns)

    async def _close_gap(self) -> None:
        await self.begin()
        if self._lost_ns is not None:
            await self._keep(RecordedState(at_ns=self._lost_ns, ended=True))

    async def _keep(self, entry: RecordedState) -> None:
        """Record an entry, and note when it stands at a later time than its own."""
        placed_ns = self._newest_ns = await self._store.record(entry)
        if placed_ns == entry.at_ns:
            self._repeated_ns = None
        elif self._repeated_ns is None:
            self._repeated_ns = (entry.at_ns, placed_ns)

    def _is_set_back(self, at_ns: int) -> bool:
        """Tell whether the clock is behind the newest entry, and no entry says so yet."""
        return at_ns < self._newest_ns and self._repeated_ns is None

    def _passes_again(self, at_ns: int) -> bool:
        """Tell whether the store cannot have that time yet, as its entries are ahead of it."""
        if self._repeated_ns is None:
            return False
        from_ns, until_ns = self._repeated_ns
        return from_ns <= at_ns < until_ns

    async def _beat(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._beat_due_ns:
            await self._store.beat(self._clock.wall_ns())
            self._beat_due_ns = now_ns + _BEAT_MS * NS_PER_MS


def _unknown(reason: str) -> PastState:
    return PastState(topology=None, unknown_because=reason)
