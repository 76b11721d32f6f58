"""Audit heads of other runtimes in `state.db`. Implements `ports.heads.HeadStore`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import seal, sealed, to_row
from trust_runtime.contracts.audit import WitnessedHead
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.units import NS_PER_S

HOURS_KEPT: Final = 30 * 24
_NS_PER_HOUR: Final = 3_600 * NS_PER_S
_NEWEST: Final = 0
"""The `hour` of the newest head; the others stand at hours since the epoch."""

_TABLE: Final = "witnessed_head"
_KEEP: Final = (
    "INSERT INTO witnessed_head VALUES (?, ?, ?, ?) ON CONFLICT (runtime_id, hour)"
    " DO UPDATE SET record = excluded.record, seal = excluded.seal"
)


class SqliteHeads:
    """The newest head of each runtime, and one an hour."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[WitnessedHead, ...]:
        """See `HeadStore.load`."""
        return await self._database.read(_load)

    async def kept(self, runtime_id: RuntimeId) -> tuple[WitnessedHead, ...]:
        """See `HeadStore.kept`."""
        return await self._database.read(partial(_kept, runtime_id=runtime_id))

    async def save(self, heads: Sequence[WitnessedHead]) -> None:
        """See `HeadStore.save`."""
        await self._database.write(partial(_save, heads=tuple(heads)))


def _load(access: Access) -> tuple[WitnessedHead, ...]:
    rows = access.connection.execute(
        "SELECT record, seal FROM witnessed_head WHERE hour = ? ORDER BY runtime_id", (_NEWEST,)
    )
    return tuple(sealed(_TABLE, row, WitnessedHead) for row in rows.fetchall())


def _kept(access: Access, runtime_id: RuntimeId) -> tuple[WitnessedHead, ...]:
    rows = access.connection.execute(
        "SELECT record, seal FROM witnessed_head WHERE runtime_id = ? ORDER BY hour = 0, hour",
        (runtime_id,),
    )
    return tuple(sealed(_TABLE, row, WitnessedHead) for row in rows.fetchall())


def _save(access: Access, heads: tuple[WitnessedHead, ...]) -> None:
    connection = access.connection
    for head in heads:
        text = to_row(head)
        hour = head.seen_at_ns // _NS_PER_HOUR
        for place in (_NEWEST, hour):
            connection.execute(_KEEP, (head.runtime_id, place, text, seal(_TABLE, text)))
        connection.execute(
            "DELETE FROM witnessed_head WHERE runtime_id = ? AND hour > 0 AND hour <= ?",
            (head.runtime_id, hour - HOURS_KEPT),
        )
