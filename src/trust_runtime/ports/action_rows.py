"""Rows of dispatched writes, so that their origin can say what became of them (contract 6.9).

They share the file and the promises of `ports.store`.
"""

from collections.abc import Sequence
from typing import Protocol

from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.audit import AuditDraft, AuditRecord


class ActionRowStore(Protocol):
    """One row per request id."""

    async def keep(
        self, row: KeptRow, drafts: Sequence[AuditDraft] = ()
    ) -> tuple[AuditRecord, ...]:
        """Keep a row, in place of an older one of its id, and append records, in one commit.

        A row that is open is kept with that of another request that it displaces (`core.over`).
        """
        ...

    async def find(self, request_id: str) -> KeptRow | None:
        """Return the row of a request id, or None."""
        ...

    async def unsettled(self, limit: int) -> tuple[KeptRow, ...]:
        """Return the rows that run or have unsettled targets, oldest first, the newest `limit`."""
        ...

    async def prune(self, *, created_before_ns: int, rows_max: int, bytes_max: int) -> int:
        """Forget rows older than that, then the oldest beyond that number or size.

        Returns how many went.
        """
        ...
