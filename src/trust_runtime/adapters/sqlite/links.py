"""Link preferences in `state.db`. Implements `ports.links.LinkStore`."""

from collections.abc import Sequence
from typing import Final

from trust_runtime.adapters.sqlite.audit_rows import append_drafts
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import seal, sealed, to_row
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.links import LinkPreference

_TABLE: Final = "link"
_KEEP: Final = (
    "INSERT INTO link VALUES (?, ?, ?, ?) ON CONFLICT (source, target)"
    " DO UPDATE SET record = excluded.record, seal = excluded.seal"
)


class SqliteLinks:
    """One row per pair."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[LinkPreference, ...]:
        """See `LinkStore.load`."""
        return await self._database.read(_load)

    async def keep(
        self, preference: LinkPreference, drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """See `LinkStore.keep`."""
        text, appended = to_row(preference), tuple(drafts)
        values = (preference.source, preference.target, text, seal(_TABLE, text))

        def work(access: Access) -> tuple[AuditRecord, ...]:
            access.connection.execute(_KEEP, values)
            return append_drafts(access, appended)

        return await self._database.write(work)

    async def drop(
        self, source: str, target: str, drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """See `LinkStore.drop`."""
        appended = tuple(drafts)

        def work(access: Access) -> tuple[AuditRecord, ...]:
            access.connection.execute(
                "DELETE FROM link WHERE source = ? AND target = ?", (source, target)
            )
            return append_drafts(access, appended)

        return await self._database.write(work)


def _load(access: Access) -> tuple[LinkPreference, ...]:
    rows = access.connection.execute("SELECT record, seal FROM link ORDER BY source, target")
    return tuple(sealed(_TABLE, row, LinkPreference) for row in rows.fetchall())
