"""One connection on one thread, and group commit (D27, D52).

Jobs come from the event loop and wait in a queue. The thread takes all that wait into one
transaction, each in a savepoint of its own, so that one that fails harms no other. Nobody is
answered before COMMIT returned, and with `synchronous=FULL` COMMIT returns after the sync.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from trust_runtime.adapters.sqlite.rows import RowDamaged, read_head
from trust_runtime.adapters.sqlite.state_file import damage, opening_fault, repair_remedy
from trust_runtime.contracts.audit import EMPTY_CHAIN, ChainHead
from trust_runtime.contracts.errors import ContractViolation, StoreBusy, StoreFailed

T = TypeVar("T")

WAITING_MAX: Final = 4_096
READS_WAITING_MAX: Final = 1_024
"""Of those, so many may be reads: however many ask, places for writes are left."""
_CHECKPOINT_WRITES: Final = 256
"""How many writes the journal takes before it is written over from its beginning.

A sync of a journal that still grows takes half as long again as one that is written over.
"""

_OWN_FAULT: Final = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_RANGE,
}
_PASSING: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(slots=True)
class Access:
    """What a job works with, on the store's thread only."""

    connection: sqlite3.Connection
    head: ChainHead
    """Newest record of the chain, those of this transaction included; a job moves it on."""


Work = Callable[[Access], T]


@unique
class _Kind(Enum):
    READ = "read"
    WRITE = "write"
    CLOSE = "close"


@dataclass(slots=True, frozen=True)
class _Job:
    kind: _Kind
    work: Work[Any]
    future: asyncio.Future[Any]
    is_plain_read: bool = False
    """A read that no write waits for."""


@dataclass(slots=True, frozen=True)
class _Done:
    """How a job ended: `error`, or else `value`."""

    job: _Job
    value: Any = None
    error: Exception | None = None


@dataclass(slots=True, frozen=True)
class _Fault:
    """A failure to be raised anew for everybody whom it concerns."""

    reason: str
    remedy: str

    def error(self) -> StoreFailed:
        return StoreFailed(self.reason, self.remedy)


