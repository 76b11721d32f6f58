"""A store in a folder of its own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from port_contracts.past import FEW
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.adapters.sqlite.action_rows import SqliteActionRows
from trust_runtime.adapters.sqlite.audit import SqliteAuditLog
from trust_runtime.adapters.sqlite.config import SqliteConfigStore
from trust_runtime.adapters.sqlite.heads import SqliteHeads
from trust_runtime.adapters.sqlite.history import SqliteHistory
from trust_runtime.adapters.sqlite.ledger import SqliteLedger
from trust_runtime.adapters.sqlite.links import SqliteLinks
from trust_runtime.adapters.sqlite.pairings import SqlitePairings
from trust_runtime.adapters.sqlite.peers import SqlitePeers
from trust_runtime.adapters.sqlite.timeline import SqliteTimeline


class FileWorld:
    """See `port_contracts.store.World` and `port_contracts.past.World`."""

    def __init__(self, path: Path, store: SqliteStore) -> None:
        self._path = path
        self._store = store

    @property
    def audit(self) -> SqliteAuditLog:
        return self._store.audit

    @property
    def ledger(self) -> SqliteLedger:
        return self._store.ledger

    @property
    def config(self) -> SqliteConfigStore:
        return self._store.config

    @property
    def peers(self) -> SqlitePeers:
        return self._store.peers

    @property
    def timeline(self) -> SqliteTimeline:
        return self._store.timeline

    @property
    def small_timeline(self) -> SqliteTimeline:
        return SqliteTimeline(self._store.database, kept_max=FEW)

    @property
    def history(self) -> SqliteHistory:
        return self._store.history

    @property
    def small_history(self) -> SqliteHistory:
        return SqliteHistory(self._store.database, kept_max=FEW)

    @property
    def heads(self) -> SqliteHeads:
        return self._store.heads

    @property
    def action_rows(self) -> SqliteActionRows:
        return self._store.action_rows

    @property
    def links(self) -> SqliteLinks:
        return self._store.links

    @property
    def pairings(self) -> SqlitePairings:
        return self._store.pairings

    async def reopen(self) -> None:
        await self._store.close()
        self._store = await open_store(self._path)

    async def close(self) -> None:
        report = await self._store.audit.verify()
        await self._store.close()
        assert report.problem is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def world(path: Path) -> AsyncGenerator[FileWorld, None]:
    world = FileWorld(path, await open_store(path))
    yield world
    await world.close()
