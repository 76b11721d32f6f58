"""`adapters.sqlite.database`: group commit, and what a failure does to whom."""
# ruff: noqa: ASYNC240 - small local files; nothing else runs on the loop

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from port_contracts.store_samples import draft
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.adapters.sqlite import database as database_module
from trust_runtime.adapters.sqlite.database import READS_WAITING_MAX, WAITING_MAX, Access
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.errors import ContractViolation, StoreBusy, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerKey

KEY = LedgerKey(origin=RuntimeId("a"), request_id="r")
pytestmark = pytest.mark.anyio


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError(f"code {code}")
    error.sqlite_errorcode = code
    return error


class FaultyConnection(sqlite3.Connection):
    """Fails a statement as told, and writes down the ends of transactions."""

    # ruff: noqa: ASYNC240 - small local files; nothing else runs on the loop

    fail: ClassVar[Callable[[str], int | None]] = staticmethod(lambda _: None)
    executed: ClassVar[list[str]] = []

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        type(self).executed.append(sql)
        code = type(self).fail(sql)
        if code is not None:
            raise sqlite_error(code)
        return super().execute(sql, *parameters)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> type[FaultyConnection]:
    """Make every connection a faulty one; a class of its own for every test."""

    class Faulty(FaultyConnection):
        executed: ClassVar[list[str]] = []

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Faulty))
    return Faulty


def failing(statement: str, code: int) -> "staticmethod[[str], int | None]":
    return staticmethod(lambda sql: code if sql == statement else None)


async def kept(store: SqliteStore) -> list[str]:
    listed = await store.audit.list(AuditFilter(limit=1_000))
    return [record.audit_id for record in reversed(listed)]


