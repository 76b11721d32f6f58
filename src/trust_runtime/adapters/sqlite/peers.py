"""The peer table in `state.db`. Implements `ports.store.PeerStore`."""

from collections.abc import Sequence

from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import seal, sealed, to_row
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import PeerRecord


class SqlitePeers:
    """One row per peer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[PeerRecord, ...]:
        """See `PeerStore.load`."""
        return await self._database.read(_load)

    async def save(self, records: Sequence[PeerRecord], forgotten: Sequence[RuntimeId]) -> None:
        """See `PeerStore.save`."""
        rows = [
            (record.runtime_id, text, seal("peer", text))
            for record in records
            for text in (to_row(record),)
        ]
        gone = [(runtime_id,) for runtime_id in forgotten]

        def work(access: Access) -> None:
            access.connection.executemany("DELETE FROM peer WHERE runtime_id = ?", gone)
            access.connection.executemany(
                "INSERT INTO peer VALUES (?, ?, ?) ON CONFLICT (runtime_id)"
                " DO UPDATE SET record = excluded.record, seal = excluded.seal",
                rows,
            )

        await self._database.write(work)


def _load(access: Access) -> tuple[PeerRecord, ...]:
    rows = access.connection.execute("SELECT record, seal FROM peer ORDER BY runtime_id")
    return tuple(sealed("peer", row, PeerRecord) for row in rows.fetchall())
