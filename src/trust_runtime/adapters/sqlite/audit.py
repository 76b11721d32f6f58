"""The audit log in `state.db`. Implements `ports.store.AuditLog`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from trust_runtime.adapters.sqlite.audit_rows import (
    PAGE_ROWS,
    append_drafts,
    find_records,
    matches,
    open_decision_records,
    page,
)
from trust_runtime.adapters.sqlite.database import Database
from trust_runtime.adapters.sqlite.verification import verify_store
from trust_runtime.contracts.audit import (
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainHead,
    ChainReport,
)
from trust_runtime.contracts.errors import ContractViolation

LIMIT_MAX: Final = 1_000


class SqliteAuditLog:
    """Records as JSON in one table that no statement can change or shorten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> ChainHead:
        """See `AuditLog.head`."""
        return self._database.head

    async def append(self, drafts: Sequence[AuditDraft]) -> tuple[AuditRecord, ...]:
        """See `AuditLog.append`.

        Raises:
            ContractViolation: the log already has a record of that audit id and phase.
            StoreFailed: nothing was kept.
        """
        kept = tuple(drafts)
        return await self._database.write(lambda access: append_drafts(access, kept))

    async def find(self, audit_id: str) -> tuple[AuditRecord, ...]:
        """See `AuditLog.find`."""
        return await self._database.read(partial(find_records, audit_id=audit_id))

    async def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """See `AuditLog.list`.

        Raises:
            ContractViolation: the limit is out of range.
            StoreFailed: the file cannot be read.
        """
        if not 1 <= wanted.limit <= LIMIT_MAX:
            raise ContractViolation("$.limit", wanted.limit, f"1..{LIMIT_MAX}")
        listed: list[AuditRecord] = []
        due = wanted
        while True:
            candidates = await self._database.read(partial(page, wanted=due))
            listed += [record for record in candidates if matches(record, wanted)]
            if len(listed) >= wanted.limit or len(candidates) < PAGE_ROWS:
                return tuple(listed[: wanted.limit])
            due = msgspec.structs.replace(due, before_seq=candidates[-1].seq)

    async def open_decisions(self) -> tuple[AuditRecord, ...]:
        """See `AuditLog.open_decisions`."""
        return await self._database.read(open_decision_records)

    async def verify(self) -> ChainReport:
        """See `AuditLog.verify`; what cannot be read is a problem in the report, no exception."""
        return await verify_store(self._database)
