import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fakes.store import FakeStore
from signed_fleet import OTHER, Listener
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import ALL_BEACONS, ALL_EDGES, ALL_TOKENS
from trust_runtime.contracts.presence import Lifecycle, PeerRecord, PresenceLimits
from trust_runtime.services.presence import Presence
from trust_runtime.services.store_health import StoreHealth
from virtual_time import run_for_ms, run_virtual, wait_ms

THIRD = RuntimeId("press-3")


class Here(Listener):
    """A runtime with presence and a store; made on the loop it runs on."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.sync_s = 0.0
        self.store = FakeStore(sync_s=lambda: self.sync_s)
        self.health = StoreHealth(self.log)

    def presence(self) -> Presence:
        return Presence(
            peers=self.peers,
            mesh=self.wire,
            store=self.store.peers,
            clock=self.clock,
            health=self.health,
        )

    def tell(self, token: str, *, alive: bool) -> None:
        self.wire.watchers[ALL_TOKENS](token, alive)

    def stored(self) -> dict[RuntimeId, PeerRecord]:
        return dict(self.store.disk.synced.peers)

    def lifecycle(self) -> Lifecycle:
        peer = self.peers.get(OTHER)
        assert peer is not None
        return peer.lifecycle


def virtually(here: Here, main: Callable[[Presence], Coroutine[Any, Any, None]]) -> None:
    """Run `main` with the service made on the loop."""

    async def made() -> None:
        await main(here.presence())

    run_virtual(here.clock, made)


def test_tokens_beacons_and_edges_of_everybody_are_taken() -> None:
    here = Here()

    async def main(_presence: Presence) -> None:
        speaker = here.speaker()
        here.tell(speaker.token, alive=True)
        here.wire.takers[ALL_BEACONS](speaker.beacon())
        assert here.lifecycle() is Lifecycle.ONLINE
        here.wire.takers[ALL_EDGES](speaker.edges(THIRD))
        here.tell(speaker.token, alive=False)
        assert here.lifecycle() is Lifecycle.STALE

    virtually(here, main)
    peer = here.peers.get(OTHER)
    assert peer is not None
    assert [edge.target for edge in peer.edges] == [THIRD]


def test_silence_is_noticed_when_it_becomes_a_verdict() -> None:
    here = Here()

    async def main(presence: Presence) -> None:
        async def watch() -> None:
            await wait_ms(500)  # The judge already sleeps when the peer appears.
            speaker = here.speaker()
            here.tell(speaker.token, alive=True)
            here.wire.takers[ALL_BEACONS](speaker.beacon())
            await wait_ms(2_000)
            assert here.lifecycle() is Lifecycle.ONLINE
            await wait_ms(2)
            assert here.lifecycle() is Lifecycle.STALE
            await wait_ms(29_997)
            assert here.lifecycle() is Lifecycle.STALE
            await wait_ms(3)
            assert here.lifecycle() is Lifecycle.PARTITIONED

        await run_for_ms(40_000, presence.run(), watch())

    virtually(here, main)
    assert here.lifecycle() is Lifecycle.PARTITIONED


def test_a_tightened_limit_counts_within_a_second() -> None:
    here = Here(presence=PresenceLimits(partition_after_ms=600_000))

    async def main(presence: Presence) -> None:
        async def watch() -> None:
            speaker = here.online()
            here.tell(speaker.token, alive=False)
            await wait_ms(5_000)
            assert here.lifecycle() is Lifecycle.STALE
            here.running.settings = Listener(
                presence=PresenceLimits(partition_after_ms=3_000)
            ).running.settings
            await wait_ms(1_001)
            assert here.lifecycle() is Lifecycle.PARTITIONED

        await run_for_ms(8_000, presence.run(), watch())

    virtually(here, main)


def test_what_changed_is_durable_soon_and_coalesced() -> None:
    here = Here()

    async def main(presence: Presence) -> None:
        async def watch() -> None:
            here.online()
            here.online(THIRD)
            await wait_ms(10)
            assert set(here.stored()) == {OTHER, THIRD}
            assert len(here.store.commits) == 1
            for number in range(2, 12):
                here.online(number=number)
                await wait_ms(20)
            await wait_ms(300)
            assert len(here.store.commits) <= 3

        await run_for_ms(2_000, presence.keep(), watch())

    virtually(here, main)
    peer = here.peers.get(OTHER)
    assert peer is not None
    assert here.stored()[OTHER] == peer.record


def test_a_change_during_the_sync_is_not_lost() -> None:
    here = Here()
    here.sync_s = 0.1

    async def main(presence: Presence) -> None:
        async def watch() -> None:
            speaker = here.online()
            await wait_ms(50)
            here.peers.take_beacon(speaker.beacon(lifecycle="leaving"))
            await wait_ms(1_000)

        await run_for_ms(1_500, presence.keep(), watch())

    virtually(here, main)
    assert here.stored()[OTHER].left_cleanly


def test_only_what_changed_since_is_written() -> None:
    here = Here()

    async def main(presence: Presence) -> None:
        here.online()
        await presence.keep_now()
        here.store.disk.synced.peers.clear()
        here.online(THIRD)
        await presence.keep_now()

    virtually(here, main)
    assert set(here.stored()) == {THIRD}


def test_a_failed_store_is_told_and_tried_again() -> None:
    here = Here()

    async def main(presence: Presence) -> None:
        async def watch() -> None:
            here.store.is_full = True
            here.online()
            await wait_ms(100)
            assert here.health.fault == "state.db cannot grow: the disk is full"
            here.store.is_full = False
            await wait_ms(300)

        await run_for_ms(500, presence.keep(), watch())

    virtually(here, main)
    assert set(here.stored()) == {OTHER}


def test_keeping_now_raises_and_leaves_what_is_due() -> None:
    here = Here()

    async def main(presence: Presence) -> None:
        here.online()
        here.store.is_full = True
        with pytest.raises(StoreFailed):
            await presence.keep_now()
        here.store.is_full = False
        await presence.keep_now()

    virtually(here, main)
    assert set(here.stored()) == {OTHER}


def test_a_cancelled_keeping_leaves_what_is_due() -> None:
    here = Here()
    here.sync_s = 0.1

    async def main(presence: Presence) -> None:
        here.online()
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(presence.keep_now())
            await wait_ms(10)
            first.cancel()
        assert here.stored() == {}
        here.store.disk.synced.peers.clear()
        await wait_ms(200)
        here.store.disk.synced.peers.clear()
        await presence.keep_now()

    virtually(here, main)
    assert set(here.stored()) == {OTHER}


def test_a_forgotten_peer_goes_from_the_disk_too() -> None:
    here = Here(presence=PresenceLimits(forget_after_ms=60_000))

    async def main(presence: Presence) -> None:
        speaker = here.online()
        here.online(THIRD)
        await presence.keep_now()
        assert set(here.stored()) == {OTHER, THIRD}
        here.peers.take_token(speaker.token, alive=False)
        await run_for_ms(62_000, presence.run(), presence.keep())

    virtually(here, main)
    assert set(here.stored()) == {THIRD}
