"""Keeps what became of every dispatch: writes durably, the newest reads in memory (6.9)."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct, structs

from trust_runtime.contracts.action_rows import ActionRow, KeptRow, RowState
from trust_runtime.contracts.actions import ActionRequest, ActionType
from trust_runtime.contracts.audit import AuditDraft
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerAnswer
from trust_runtime.contracts.results import DispatchReport, TargetResult
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.core.action_rows import (
    done_row,
    inherit,
    interrupted,
    is_refused,
    note_reuse,
    running_row,
    settle,
)
from trust_runtime.core.policy.contract import is_request_id
from trust_runtime.ports.action_rows import ActionRowStore
from trust_runtime.ports.clock import Clock
from trust_runtime.services.audit import Audit
from trust_runtime.services.store_health import StoreHealth

READS_KEPT: Final = 1_000
UNSETTLED_MAX: Final = 10_000
WRITES_KEPT_NS: Final = 7 * 24 * 3_600 * NS_PER_S
ROWS_MAX: Final = 10_000
BYTES_MAX: Final = 64 * 1_048_576
_PRUNED_EVERY: Final = 100


class Entry(Struct, kw_only=True):
    """A dispatch on its way, as its keeper knows it again."""

    row: KeptRow
    """It while it runs."""

    before: KeptRow | None
    """The row of a former dispatch of the same id that is not settled, as it is by now."""

    is_write: bool
    """Whether it is kept durably."""


class ActionRows:
    """One row per request id: the last dispatch of it at this origin."""

    def __init__(
        self, *, store: ActionRowStore, audit: Audit, health: StoreHealth, clock: Clock
    ) -> None:
        self._store = store
        self._audit = audit
        self._health = health
        self._clock = clock
        self._reads: OrderedDict[str, KeptRow] = OrderedDict()
        self._open: OrderedDict[str, KeptRow] = OrderedDict()
        """Writes that run or are not settled: what is on the disk, or about to be."""
        self._out: dict[str, list[Entry]] = {}
        """Writes that are on their way: one may have to give back the row it displaced."""
        self._kept = 0

    async def load(self) -> None:
        """Take up what a former process left running or unsettled.

        Raises:
            StoreFailed: it cannot be read.
        """
        for row in await self._store.unsettled(UNSETTLED_MAX):
            self._open[row.request_id] = interrupted(row, now_ns=self._clock.wall_ns())

    async def begin(
        self,
        request: ActionRequest,
        preflight: Preflight,
        *,
        settled: Sequence[TargetResult],
        drafts: Sequence[AuditDraft],
    ) -> Entry:
        """Keep that a dispatch is on its way, a write durably, with the records of its decision.

        Raises:
            StoreFailed: nothing is kept, so nothing may be sent.
        """
        row = running_row(request, preflight, settled=settled, now_ns=self._clock.wall_ns())
        is_write = request.action_type != ActionType.STATUS_READ
        before = self._open.get(request.request_id) if is_write else None
        entry = Entry(row=inherit(row, before), before=before, is_write=is_write)
        self._remember(entry.row, is_write=is_write)
        if is_write:
            self._out.setdefault(request.request_id, []).append(entry)
        try:
            await self._record(entry.row, drafts, is_write=is_write)
        except StoreFailed:
            self._left(entry)
            self._withdraw(entry)
            raise
        return entry

    async def conclude(
        self,
        entry: Entry,
        report: DispatchReport,
        *,
        unknown: Collection[str],
        drafts: Sequence[AuditDraft],
    ) -> None:
        """Keep the answer of a dispatch with the records of its outcome, in one commit.

        Args:
            entry: as `begin` gave it.
            report: the answer.
            unknown: targets whose own word is missing.
            drafts: the records.

        Raises:
            StoreFailed: nothing is kept; the row still says what was answered while this runs.
        """
        row = done_row(entry.row, report, unknown=unknown, now_ns=self._clock.wall_ns())
        row = inherit(row, entry.before) if entry.is_write else row
        # While the disk says that it runs, what its targets have done is asked for again.
        asked = structs.replace(row, unsettled=entry.row.unsettled)
        if entry.is_write and is_refused(row):
            former = await self._former(row, entry.before)
            row = asked = row if former is None else self._note(former, row)
        self._left(entry)
        if not self._is_newest(entry):
            # Another dispatch of this id has begun since: that one is shown, unless it fails to.
            self._supersede(entry.row, asked)
            await self._audit.append(drafts)
            return
        self._remember(row, is_write=entry.is_write)
        try:
            await self._record(row, drafts, is_write=entry.is_write)
        except StoreFailed:
            self._supersede(row, asked)
            if self._rows(entry).get(row.request_id, row) is row:
                self._remember(asked, is_write=entry.is_write)
            raise

    async def add(
        self,
        request: ActionRequest,
        preflight: Preflight,
        report: DispatchReport,
        *,
        drafts: Sequence[AuditDraft],
    ) -> None:
        """Keep a dispatch of which nothing is sent, with its records.

        Raises:
            StoreFailed: nothing is kept.
        """
        now_ns = self._clock.wall_ns()
        row = running_row(request, preflight, settled=report.results, now_ns=now_ns)
        row = done_row(row, report, unknown=(), now_ns=now_ns)
        if not is_request_id(request.request_id):
            await self._audit.append(drafts)
            return
        is_write = request.action_type != ActionType.STATUS_READ
        before = self._open.get(request.request_id) if is_write else None
        row = inherit(row, before) if is_write else row
        former = await self._former(row, before) if is_write and is_refused(row) else None
        if former is None:
            await self._record(row, drafts, is_write=is_write)
            self._remember(row, is_write=is_write)
            return
        await self._record(note_reuse(former, row), drafts, is_write=True)
        if self._open.get(request.request_id) is former:
            self._remember(self._note(former, row), is_write=True)

    async def find(self, request_id: str) -> ActionRow | None:
        """Return the row of the last dispatch of that id, or None.

        Raises:
            StoreFailed: it cannot be read.
        """
        kept = self._reads.get(request_id) or self._open.get(request_id)
        if kept is None:
            kept = await self._store.find(request_id)
        return None if kept is None else kept.row

    def unsettled(self) -> Iterable[tuple[str, str]]:
        """Return request id and target of every effect that is not known and can be asked for."""
        return [
            (row.request_id, target)
            for row in self._open.values()
            if row.row.state is RowState.DONE
            for target in row.unsettled
        ]

    def begun_at_ns(self, request_id: str) -> int | None:
        """Return when the dispatch began that is asked for under this id; None: there is none."""
        row = self._open.get(request_id)
        return None if row is None else row.row.created_at_ns

    async def settle(
        self, request_id: str, target: str, told: LedgerAnswer, *, may_still_begin: bool
    ) -> bool:
        """Take what the ledger of a target says; return whether that settled it.

        Raises:
            StoreFailed: it could not be kept; it is to be asked for again.
        """
        row = self._open.get(request_id)
        if row is None or row.row.state is not RowState.DONE:
            return False
        after = settle(row, target, told, may_still_begin=may_still_begin)
        if after is row:
            return False
        former = await self._former(after, None) if is_refused(after) else None
        if self._open.get(request_id) is not row:
            return False
        after = after if former is None else self._note(former, after)
        self._remember(after, is_write=True)
        try:
            await self._record(after, (), is_write=True)
        except StoreFailed:
            if self._open.get(request_id, after) is after:
                self._remember(row, is_write=True)
            raise
        return True

    async def prune(self) -> None:
        """Forget what is too old or too much.

        Raises:
            StoreFailed: it is tried again.
        """
        before_ns = self._clock.wall_ns() - WRITES_KEPT_NS
        await self._store.prune(created_before_ns=before_ns, rows_max=ROWS_MAX, bytes_max=BYTES_MAX)
        for request_id, row in list(self._open.items()):
            if row.row.created_at_ns < before_ns and row.row.state is RowState.DONE:
                del self._open[request_id]

    async def _record(self, row: KeptRow, drafts: Sequence[AuditDraft], *, is_write: bool) -> None:
        """Make records durable, and with them the row of a write."""
        if not is_write:
            await self._audit.append(drafts)
            return
        try:
            records = await self._store.keep(row, drafts)
        except StoreFailed as error:
            self._health.failed(error)
            raise
        self._audit.tell(records)
        self._kept += 1
        if self._kept % _PRUNED_EVERY == 0:
            with suppress(StoreFailed):  # The row is kept whatever becomes of others.
                await self.prune()

    def _remember(self, row: KeptRow, *, is_write: bool) -> None:
        self._reads.pop(row.request_id, None)
        if not is_write:
            self._reads[row.request_id] = row
            while len(self._reads) > READS_KEPT:
                self._reads.popitem(last=False)
            return
        self._open.pop(row.request_id, None)
        if row.row.state is RowState.RUNNING or row.unsettled:
            self._open[row.request_id] = row
            while len(self._open) > UNSETTLED_MAX:
                self._open.popitem(last=False)

    def _withdraw(self, entry: Entry) -> None:
        """Forget a dispatch that could not begin, and show again what was shown before."""
        if not self._is_newest(entry):
            self._supersede(entry.row, entry.before)
            return
        self._rows(entry).pop(entry.row.request_id)
        if entry.before is not None:
            self._remember(entry.before, is_write=True)

    async def _former(self, refused: KeptRow, before: KeptRow | None) -> KeptRow | None:
        """Return the row of another request whose id a refused one used, or None."""
        if before is not None and before.digest != refused.digest:
            return before
        with suppress(StoreFailed):  # The refusal is shown then.
            kept = await self._store.find(refused.request_id)
            former = kept and (kept.former or kept)
            # What runs is known here, and not as it was when it was displaced.
            if former and former.digest != refused.digest and former.row.state is RowState.DONE:
                return former
        return None

    def _note(self, former: KeptRow, refused: KeptRow) -> KeptRow:
        """Return the row that is shown again, for whoever still works on it too."""
        noted = note_reuse(former, refused)
        self._supersede(former, noted)
        for entry in self._out.get(former.request_id, ()):
            if entry.row is former:
                entry.row = noted
        return noted

    def _left(self, entry: Entry) -> None:
        """Note that a dispatch is not on its way any more."""
        request_id = entry.row.request_id
        others = [one for one in self._out.pop(request_id, ()) if one is not entry]
        if others:
            self._out[request_id] = others

    def _supersede(self, row: KeptRow, after: KeptRow | None) -> None:
        """Have dispatches on their way know what became of the one before them."""
        for entry in self._out.get(row.request_id, ()):
            if entry.before is row:
                entry.before = after

    def _is_newest(self, entry: Entry) -> bool:
        return self._rows(entry).get(entry.row.request_id) is entry.row

    def _rows(self, entry: Entry) -> OrderedDict[str, KeptRow]:
        return self._open if entry.is_write else self._reads
