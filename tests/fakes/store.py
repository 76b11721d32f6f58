"""A store in memory with group commit and a disk that can fail. Implements `ports.store`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from fakes.disk import Disk, State, through_json
from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainHead,
    ChainReport,
)
from trust_runtime.contracts.config import BootRecord, ConfigRevision
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerVerdict
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.results import TargetReply
from trust_runtime.core.audit_chain import verify_records

T = TypeVar("T")

WAITING_MAX: Final = 4_096

FULL: Final = ("state.db cannot grow: the disk is full", "free space")
BROKEN: Final = ("state.db failed (disk I/O error)", "check the disk; the process must start again")


class _Job(NamedTuple):
    work: Callable[[State], Any]
    future: asyncio.Future[Any]


class FakeStore:
    """The four faces of one state file; made and used on one event loop.

    `sync_s` gives the length of each sync, in seconds. `is_full` makes writes fail until it is
    unset, and reads go on; after `fail_sync` nothing works and `on_failure` is told.
    """

    def __init__(
        self,
        disk: Disk | None = None,
        *,
        sync_s: Callable[[], float] = lambda: 0.0,
        on_failure: Callable[[StoreFailed], None] = lambda _: None,
    ) -> None:
        self.disk = Disk() if disk is None else disk
        self.is_full = False
        self.commits: list[int] = []
        """How many writes each commit held."""
        self.audit = FakeAuditLog(self)
        self.ledger = FakeLedger(self)
        self.config = FakeConfigStore(self)
        self.peers = FakePeers(self)
        self._sync_s = sync_s
        self._on_failure = on_failure
        self._waiting: list[_Job] = []
        self._busy = False
        self._sync_fails = False
        self._fault: tuple[str, str] | None = None

    def fail_sync(self) -> None:
        """Have the next sync fail: what it held may be on the disk or not (`Disk.crash`)."""
        self._sync_fails = True

    def break_down(self, reason: str = BROKEN[0]) -> None:
        """Fail every call from now on."""
        self._fail((reason, BROKEN[1]))

    async def read(self, work: Callable[[State], T]) -> T:
        """Return what `work` finds in what is durable.

        Raises:
            StoreFailed: the store broke down.
        """
        self._require_working()
        await asyncio.sleep(0)
        self._require_working()
        return work(self.disk.synced)

    async def write(self, work: Callable[[State], T]) -> T:
        """Run `work` in a transaction; return when it is durable. What it raises undoes it alone.

        Raises:
            StoreFailed: nothing of it was kept.
        """
        self._require_working()
        if len(self._waiting) >= WAITING_MAX:
            raise StoreFailed(f"{len(self._waiting)} calls wait for the disk", "send less")
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future())
        self._waiting.append(job)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._commit)
        result: T = await job.future
        return result

    def _commit(self) -> None:
        jobs, self._waiting = self._waiting, []
        fault = FULL if self.is_full else self._fault
        if fault is not None:
            self._end([(job, None, StoreFailed(*fault)) for job in jobs])
            return
        state = self.disk.synced
        ended: list[tuple[_Job, Any, Exception | None]] = []
        for job in jobs:
            attempt = state.copy()  # What fails half-way leaves nothing behind.
            try:
                ended.append((job, job.work(attempt), None))
            except Exception as error:  # noqa: BLE001 - the caller's to handle
                ended.append((job, None, error))
            else:
                state = attempt
        self.disk.unsynced = state
        length_s = self._sync_s()
        if length_s > 0:
            asyncio.get_running_loop().call_later(length_s, self._synced, state, ended)
        else:
            self._synced(state, ended)

    def _synced(self, state: State, ended: list[tuple[_Job, Any, Exception | None]]) -> None:
        if self._sync_fails:
            self._fail(BROKEN)
            ended = [(job, None, StoreFailed(*BROKEN)) for job, _, _ in ended]
        else:
            self.disk.synced = state
            self.disk.unsynced = None
            self.commits.append(len(ended))
        self._end(ended)

    def _end(self, ended: list[tuple[_Job, Any, Exception | None]]) -> None:
        for job, value, error in ended:
            if job.future.done():
                continue
            if error is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(error)
        self._busy = bool(self._waiting)
        if self._busy:
            asyncio.get_running_loop().call_soon(self._commit)

    def _require_working(self) -> None:
        if self._fault is not None:
            raise StoreFailed(*self._fault)

    def _fail(self, fault: tuple[str, str]) -> None:
        if self._fault is None:
            self._fault = fault
            self._on_failure(StoreFailed(*fault))


class FakeAuditLog:
    """Implements `ports.store.AuditLog`."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    def head(self) -> ChainHead:
        """See `AuditLog.head`."""
        return self._store.disk.synced.head

    async def append(self, drafts: Sequence[AuditDraft]) -> tuple[AuditRecord, ...]:
        """See `AuditLog.append`."""
        kept = tuple(drafts)
        return await self._store.write(lambda state: state.append(kept))

    async def find(self, audit_id: str) -> tuple[AuditRecord, ...]:
        """See `AuditLog.find`."""
        return await self._store.read(
            lambda state: tuple(r for r in state.records if r.audit_id == audit_id)
        )

    async def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """See `AuditLog.list`."""
        return await self._store.read(lambda state: state.listed(wanted))

    async def open_decisions(self) -> tuple[AuditRecord, ...]:
        """See `AuditLog.open_decisions`."""
        return await self._store.read(State.open_decisions)

    async def verify(self) -> ChainReport:
        """See `AuditLog.verify`."""
        records = tuple(self._store.disk.synced.records)
        head, problem = verify_records(EMPTY_CHAIN, records)
        return ChainReport(runtime_id="", records=head.seq, head=head, problem=problem)


