"""The timeline in `state.db`. Implements `ports.timeline.TimelineStore`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import seal, sealed, to_row
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.timeline import EVENTS_KEPT, KEPT_NS, TimelineEvent, TimelineFilter

LIMIT_MAX: Final = 1_000
_INTEGER_MAX: Final = 2**63 - 1
_TABLE: Final = "timeline"


class SqliteTimeline:
    """Events in the order in which they were kept."""

    def __init__(self, database: Database, *, kept_max: int = EVENTS_KEPT) -> None:
        self._database = database
        self._kept_max = kept_max

    async def append(self, events: Sequence[TimelineEvent], *, now_ns: int) -> int:
        """See `TimelineStore.append`."""
        return await self._database.write(
            partial(_append, events=tuple(events), now_ns=now_ns, kept_max=self._kept_max)
        )

    async def list(self, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
        """See `TimelineStore.list`."""
        if not 1 <= wanted.limit <= LIMIT_MAX:
            raise ContractViolation("limit", wanted.limit, f"1..{LIMIT_MAX}")
        return await self._database.read(partial(_list, wanted=wanted))


def _append(
    access: Access, *, events: tuple[TimelineEvent, ...], now_ns: int, kept_max: int
) -> int:
    connection = access.connection
    (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM timeline").fetchone()
    kept = 0
    for event in events:
        text = to_row(event)
        done = connection.execute(
            "INSERT INTO timeline VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
            (
                *(newest + kept + 1, event.event_id, event.timestamp_ns),
                *(event.category.value, event.runtime_id, text, seal(_TABLE, text)),
            ),
        )
        kept += done.rowcount
    if kept:
        connection.execute("DELETE FROM timeline WHERE seq <= ?", (newest + kept - kept_max,))
        # What was kept before the first one that is young, by clocks that are not ahead: a peer
        # whose clock is years away makes neither its own events go nor those of others.
        connection.execute(
            "DELETE FROM timeline WHERE seq < coalesce((SELECT seq FROM timeline"
            " WHERE +timestamp_ns BETWEEN ? AND ? ORDER BY seq LIMIT 1), ?)",
            (now_ns - KEPT_NS, now_ns, newest + 1),
        )
    return kept


def _list(access: Access, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
    where: list[str] = ["1"]
    values: list[str | int] = []
    if isinstance(wanted.since, str):
        where.append("seq > ?")
        values.append(_seq_of(access, wanted.since))
    elif wanted.since is not None:
        where.append("timestamp_ns > ?")
        values.append(min(wanted.since, _INTEGER_MAX))
    if wanted.until_ns is not None:
        where.append("timestamp_ns <= ?")
        values.append(min(wanted.until_ns, _INTEGER_MAX))
    if wanted.category is not None:
        where.append("category = ?")
        values.append(wanted.category.value)
    if wanted.runtime is not None:
        where.append("runtime_id = ?")
        values.append(wanted.runtime)
    order = "DESC" if wanted.since is None else "ASC"
    query = (
        "SELECT record, seal FROM timeline"  # noqa: S608 - our own words, the values are bound
        f" WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"
    )
    rows = access.connection.execute(query, (*values, wanted.limit)).fetchall()
    events = [sealed(_TABLE, row, TimelineEvent) for row in rows]
    return tuple(reversed(events)) if wanted.since is None else tuple(events)


def _seq_of(access: Access, event_id: str) -> int:
    row = access.connection.execute(
        "SELECT seq FROM timeline WHERE event_id = ?", (event_id,)
    ).fetchone()
    if row is None:
        raise ContractViolation("since", event_id, "the id of an event that is kept here")
    return int(row[0])
