"""Makes events of what changes, keeps them, and shares those about this runtime (10.5)."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import ALL_TIMELINES, owner_of, timeline_key
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent, TimelineFilter
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.mesh import Mesh
from trust_runtime.ports.timeline import TimelineStore
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing
from trust_runtime.services.store_health import StoreHealth

NEWEST: Final = 100
WAITING_MAX: Final = 4_096
FROM_PEER_MAX: Final = 100
"""Events taken from one peer within a minute; more are dropped and counted."""

_EVENT_BYTES_MAX: Final = 16_384
_TIMESTAMP_NS_MAX: Final = 2**63 - 1
_PEER_WINDOW_NS: Final = 60 * NS_PER_S
_BATCH: Final = 256
_RETRY_S: Final = 1.0


class Timeline:
    """The one place where events are made; what cannot be kept now waits, bounded."""

    def __init__(  # noqa: PLR0913 - one port or service each
        self,
        *,
        own: RuntimeId,
        running: Running,
        peers: Peers,
        signing: Signing,
        mesh: Mesh,
        store: TimelineStore,
        health: StoreHealth,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._own = own
        self._running = running
        self._peers = peers
        self._signing = signing
        self._mesh = mesh
        self._store = store
        self._health = health
        self._clock = clock
        self._entropy = entropy
        self._seq = 0
        self._waiting: deque[TimelineEvent] = deque()
        self._due = asyncio.Event()
        self._newest: deque[TimelineEvent] = deque(maxlen=NEWEST)
        self._from_peer: dict[RuntimeId, deque[int]] = {}
        self.dropped = 0
        self.on_event: Callable[[TimelineEvent], None] = lambda _event: None
        mesh.subscribe(ALL_TIMELINES, self.take)

    def load(self, newest: Sequence[TimelineEvent]) -> None:
        """Take the newest kept events, oldest first, at the start of the process."""
        self._newest.extend(newest)

    def newest(self) -> tuple[TimelineEvent, ...]:
        """Return the newest events, oldest first; from memory, never waits."""
        return tuple(self._newest)

    def tell(
        self,
        category: Category,
        severity: Severity,
        summary: str,
        /,
        *,
        about: RuntimeId | None = None,
        request_id: str | None = None,
        audit_id: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Make an event about this runtime, or about another one as seen from here.

        Only events about the own runtime are told to others: everybody sees a peer vanish, and
        a hundred runtimes need not tell each other what each has seen by itself.
        """
        subject = self._own if about is None else about
        event = TimelineEvent(
            event_id=f"evt-{self._entropy.uuid7()}",
            timestamp_ns=self._clock.wall_ns(),
            category=category,
            severity=severity,
            runtime_id=subject,
            observer=None if subject == self._own else self._own,
            request_id=request_id,
            audit_id=audit_id,
            summary=summary,
            data=data,
        )
        self._keep(event)
        if subject == self._own:
            self._share(event)

    def take(self, message: MeshMessage) -> None:
        """Take an event a trusted peer tells of itself."""
        if self._peers.read_event(message, bytes_max=_EVENT_BYTES_MAX) is None:
            return
        try:
            owner = owner_of(message.key)
            event = decode_json(message.body, TimelineEvent)
        except ContractViolation:
            self.dropped += 1
            return
        is_storable = 0 <= event.timestamp_ns <= _TIMESTAMP_NS_MAX
        if event.runtime_id != owner or not is_storable or not self._is_within_quota(owner):
            self.dropped += 1
            return
        self._keep(structs.replace(event, observer=None))

    async def list(self, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
        """Return kept events, oldest first; those just made are kept first.

        Raises:
            ContractViolation: the filter is out of range.
            StoreFailed: the store cannot be read.
        """
        await self.flush()
        return await self._store.list(wanted)

    async def run(self) -> None:
        """Keep what waits, until cancelled; a failed store is tried again."""
        while True:
            await self._due.wait()
            try:
                await self.flush()
            except StoreFailed as error:
                self._health.failed(error)
                await asyncio.sleep(_RETRY_S)

    async def flush(self) -> None:
        """Keep what waits.

        Raises:
            StoreFailed: it still waits.
        """
        while self._waiting:
            batch = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
            await self._store.append(batch, now_ns=self._clock.wall_ns())
            kept = {event.event_id for event in batch}
            while self._waiting and self._waiting[0].event_id in kept:
                self._waiting.popleft()
        self._due.clear()

    def _keep(self, event: TimelineEvent) -> None:
        self._waiting.append(event)
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self.dropped += 1
        self._newest.append(event)
        self._due.set()
        self.on_event(event)

    def _share(self, event: TimelineEvent) -> None:
        self._seq += 1
        self._mesh.put(
            self._signing.broadcast(
                TokenType.EVENT,
                timeline_key(self._own),
                event,
                seq=self._seq,
                boot_id=self._running.boot_id,
            )
        )

    def _is_within_quota(self, owner: RuntimeId) -> bool:
        now_ns = self._clock.monotonic_ns()
        times = self._from_peer.setdefault(owner, deque(maxlen=FROM_PEER_MAX))
        if len(times) == FROM_PEER_MAX and now_ns - times[0] < _PEER_WINDOW_NS:
            return False
        times.append(now_ns)
        return True