class FakeLedger:
    """Implements `ports.store.LedgerStore`."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def find(self, key: LedgerKey) -> LedgerEntry | None:
        """See `LedgerStore.find`."""
        return await self._store.read(lambda state: state.entries.get(key))

    async def low_water_s(self) -> int:
        """See `LedgerStore.low_water_s`."""
        return await self._store.read(lambda state: state.low_water_s)

    async def begin(
        self, entry: LedgerEntry, decision: AuditDraft
    ) -> tuple[LedgerVerdict, LedgerEntry | None]:
        """See `LedgerStore.begin`."""
        return await self._store.write(lambda state: state.begin(entry, decision))

    async def finish(
        self, key: LedgerKey, reply: TargetReply, outcome: AuditDraft
    ) -> tuple[AuditRecord, ...]:
        """See `LedgerStore.finish`."""
        return await self._store.write(lambda state: state.finish(key, reply, outcome))

    async def recover(self, reply: TargetReply, outcomes: Sequence[AuditDraft]) -> int:
        """See `LedgerStore.recover`."""
        kept = tuple(outcomes)
        return await self._store.write(lambda state: state.recover(reply, kept))

    async def prune(self, *, created_before_ns: int, entries_max: int) -> int:
        """See `LedgerStore.prune`."""
        return await self._store.write(lambda state: state.prune(created_before_ns, entries_max))


class FakeConfigStore:
    """Implements `ports.store.ConfigStore`."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def newest(self) -> ConfigRevision | None:
        """See `ConfigStore.newest`."""
        return await self._store.read(State.newest)

    async def revision(self, number: int) -> ConfigRevision | None:
        """See `ConfigStore.revision`."""
        return await self._store.read(lambda state: state.revisions.get(number))

    async def revisions(self, *, before: int | None, limit: int) -> tuple[ConfigRevision, ...]:
        """See `ConfigStore.revisions`."""
        return await self._store.read(lambda state: state.older(before, limit))

    async def reached(self, number: int, at_ns: int) -> None:
        """See `ConfigStore.reached`."""
        await self._store.write(lambda state: state.reached(number, at_ns))

    async def commit(
        self,
        revision: ConfigRevision | None,
        *,
        drafts: Sequence[AuditDraft],
        entry: LedgerEntry | None,
    ) -> tuple[AuditRecord, ...]:
        """See `ConfigStore.commit`."""
        kept = tuple(drafts)

        def work(state: State) -> tuple[AuditRecord, ...]:
            if revision is not None:
                state.revise(revision)
            if entry is not None:
                state.insert(entry)
            return state.append(kept)

        return await self._store.write(work)

    async def boot(self) -> BootRecord:
        """See `ConfigStore.boot`."""
        return await self._store.read(lambda state: state.boot)

    async def save_boot(self, record: BootRecord) -> None:
        """See `ConfigStore.save_boot`."""

        def work(state: State) -> None:
            state.boot = record

        await self._store.write(work)


class FakePeers:
    """Implements `ports.store.PeerStore`."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def load(self) -> tuple[PeerRecord, ...]:
        """See `PeerStore.load`."""
        return await self._store.read(
            lambda state: tuple(state.peers[one] for one in sorted(state.peers))
        )

    async def save(self, records: Sequence[PeerRecord], forgotten: Sequence[RuntimeId]) -> None:
        """See `PeerStore.save`."""
        kept, gone = tuple(records), tuple(forgotten)

        def work(state: State) -> None:
            for runtime_id in gone:
                state.peers.pop(runtime_id, None)
            for record in kept:
                state.peers[record.runtime_id] = through_json(record)

        await self._store.write(work)
