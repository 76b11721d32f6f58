"""The states of the past in `state.db`. Implements `ports.timeline.HistoryStore`."""

from functools import partial
from typing import Final

from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import (
    LAST_BEAT,
    read_fact,
    seal,
    sealed,
    to_row,
    write_fact,
)
from trust_runtime.contracts.history import STATES_KEPT, RecordedState
from trust_runtime.contracts.timeline import KEPT_NS

_TABLE: Final = "state_history"


class SqliteHistory:
    """Keyframes and the steps between them."""

    def __init__(self, database: Database, *, kept_max: int = STATES_KEPT) -> None:
        self._database = database
        self._kept_max = kept_max

    async def record(self, entry: RecordedState) -> int:
        """See `HistoryStore.record`."""
        return await self._database.write(partial(_record, entry=entry, kept_max=self._kept_max))

    async def until(self, at_ns: int) -> tuple[RecordedState, ...]:
        """See `HistoryStore.until`."""
        return await self._database.read(partial(_until, at_ns=at_ns))

    async def beat(self, at_ns: int) -> None:
        """See `HistoryStore.beat`."""
        await self._database.write(lambda access: write_fact(access.connection, LAST_BEAT, at_ns))

    async def last_beat_ns(self) -> int:
        """See `HistoryStore.last_beat_ns`."""
        found = await self._database.read(
            lambda access: read_fact(access.connection, LAST_BEAT, int)
        )
        return found or 0


def _record(access: Access, entry: RecordedState, kept_max: int) -> int:
    connection = access.connection
    (newest, newest_ns) = connection.execute(
        "SELECT coalesce(max(seq), 0), coalesce(max(at_ns), 0) FROM state_history"
    ).fetchone()
    text = to_row(entry)
    placed_ns = max(entry.at_ns, int(newest_ns))
    # A wall clock that stepped back must not put an entry before the one it continues.
    connection.execute(
        "INSERT INTO state_history VALUES (?, ?, ?, ?, ?)",
        (
            *(newest + 1, placed_ns, int(entry.whole is not None)),
            *(text, seal(_TABLE, text)),
        ),
    )
    connection.execute("DELETE FROM state_history WHERE seq <= ?", (newest + 1 - kept_max,))
    connection.execute(
        "DELETE FROM state_history WHERE at_ns < ? AND seq IN"
        " (SELECT seq FROM state_history ORDER BY seq LIMIT 256)",
        (entry.at_ns - KEPT_NS,),
    )
    write_fact(connection, LAST_BEAT, entry.at_ns)
    return placed_ns


def _until(access: Access, at_ns: int) -> tuple[RecordedState, ...]:
    rows = access.connection.execute(
        "SELECT record, seal FROM state_history WHERE at_ns <= ?1 AND seq >="
        " (SELECT coalesce(max(seq), 0) FROM state_history WHERE at_ns <= ?1 AND is_whole = 1)"
        " ORDER BY seq",
        (at_ns,),
    )
    return tuple(sealed(_TABLE, row, RecordedState) for row in rows.fetchall())
