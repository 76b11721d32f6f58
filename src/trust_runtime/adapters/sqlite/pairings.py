"""Tokens in `state.db`. Implements `ports.pairings.PairingStore`."""

from collections.abc import Sequence

from trust_runtime.adapters.sqlite.audit_rows import append_drafts
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import PAIRINGS, read_fact, write_fact
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.pairing import PairedToken


class SqlitePairings:
    """One row for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[PairedToken, ...]:
        """See `PairingStore.load`."""
        return await self._database.read(
            lambda access: read_fact(access.connection, PAIRINGS, tuple[PairedToken, ...]) or ()
        )

    async def save(
        self, tokens: Sequence[PairedToken], drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """See `PairingStore.save`."""
        kept, appended = tuple(tokens), tuple(drafts)

        def work(access: Access) -> tuple[AuditRecord, ...]:
            write_fact(access.connection, PAIRINGS, kept)
            return append_drafts(access, appended)

        return await self._database.write(work)
