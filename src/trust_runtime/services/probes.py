"""Measured round trips to every reachable peer, and the edges told from them (contract 7.3)."""

import asyncio
from collections.abc import Callable
from typing import Final

from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import edges_key, probe_key
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS
from trust_runtime.core.probes import decide_link, measure
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing

CHANNEL: Final = "mesh_t2_ops"
_PERIOD_MS: Final = 1_000
_TIMEOUT_MS: Final = 1_000
_PER_SECOND_MAX: Final = 32
_PUBLISH_PERIOD_S: Final = 5
_FIRST_PUBLISH_S: Final = 1


class Probes:
    """Asks each peer that holds a token one empty question a second and times the answer.

    `shown` says how a measured link is shown: link preferences lie over it.
    """

    def __init__(
        self,
        *,
        own: RuntimeId,
        running: Running,
        peers: Peers,
        signing: Signing,
        mesh: Mesh,
        clock: Clock,
    ) -> None:
        self._own = own
        self._running = running
        self._peers = peers
        self._signing = signing
        self._mesh = mesh
        self._clock = clock
        self._seq = 0
        self._busy: set[RuntimeId] = set()
        self.shown: Callable[[Edge], tuple[Edge, ...]] = lambda edge: (edge,)

    async def answer(self, question: MeshMessage) -> MeshMessage | None:
        """Answer somebody's probe with the own incarnation."""
        return MeshMessage(key=question.key, body=self._running.boot_id.encode())

    def edges(self) -> tuple[Edge, ...]:
        """Return the edges from this runtime to every known peer, as measured now."""
        return tuple(shown for peer in self._peers for shown in self.shown(self._edge(peer)))

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                reachable = [peer for peer in self._peers if peer.tokens_since_ns]
                stretch = max(1.0, len(reachable) / _PER_SECOND_MAX)
                pause_s = _PERIOD_MS * stretch / MS_PER_S / max(1, len(reachable))
                for peer in reachable:
                    runtime_id = peer.record.runtime_id
                    if runtime_id not in self._busy:
                        self._busy.add(runtime_id)
                        tasks.create_task(self._probe(peer), name=f"probe {runtime_id}")
                    await asyncio.sleep(pause_s)
                if not reachable:
                    await asyncio.sleep(_PERIOD_MS / MS_PER_S)

    async def publish(self) -> None:
        """Tell everybody the edges measured here, until cancelled."""
        # The first edges come early, so that a new link is not shown half for five seconds.
        pause_s = _FIRST_PUBLISH_S
        for beat in range(2**62):
            await asyncio.sleep(pause_s if beat < _PUBLISH_PERIOD_S else _PUBLISH_PERIOD_S)
            self._seq += 1
            self._mesh.put(
                self._signing.broadcast(
                    TokenType.EVENT,
                    edges_key(self._own),
                    self.edges(),
                    seq=self._seq,
                    boot_id=self._running.boot_id,
                )
            )

    async def _probe(self, peer: Peer) -> None:
        runtime_id = peer.record.runtime_id
        boot = peer.evidence.beacon_boot
        sent_ns = self._clock.monotonic_ns()
        try:
            answer = await self._mesh.query(
                MeshMessage(key=probe_key(runtime_id), body=b""), timeout_ms=_TIMEOUT_MS
            )
        finally:
            self._busy.discard(runtime_id)
        if peer.evidence.beacon_boot != boot:
            return
        trip_ns = self._clock.monotonic_ns() - sent_ns
        if isinstance(answer, MeshMessage) and trip_ns < _TIMEOUT_MS * NS_PER_MS:
            peer.probes.append(trip_ns / NS_PER_MS)
            peer.probe_ok_ns = self._clock.wall_ns()
        elif peer.tokens_since_ns:
            peer.probes.append(None)

    def _edge(self, peer: Peer) -> Edge:
        online = peer.lifecycle is Lifecycle.ONLINE
        latency_ms, loss_pct = measure(peer.probes) if online else (None, None)
        return Edge(
            source=self._own,
            target=peer.record.runtime_id,
            channel_type=CHANNEL,
            state=decide_link(
                peer.lifecycle,
                trusted=peer.trust_reason is None,
                latency_ms=latency_ms,
                loss_pct=loss_pct,
            ),
            stale=not online,
            latency_ms_p95=latency_ms,
            loss_pct=loss_pct,
            last_ok_ns=peer.probe_ok_ns,
        )
