"""Opens `state.db` and gives it its faces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trust_runtime.adapters.sqlite.action_rows import SqliteActionRows
from trust_runtime.adapters.sqlite.audit import SqliteAuditLog
from trust_runtime.adapters.sqlite.config import SqliteConfigStore
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.heads import SqliteHeads
from trust_runtime.adapters.sqlite.history import SqliteHistory
from trust_runtime.adapters.sqlite.ledger import SqliteLedger
from trust_runtime.adapters.sqlite.links import SqliteLinks
from trust_runtime.adapters.sqlite.pairings import SqlitePairings
from trust_runtime.adapters.sqlite.peers import SqlitePeers
from trust_runtime.adapters.sqlite.rows import RowDamaged, read_head
from trust_runtime.adapters.sqlite.state_file import open_file, open_file_to_read
from trust_runtime.adapters.sqlite.timeline import SqliteTimeline
from trust_runtime.adapters.sqlite.verification import verify_newest
from trust_runtime.contracts.audit import EMPTY_CHAIN, ChainHead
from trust_runtime.contracts.errors import StoreFailed


@dataclass(frozen=True, kw_only=True)
class SqliteStore:
    """Everything durable; they share one connection, so that they commit together."""

    audit: SqliteAuditLog
    ledger: SqliteLedger
    config: SqliteConfigStore
    peers: SqlitePeers
    timeline: SqliteTimeline
    history: SqliteHistory
    heads: SqliteHeads
    action_rows: SqliteActionRows
    links: SqliteLinks
    pairings: SqlitePairings
    database: Database

    async def close(self) -> None:
        """Let waiting calls end and close the file; safe to call twice."""
        await self.database.close()


async def open_store(
    path: Path,
    *,
    read_only: bool = False,
    on_failure: Callable[[StoreFailed], None] | None = None,
) -> SqliteStore:
    """Open the state file; make it when missing, unless `read_only`.

    Args:
        path: `PROJECT/.trust/state.db`; the caller holds `PROJECT/.trust/lock`.
        read_only: for commands while no process runs. Nothing is judged beforehand, and a file
            that cannot be opened is no exception here: every call raises StoreFailed, and
            `audit.verify` reports it.
        on_failure: told once, on the event loop, when the store fails for good while it is open.

    Raises:
        StoreFailed: the file is damaged, of a newer version, in use, or cannot be made.
    """
    opener = open_file_to_read if read_only else open_file
    database = Database(path, opener, writable=not read_only, on_failure=on_failure)
    try:
        await database.open(_head_as_found if read_only else verify_newest)
    except StoreFailed:
        if not read_only:
            raise
    return SqliteStore(
        audit=SqliteAuditLog(database),
        ledger=SqliteLedger(database),
        config=SqliteConfigStore(database),
        peers=SqlitePeers(database),
        timeline=SqliteTimeline(database),
        history=SqliteHistory(database),
        heads=SqliteHeads(database),
        action_rows=SqliteActionRows(database),
        links=SqliteLinks(database),
        pairings=SqlitePairings(database),
        database=database,
    )


def _head_as_found(access: Access) -> ChainHead:
    try:
        return read_head(access.connection)
    except RowDamaged:
        return EMPTY_CHAIN
