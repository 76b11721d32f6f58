"""Makes links to runtimes that were found or known before (D63, contract 5.2)."""

import asyncio
from dataclasses import dataclass
from typing import Final

from trust_runtime.contracts.discovery import Sighting
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS, MonotonicNs
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.log import Log
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.peers import Peers

_TICK_MS: Final = 200
_EAGER_MS: Final = 5_000
"""After its own start a runtime dials at once: the restarted side dials, always (D63)."""
_COURTESY_MS: Final = 1_000
"""Later a newcomer is given this long to dial first, so that two do not dial each other."""
_BACK_OFF_MS: Final = (1_000, 30_000)
_SIGHTINGS_MAX: Final = 1_024


@dataclass(slots=True)
class _Goal:
    """One runtime to be linked with."""

    addresses: tuple[str, ...]
    due_ns: MonotonicNs
    back_off_ms: int = _BACK_OFF_MS[0]


class Dialling:
    """Dials whoever was sighted or known and holds no token here, with jittered back-off."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        own_addresses: tuple[str, ...],
        tls: bool,
        peers: Peers,
        mesh: Mesh,
        clock: Clock,
        entropy: Entropy,
        log: Log,
    ) -> None:
        self._own = own
        self._own_addresses = own_addresses
        self._tls = tls
        self._peers = peers
        self._mesh = mesh
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._started_ns = clock.monotonic_ns()
        self._goals: dict[RuntimeId, _Goal] = {}

    def take_sighting(self, sighting: Sighting) -> None:
        """Take an announcement; it yields an address to dial, nothing else.

        One whose links are made otherwise than ours cannot be linked with.
        """
        if sighting.mesh_tls is self._tls:
            self._aim(sighting.runtime_id, sighting.addresses)

    def take_record(self, record: PeerRecord) -> None:
        """Take the last known addresses of a runtime that did not leave cleanly."""
        if not record.left_cleanly:
            self._aim(record.runtime_id, record.addresses)

    async def run(self) -> None:
        """Dial what is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            busy: set[RuntimeId] = set()
            while True:
                self._aim_at_the_lost()
                now_ns = self._clock.monotonic_ns()
                for runtime_id, goal in list(self._goals.items()):
                    if self._is_linked(runtime_id):
                        goal.back_off_ms = _BACK_OFF_MS[0]
                        goal.due_ns = self._after(_COURTESY_MS)
                    elif goal.due_ns <= now_ns and runtime_id not in busy and self._mesh.is_open:
                        busy.add(runtime_id)
                        tasks.create_task(
                            self._dial(runtime_id, goal, busy), name=f"dial {runtime_id}"
                        )
                await asyncio.sleep(_TICK_MS / MS_PER_S)

    def _aim_at_the_lost(self) -> None:
        """Take the last addresses of whoever is not linked.

        Two that only a third one introduced have no other way to each other after a cut: neither
        mDNS nor `connect` names them.
        """
        for peer in self._peers:
            if not peer.tokens_since_ns:
                self.take_record(peer.record)

    def _aim(self, runtime_id: RuntimeId, addresses: tuple[str, ...]) -> None:
        wanted = tuple(a for a in addresses if a not in self._own_addresses)
        if runtime_id == self._own or not wanted:
            return
        known = self._goals.get(runtime_id)
        if known is not None and known.addresses == wanted:
            return
        if known is None and len(self._goals) >= _SIGHTINGS_MAX:
            self._goals.pop(next(iter(self._goals)))
        age_ms = (self._clock.monotonic_ns() - self._started_ns) // NS_PER_MS
        wait_ms = 0 if age_ms < _EAGER_MS else _COURTESY_MS
        self._goals[runtime_id] = _Goal(addresses=wanted, due_ns=self._after(wait_ms))

    def _is_linked(self, runtime_id: RuntimeId) -> bool:
        peer = self._peers.get(runtime_id)
        return peer is not None and bool(peer.tokens_since_ns)

    async def _dial(self, runtime_id: RuntimeId, goal: _Goal, busy: set[RuntimeId]) -> None:
        try:
            for address in goal.addresses:
                if await self._mesh.dial(address):
                    self._log.debug("dialled", f"{runtime_id} answers at {address}")
                    break
        finally:
            busy.discard(runtime_id)
        spread = 0.5 + self._entropy.fraction()
        goal.due_ns = self._after(round(goal.back_off_ms * spread))
        goal.back_off_ms = min(2 * goal.back_off_ms, _BACK_OFF_MS[1])

    def _after(self, wait_ms: int) -> MonotonicNs:
        return MonotonicNs(self._clock.monotonic_ns() + wait_ms * NS_PER_MS)