class Gate:
    """Holds the store's thread, so that calls collect behind it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._open = threading.Event()

    async def __aenter__(self) -> None:
        entered = threading.Event()

        def hold(_: Access) -> None:
            entered.set()
            assert self._open.wait(30)

        self._held = asyncio.ensure_future(self._store.database.read(hold))
        await asyncio.to_thread(entered.wait, 30)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        self._open.set()
        await self._held


async def appended(store: SqliteStore, numbers: range) -> list[Any]:
    """Append all at once, in one batch; return what each call gave."""
    async with Gate(store):
        calls = [asyncio.ensure_future(store.audit.append([draft(n)])) for n in numbers]
        await asyncio.sleep(0)
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_waiting_calls_share_one_commit(path: Path, faulty: type[FaultyConnection]) -> None:
    store = await open_store(path)
    faulty.executed.clear()
    await appended(store, range(50))
    assert faulty.executed.count("COMMIT") == 1
    await store.close()


async def test_nobody_is_answered_before_the_commit_returned(
    path: Path, faulty: type[FaultyConnection]
) -> None:
    store = await open_store(path)
    committing, go_on = threading.Event(), threading.Event()

    def pause(sql: str) -> None:
        if sql == "COMMIT":
            committing.set()
            assert go_on.wait(30)

    faulty.fail = staticmethod(pause)
    call = asyncio.ensure_future(store.audit.append([draft(1)]))
    await asyncio.to_thread(committing.wait, 30)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not call.done()
    assert store.audit.head().seq == 0
    go_on.set()
    await call
    assert store.audit.head().seq == 1
    await store.close()


async def test_a_job_that_fails_harms_no_other(path: Path) -> None:
    store = await open_store(path)

    def spoil(access: Access) -> None:
        access.connection.execute("DELETE FROM audit")

    def too_big(access: Access) -> None:
        access.connection.execute("INSERT INTO audit VALUES (?, '{}')", (2**63,))

    def stumble(_: Access) -> None:
        raise KeyError("no such thing")

    async with Gate(store):
        calls: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(call)
            for call in (
                store.audit.append([draft(1)]),
                store.database.write(spoil),
                store.audit.append([draft(2), draft(1)]),
                store.database.write(too_big),
                store.database.write(stumble),
                store.audit.append([draft(3)]),
            )
        ]
        await asyncio.sleep(0)
    results = await asyncio.gather(*calls, return_exceptions=True)
    kinds = [type(result) for result in results]
    assert kinds == [tuple, StoreFailed, ContractViolation, ContractViolation, KeyError, tuple]
    assert await kept(store) == ["audit-1", "audit-3"]
    assert (await store.audit.verify()).problem is None
    await store.close()


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "SAVEPOINT job", "COMMIT"])
async def test_a_full_disk_fails_the_batch_and_passes(
    path: Path, faulty: type[FaultyConnection], statement: str
) -> None:
    told: list[StoreFailed] = []
    store = await open_store(path, on_failure=told.append)
    await store.audit.append([draft(0)])
    faulty.fail = failing(statement, sqlite3.SQLITE_FULL)
    results = await appended(store, range(1, 4))
    assert [type(result) for result in results] == [StoreFailed] * 3
    assert "full" in results[0].reason
    assert store.audit.head().seq == 1
    faulty.fail = staticmethod(lambda _: None)
    await store.audit.append([draft(n) for n in range(1, 4)])
    assert await kept(store) == ["audit-0", "audit-1", "audit-2", "audit-3"]
    assert (await store.audit.verify()).problem is None
    assert told == []
    await store.close()


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_IOERR | (4 << 8), sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_READONLY]
)
async def test_a_failed_sync_ends_the_service(
    path: Path, faulty: type[FaultyConnection], code: int
) -> None:
    told: list[StoreFailed] = []
    store = await open_store(path, on_failure=told.append)
    await store.audit.append([draft(0)])
    faulty.fail = failing("COMMIT", code)
    results = await appended(store, range(1, 4))
    assert [type(result) for result in results] == [StoreFailed] * 3
    faulty.fail = staticmethod(lambda _: None)
    for call in (store.audit.append([draft(9)]), store.audit.list(AuditFilter())):
        with pytest.raises(StoreFailed):
            await call
    assert [error.reason for error in told] == [results[0].reason]
    assert store.audit.head().seq == 1
    await store.close()
    store = await open_store(path)
    assert await kept(store) == ["audit-0"]
    await store.close()


async def test_damage_met_while_reading_ends_the_service(
    path: Path, faulty: type[FaultyConnection]
) -> None:
    told: list[StoreFailed] = []
    store = await open_store(path, on_failure=told.append)
    faulty.fail = staticmethod(lambda sql: sqlite3.SQLITE_CORRUPT if "peer" in sql else None)
    with pytest.raises(StoreFailed, match="damaged") as raised:
        await store.peers.load()
    assert "--reset-state" in raised.value.remedy
    with pytest.raises(StoreFailed):
        await store.audit.append([draft(1)])
    assert len(told) == 1
    await store.close()


async def test_too_many_waiting_calls_are_refused(path: Path) -> None:
    store = await open_store(path)
    async with Gate(store):
        # The gate's own job waits too.
        calls = [
            asyncio.ensure_future(store.audit.append([draft(n)])) for n in range(WAITING_MAX - 1)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StoreFailed, match="overloaded"):
            await store.audit.append([draft(WAITING_MAX)])
    await asyncio.gather(*calls)
    assert store.audit.head().seq == WAITING_MAX - 1
    await store.audit.append([draft(WAITING_MAX)])
    await store.close()


async def test_a_flood_of_reads_leaves_places_for_writes(path: Path) -> None:
    store = await open_store(path)
    async with Gate(store):
        # The gate's own job is a read that waits too.
        reads = [
            asyncio.ensure_future(store.audit.find("audit-1")) for _ in range(READS_WAITING_MAX - 1)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StoreBusy, match="1024 reads wait"):
            await store.audit.find("audit-1")
        # Reads that a write needs are as good as writes.
        needed = [
            asyncio.ensure_future(store.ledger.low_water_s()),
            asyncio.ensure_future(
                store.ledger.find(LedgerKey(origin=RuntimeId("a"), request_id="r"))
            ),
        ]
        writes = [
            asyncio.ensure_future(store.audit.append([draft(n)]))
            for n in range(WAITING_MAX - READS_WAITING_MAX - 2)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StoreFailed, match="calls wait") as raised:
            await store.audit.append([draft(WAITING_MAX)])
        assert not isinstance(raised.value, StoreBusy)
    await asyncio.gather(*reads, *needed, *writes)
    assert store.audit.head().seq == len(writes)
    assert await store.audit.find("audit-1") is not None
    await store.close()


async def test_a_caller_that_stops_waiting_disturbs_nobody(path: Path) -> None:
    store = await open_store(path)
    async with Gate(store):
        leaving = asyncio.ensure_future(store.audit.append([draft(1)]))
        staying = asyncio.ensure_future(store.audit.append([draft(2)]))
        await asyncio.sleep(0)
        leaving.cancel()
    assert (await staying)[0].seq == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await store.close()


async def test_closing_lets_waiting_calls_end_and_refuses_later_ones(path: Path) -> None:
    store = await open_store(path)
    async with Gate(store):
        call = asyncio.ensure_future(store.audit.append([draft(1)]))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
    await closing
    await store.close()
    assert (await call)[0].seq == 1
    with pytest.raises(StoreFailed, match="closed"):
        await store.audit.append([draft(2)])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


async def test_the_journal_is_brought_into_the_file_now_and_then(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_CHECKPOINT_WRITES", 10)
    store = await open_store(path)
    before = path.stat().st_size
    for number in range(30):
        await store.audit.append([draft(number)])
    assert path.stat().st_size > before
    await store.close()


@pytest.mark.parametrize(("code", "passes"), [(sqlite3.SQLITE_FULL, True), (10 | 4 << 8, False)])
async def test_a_failed_checkpoint(
    path: Path,
    faulty: type[FaultyConnection],
    monkeypatch: pytest.MonkeyPatch,
    *,
    code: int,
    passes: bool,
) -> None:
    monkeypatch.setattr(database_module, "_CHECKPOINT_WRITES", 1)
    told = asyncio.Event()
    store = await open_store(path, on_failure=lambda _: told.set())
    faulty.fail = failing("PRAGMA wal_checkpoint(PASSIVE)", code)
    await store.audit.append([draft(1)])
    if passes:
        await store.audit.append([draft(2)])
    else:
        await asyncio.wait_for(told.wait(), 30)
        with pytest.raises(StoreFailed):
            await store.audit.append([draft(2)])
    await store.close()


async def test_the_log_refuses_statements_that_change_it(path: Path) -> None:
    store = await open_store(path)
    await store.audit.append([draft(1)])
    for statement in (
        "UPDATE audit SET record = '{}'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit VALUES (1, '{}')",
        "INSERT INTO audit VALUES (2, x'00')",
    ):
        with pytest.raises(StoreFailed):
            await store.database.write(
                lambda access, statement=statement: access.connection.execute(statement)  # type: ignore[misc]  # a default is how a lambda binds a loop's value
            )
    assert (await store.audit.verify()).records == 1
    await store.close()