class Database:
    """Runs jobs on the connection's own thread. Made and used on one event loop."""

    def __init__(
        self,
        path: Path,
        opener: Callable[[Path], sqlite3.Connection],
        *,
        writable: bool = True,
        on_failure: Callable[[StoreFailed], None] | None = None,
    ) -> None:
        self.path = path
        self.writable = writable
        self.head = EMPTY_CHAIN
        """Newest durable record's place; readable from everywhere."""
        self._opener = opener
        # A file that cannot be opened is told by `open` alone.
        self._on_failure: Callable[[StoreFailed], None] | None = None
        self._later_on_failure = on_failure
        self._queue: SimpleQueue[_Job] = SimpleQueue()
        self._waiting = 0
        self._reads_waiting = 0
        self._writes = 0
        self._fault: _Fault | None = None
        self._closing: asyncio.Future[Any] | None = None
        self._loop = asyncio.get_running_loop()
        # A daemon: what matters is durable at every COMMIT, a dying process need not wait for it.
        self._thread = threading.Thread(target=self._run, name="state store", daemon=True)

    async def open(self, check: Work[ChainHead]) -> None:
        """Open the file on the store's thread and let `check` judge it and return its head.

        Raises:
            StoreFailed: the file cannot be used; nothing stays open.
        """
        self._thread.start()
        opening = self._submit(_Kind.READ, check)
        try:
            self.head = await asyncio.shield(opening)
        except StoreFailed as error:
            self._fault = _Fault(error.reason, error.remedy)
            await self.close()
            raise
        except BaseException:
            await self.close()
            raise
        self._on_failure = self._later_on_failure

    async def read(self, work: Work[T], *, for_write: bool = False) -> T:
        """Run `work`, which only reads what is durable, and return what it returns.

        Args:
            work: what to do.
            for_write: a write waits for it, so that it may take the place of one.

        Raises:
            StoreBusy: too many reads wait.
            StoreFailed: the file cannot be read, or too many jobs wait.
        """
        if for_write:
            return await self._submit(_Kind.READ, work)
        if self._reads_waiting >= READS_WAITING_MAX:
            raise StoreBusy(
                f"{self.path} is overloaded: {self._reads_waiting} reads wait for the disk",
                "ask again in a second, and less often",
            )
        return await self._submit(_Kind.READ, work, is_plain_read=True)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its value once that is on the disk.

        Whatever `work` raises undoes what it did, and nothing else. A caller that is cancelled
        no longer learns what became of it; the work itself is not cut short.

        Raises:
            StoreFailed: nothing of it was kept.
        """
        if not self.writable:
            raise StoreFailed(f"{self.path} is open for reading only", "use the running process")
        return await self._submit(_Kind.WRITE, work)

    async def close(self) -> None:
        """Let waiting jobs end, bring the journal into the file, close it; safe to call twice."""
        if self._closing is None:
            self._closing = self._loop.create_future()
            self._queue.put(_Job(_Kind.CLOSE, lambda _: None, self._closing))
        await asyncio.shield(self._closing)
        self._thread.join()

    def _submit(
        self, kind: _Kind, work: Work[T], *, is_plain_read: bool = False
    ) -> asyncio.Future[T]:
        if self._fault is not None:
            raise self._fault.error()
        if self._closing is not None:
            raise StoreFailed(f"{self.path}: the store is closed", "start the process again")
        if self._waiting >= WAITING_MAX:
            raise StoreFailed(
                f"{self.path} is overloaded: {self._waiting} calls wait for the disk",
                "send less, or use a faster disk",
            )
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._reads_waiting += is_plain_read
        self._queue.put(_Job(kind, work, future, is_plain_read))
        return future

    def _resolve(self, ended: Sequence[_Done]) -> None:
        """Answer callers; runs on the event loop."""
        self._waiting -= len(ended)
        # Also of whoever stopped waiting: the work itself kept its place.
        self._reads_waiting -= sum(done.job.is_plain_read for done in ended)
        for done in ended:
            if done.job.future.done():
                continue
            if done.error is None:
                done.job.future.set_result(done.value)
            else:
                done.job.future.set_exception(done.error)

    # Everything below runs on the store's thread.

    def _answer(self, ended: Sequence[_Done]) -> None:
        if ended:
            with suppress(RuntimeError):  # The loop is gone, and with it whoever waited.
                self._loop.call_soon_threadsafe(self._resolve, ended)

    def _run(self) -> None:
        access: Access | None = None
        closing: _Job | None = None
        while closing is None:
            jobs = self._take()
            closing = next((job for job in jobs if job.kind is _Kind.CLOSE), None)
            batch = [job for job in jobs if job.kind is not _Kind.CLOSE]
            if access is None and self._fault is None and batch:
                access = self._open()
            if access is None or self._fault is not None:
                self._answer([_Done(job, error=self._refusal()) for job in batch])
            else:
                self._serve(access, batch)
        if access is not None:
            self._close(access)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_finish, closing.future)

    def _take(self) -> list[_Job]:
        """Wait for a job and return it with all others that wait by then."""
        jobs = [self._queue.get()]
        with suppress(Empty):
            while True:
                jobs.append(self._queue.get_nowait())
        return jobs

    def _refusal(self) -> StoreFailed:
        assert self._fault is not None  # noqa: S101 - a store that never opened has a fault
        return self._fault.error()

    def _open(self) -> Access | None:
        try:
            return Access(self._opener(self.path), EMPTY_CHAIN)
        except StoreFailed as error:
            self._fault = _Fault(error.reason, error.remedy)
        except Exception as error:  # noqa: BLE001 - whatever it is, callers must not hang
            self._fault = _Fault(f"{self.path} cannot be opened ({error!r})", "report this fault")
        return None

    def _close(self, access: Access) -> None:
        with suppress(sqlite3.Error):  # Closing is best effort: all that was told is durable.
            if self.writable and self._fault is None:
                access.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        with suppress(sqlite3.Error):
            access.connection.close()

    def _serve(self, access: Access, batch: list[_Job]) -> None:
        access.head = self.head
        self._answer([self._read(access, job) for job in batch if job.kind is _Kind.READ])
        writes = [job for job in batch if job.kind is _Kind.WRITE]
        if not writes:
            return
        if self._fault is not None:
            self._answer([_Done(job, error=self._refusal()) for job in writes])
            return
        ended = self._commit(access, writes)
        self._answer(ended)
        self._checkpoint(access, len(writes))

    def _read(self, access: Access, job: _Job) -> _Done:
        try:
            return _Done(job, job.work(access))
        except (sqlite3.Error, RowDamaged) as error:
            fault = self._judge(error)
            return _Done(job, error=fault.error())
        except Exception as error:  # noqa: BLE001 - the caller's to handle
            return _Done(job, error=error)

    def _commit(self, access: Access, writes: list[_Job]) -> list[_Done]:
        connection = access.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            ended = [self._write(access, job) for job in writes]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - nothing of the batch may be acknowledged
            fault = self._judge(error)
            self._roll_back(access)
            return [_Done(job, error=fault.error()) for job in writes]
        self.head = access.head
        return ended

    def _write(self, access: Access, job: _Job) -> _Done:
        """Run one job in its savepoint; raise only what concerns the whole batch."""
        connection, head_before = access.connection, access.head
        connection.execute("SAVEPOINT job")
        try:
            value = job.work(access)
        except OverflowError:
            failure: Exception = ContractViolation("$", "an integer", "at most 63 bits and a sign")
        except sqlite3.Error as error:
            if _code(error) not in _OWN_FAULT:
                raise
            failure = StoreFailed(f"{self.path}: {error}", "report this fault")
        except RowDamaged as error:
            failure = damage(self.path, str(error))
        except Exception as error:  # noqa: BLE001 - the caller's to handle
            failure = error
        else:
            connection.execute("RELEASE job")
            return _Done(job, value)
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        access.head = head_before
        return _Done(job, error=failure)

    def _roll_back(self, access: Access) -> None:
        """Undo the batch and take the head from the disk: memory is no witness any more."""
        try:
            if access.connection.in_transaction:
                access.connection.execute("ROLLBACK")
            self.head = access.head = read_head(access.connection)
        except (sqlite3.Error, RowDamaged) as error:
            self._fail(_Fault(f"{self.path} cannot be rolled back ({error})", _restart()))

    def _checkpoint(self, access: Access, writes: int) -> None:
        """Bring the journal into the file now and then."""
        self._writes += writes
        if self._writes < _CHECKPOINT_WRITES or self._fault is not None:
            return
        self._writes = 0
        try:
            access.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            self._judge(error)  # A full disk passes: all is still in the journal.

    def _judge(self, error: Exception) -> _Fault:
        """Return what a failure means; one that does not pass ends the store's service."""
        if isinstance(error, RowDamaged):
            return _Fault(f"{self.path} is damaged: {error}", repair_remedy(self.path))
        if not isinstance(error, sqlite3.Error):
            fault = _Fault(f"{self.path} failed ({error!r})", _restart())
        elif _code(error) in _OWN_FAULT:
            return _Fault(f"{self.path}: {error}", "report this fault")
        elif _code(error) in _PASSING:
            passing = opening_fault(self.path, error)
            return _Fault(passing.reason, passing.remedy)
        elif _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            fault = _Fault(f"{self.path} is damaged: {error}", repair_remedy(self.path))
        else:
            fault = _Fault(f"{self.path} failed ({error})", _restart())
        self._fail(fault)
        return fault

    def _fail(self, fault: _Fault) -> None:
        if self._fault is not None:
            return
        self._fault = fault
        if self._on_failure is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._on_failure, fault.error())


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for a misuse that Python found."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _restart() -> str:
    return "check the disk; the process must start again from what is on it"


def _finish(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)
