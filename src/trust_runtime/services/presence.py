"""Keeps the verdicts on peers current and their records durable."""

import asyncio

from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import ALL_BEACONS, ALL_EDGES, ALL_TOKENS
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.mesh import Mesh
from trust_runtime.ports.store import PeerStore
from trust_runtime.services.peers import Peers
from trust_runtime.services.store_health import StoreHealth


class Presence:
    """Feeds the peer table from the mesh, judges it by time, and keeps it."""

    def __init__(
        self, *, peers: Peers, mesh: Mesh, store: PeerStore, clock: Clock, health: StoreHealth
    ) -> None:
        self._peers = peers
        self._store = store
        self._clock = clock
        self._health = health
        self._unkept: set[RuntimeId] = set()
        self._keep_due = asyncio.Event()
        self._judge_due = asyncio.Event()
        peers.on_keep = self._keep_soon
        mesh.watch_tokens(ALL_TOKENS, self._take_token)
        mesh.subscribe(ALL_BEACONS, self._take_beacon)
        mesh.subscribe(ALL_EDGES, peers.take_edges)

    async def run(self) -> None:
        """Judge whenever silence alone may change a verdict, until cancelled."""
        while True:
            self._judge_due.clear()
            next_ns = self._peers.evaluate()
            pause_ns = NS_PER_S if next_ns is None else next_ns - self._clock.monotonic_ns()
            pause_s = min(max(pause_ns / NS_PER_S, 0.001), 1.0)
            try:
                async with asyncio.timeout(pause_s):
                    await self._judge_due.wait()
            except TimeoutError:
                continue

    async def keep(self) -> None:
        """Write changed records, coalesced, until cancelled; a failed store is tried again."""
        while True:
            await self._keep_due.wait()
            try:
                await self.keep_now()
            except StoreFailed as error:
                self._health.failed(error)
            await asyncio.sleep(0.25)

    async def keep_now(self) -> None:
        """Write every changed record.

        Raises:
            StoreFailed: nothing was written; the records stay due.
        """
        self._keep_due.clear()
        due = sorted(self._unkept)
        # Emptied before the wait: what changes meanwhile is due anew.
        self._unkept.clear()
        records = [peer.record for i in due if (peer := self._peers.get(i)) is not None]
        kept = {record.runtime_id for record in records}
        try:
            await self._store.save(records, [i for i in due if i not in kept])
        except BaseException:
            self._unkept.update(due)
            self._keep_due.set()
            raise

    def _keep_soon(self, runtime_id: RuntimeId) -> None:
        self._unkept.add(runtime_id)
        self._keep_due.set()

    def _take_token(self, key: str, alive: bool) -> None:  # noqa: FBT001 - the port's shape
        self._peers.take_token(key, alive=alive)
        self._judge_due.set()

    def _take_beacon(self, message: MeshMessage) -> None:
        self._peers.take_beacon(message)
        self._judge_due.set()
