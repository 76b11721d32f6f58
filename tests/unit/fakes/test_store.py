"""The store in memory keeps what the store ports promise, as the one on disk does."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from fakes.disk import Disk
from fakes.store import FakeAuditLog, FakeConfigStore, FakeLedger, FakePeers, FakeStore
from port_contracts.store import (
    AuditLogContract,
    ConfigStoreContract,
    LedgerStoreContract,
    PeerStoreContract,
)
from port_contracts.store_samples import DECISION, DRAFT, RUNNING, draft
from trust_runtime.contracts.errors import StoreFailed


class MemoryWorld:
    """See `port_contracts.store.World`."""

    def __init__(self) -> None:
        self._store = FakeStore()

    @property
    def audit(self) -> FakeAuditLog:
        return self._store.audit

    @property
    def ledger(self) -> FakeLedger:
        return self._store.ledger

    @property
    def config(self) -> FakeConfigStore:
        return self._store.config

    @property
    def peers(self) -> FakePeers:
        return self._store.peers

    async def reopen(self) -> None:
        self._store.disk.crash(keep_unsynced=False)
        self._store = FakeStore(self._store.disk)


@pytest.fixture
async def world() -> AsyncGenerator[MemoryWorld, None]:
    world = MemoryWorld()
    yield world
    assert (await world.audit.verify()).problem is None


class TestFakeAuditLog(AuditLogContract):
    pass


class TestFakeLedger(LedgerStoreContract):
    pass


class TestFakeConfigStore(ConfigStoreContract):
    pass


class TestFakePeers(PeerStoreContract):
    pass


@pytest.mark.anyio
@pytest.mark.parametrize("lucky", [False, True])
async def test_a_crash_during_the_sync_keeps_all_of_the_commit_or_nothing(*, lucky: bool) -> None:
    disk = Disk()
    syncing = asyncio.Event()

    def never_ends() -> float:
        syncing.set()
        return 3_600.0

    store = FakeStore(disk, sync_s=never_ends)
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(store.ledger.begin(RUNNING, DECISION))
        await syncing.wait()
        begun.cancel()
    disk.crash(keep_unsynced=lucky)

    again = FakeStore(disk)
    assert again.audit.head().seq == lucky
    assert await again.ledger.find(RUNNING.key) == (RUNNING if lucky else None)


@pytest.mark.anyio
async def test_a_full_disk_refuses_writes_and_serves_reads_until_there_is_room() -> None:
    store = FakeStore()
    await store.audit.append([draft(1)])
    store.is_full = True
    with pytest.raises(StoreFailed, match="full"):
        await store.audit.append([draft(2)])
    assert len(await store.audit.find("audit-1")) == 1
    store.is_full = False
    await store.audit.append([draft(2)])
    assert store.audit.head().seq == 2


@pytest.mark.anyio
async def test_a_failed_sync_fails_its_commit_and_all_that_comes_after() -> None:
    told: list[str] = []
    store = FakeStore(on_failure=lambda error: told.append(error.reason))
    store.fail_sync()
    ended = await asyncio.gather(
        store.audit.append([draft(1)]), store.audit.append([draft(2)]), return_exceptions=True
    )
    assert [type(one) for one in ended] == [StoreFailed, StoreFailed]
    with pytest.raises(StoreFailed):
        await store.audit.append([DRAFT])
    with pytest.raises(StoreFailed):
        await store.audit.find("audit-1")
    assert len(told) == 1
    assert store.audit.head().seq == 0


@pytest.mark.anyio
async def test_writes_that_wait_commit_together() -> None:
    store = FakeStore()
    await asyncio.gather(*(store.audit.append([draft(n)]) for n in range(5)))
    assert store.commits == [5]
