"""Desired configuration in `state.db`. Implements `ports.store.ConfigStore`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import structs

from trust_runtime.adapters.sqlite.audit_rows import append_drafts
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.ledger_rows import insert_entry
from trust_runtime.adapters.sqlite.rows import BOOT, read_fact, seal, sealed, to_row, write_fact
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.config import REVISION_MAX, BootRecord, ConfigRevision
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ledger import LedgerEntry
from trust_runtime.ports.store import REVISIONS_KEPT

_TABLE: Final = "config_revision"
_SELECT: Final = "SELECT record, seal FROM config_revision"


class SqliteConfigStore:
    """Revisions, newest first to be forgotten last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> ConfigRevision | None:
        """See `ConfigStore.newest`."""
        return await self._database.read(_newest)

    async def revision(self, number: int) -> ConfigRevision | None:
        """See `ConfigStore.revision`."""
        return await self._database.read(partial(_revision, number=number))

    async def revisions(self, *, before: int | None, limit: int) -> tuple[ConfigRevision, ...]:
        """See `ConfigStore.revisions`."""
        return await self._database.read(partial(_revisions, before=before, limit=limit))

    async def reached(self, number: int, at_ns: int) -> None:
        """See `ConfigStore.reached`."""
        await self._database.write(partial(_reached, number=number, at_ns=at_ns))

    async def commit(
        self,
        revision: ConfigRevision | None,
        *,
        drafts: Sequence[AuditDraft],
        entry: LedgerEntry | None,
    ) -> tuple[AuditRecord, ...]:
        """See `ConfigStore.commit`.

        Raises:
            ContractViolation: the revision is not the next one, the ledger key is taken, or the
                log already has one of the records.
            StoreFailed: nothing was kept.
        """
        kept = tuple(drafts)

        def work(access: Access) -> tuple[AuditRecord, ...]:
            if revision is not None:
                _insert(access, revision)
            if entry is not None:
                insert_entry(access, entry)
            return append_drafts(access, kept)

        return await self._database.write(work)

    async def boot(self) -> BootRecord:
        """See `ConfigStore.boot`."""
        record = await self._database.read(
            lambda access: read_fact(access.connection, BOOT, BootRecord)
        )
        return BootRecord() if record is None else record

    async def save_boot(self, record: BootRecord) -> None:
        """See `ConfigStore.save_boot`."""
        await self._database.write(lambda access: write_fact(access.connection, BOOT, record))


def _newest(access: Access) -> ConfigRevision | None:
    row = access.connection.execute(f"{_SELECT} ORDER BY revision DESC LIMIT 1").fetchone()
    return None if row is None else sealed(_TABLE, row, ConfigRevision)


def _revision(access: Access, number: int) -> ConfigRevision | None:
    row = access.connection.execute(f"{_SELECT} WHERE revision = ?", (number,)).fetchone()
    return None if row is None else sealed(_TABLE, row, ConfigRevision)


def _revisions(access: Access, before: int | None, limit: int) -> tuple[ConfigRevision, ...]:
    rows = access.connection.execute(
        f"{_SELECT} WHERE revision < ? ORDER BY revision DESC LIMIT ?",
        (REVISION_MAX if before is None else before, limit),
    ).fetchall()
    return tuple(sealed(_TABLE, row, ConfigRevision) for row in rows)


def _reached(access: Access, number: int, at_ns: int) -> None:
    found = _revision(access, number)
    if found is None or found.reached_at_ns is not None:
        return
    text = to_row(structs.replace(found, reached_at_ns=at_ns))
    access.connection.execute(
        "UPDATE config_revision SET record = ?, seal = ? WHERE revision = ?",
        (text, seal(_TABLE, text), number),
    )


def _insert(access: Access, revision: ConfigRevision) -> None:
    newest = _newest(access)
    due = 1 if newest is None else newest.revision + 1
    if revision.revision != due:
        raise ContractViolation("$.revision", revision.revision, f"{due}, the next revision")
    text = to_row(revision)
    access.connection.execute(
        "INSERT INTO config_revision VALUES (?, ?, ?)", (due, text, seal(_TABLE, text))
    )
    access.connection.execute(
        "DELETE FROM config_revision WHERE revision <= ?", (due - REVISIONS_KEPT,)
    )
