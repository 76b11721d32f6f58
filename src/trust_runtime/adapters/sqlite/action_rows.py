"""Rows of dispatched writes in `state.db`. Implements `ports.action_rows.ActionRowStore`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from trust_runtime.adapters.sqlite.audit_rows import append_drafts
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import seal, sealed, to_row
from trust_runtime.contracts.action_rows import KeptRow, RowState
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.core.action_rows import over

_TABLE: Final = "action_row"
_PRUNED_AT_ONCE: Final = 500
_KEEP: Final = (
    "INSERT INTO action_row VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (request_id) DO UPDATE SET"
    " is_open = excluded.is_open, created_at_ns = excluded.created_at_ns, bytes = excluded.bytes,"
    " record = excluded.record, seal = excluded.seal"
)


class SqliteActionRows:
    """One row per request id; the columns beside the record are there for its indexes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self, row: KeptRow, drafts: Sequence[AuditDraft] = ()
    ) -> tuple[AuditRecord, ...]:
        """See `ActionRowStore.keep`."""
        is_open = row.row.state is RowState.RUNNING or bool(row.unsettled)
        appended = tuple(drafts)

        def work(access: Access) -> tuple[AuditRecord, ...]:
            text = to_row(over(row, _find(access, row.request_id)) if is_open else row)
            columns = (row.request_id, int(is_open), row.row.created_at_ns, len(text))
            access.connection.execute(_KEEP, (*columns, text, seal(_TABLE, text)))
            return append_drafts(access, appended)

        return await self._database.write(work)

    async def find(self, request_id: str) -> KeptRow | None:
        """See `ActionRowStore.find`."""
        return await self._database.read(partial(_find, request_id=request_id))

    async def unsettled(self, limit: int) -> tuple[KeptRow, ...]:
        """See `ActionRowStore.unsettled`."""
        return await self._database.read(partial(_unsettled, limit=limit))

    async def prune(self, *, created_before_ns: int, rows_max: int, bytes_max: int) -> int:
        """See `ActionRowStore.prune`; in several short commits, the oldest first."""
        work = partial(
            _prune_some,
            created_before_ns=created_before_ns,
            rows_max=rows_max,
            bytes_max=bytes_max,
        )
        pruned = 0
        while True:
            went = await self._database.write(work)
            pruned += went
            if went < _PRUNED_AT_ONCE:
                return pruned


def _find(access: Access, request_id: str) -> KeptRow | None:
    row = access.connection.execute(
        "SELECT record, seal FROM action_row WHERE request_id = ?", (request_id,)
    ).fetchone()
    return None if row is None else sealed(_TABLE, row, KeptRow)


def _unsettled(access: Access, limit: int) -> tuple[KeptRow, ...]:
    rows = access.connection.execute(
        "SELECT record, seal FROM action_row INDEXED BY action_row_open WHERE is_open = 1"
        " ORDER BY created_at_ns DESC, request_id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return tuple(sealed(_TABLE, row, KeptRow) for row in reversed(rows))


def _prune_some(access: Access, *, created_before_ns: int, rows_max: int, bytes_max: int) -> int:
    connection = access.connection
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM action_row INDEXED BY action_row_by_age"
    ).fetchone()
    going: list[tuple[str]] = []
    rows = connection.execute(
        "SELECT request_id, created_at_ns, bytes FROM action_row INDEXED BY action_row_by_age"
        " ORDER BY created_at_ns, request_id"
    )
    for request_id, created_at_ns, length in rows:
        surplus = count - len(going) > rows_max or size > bytes_max
        if len(going) == _PRUNED_AT_ONCE or not (created_at_ns < created_before_ns or surplus):
            break
        going.append((request_id,))
        size -= length
    rows.close()
    connection.executemany("DELETE FROM action_row WHERE request_id = ?", going)
    return len(going)
