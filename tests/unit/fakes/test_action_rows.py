"""The store in memory keeps what `ports.action_rows` promises, as the one on disk does."""

import pytest

from fakes.action_rows import FakeActionRows
from fakes.store import FakeAuditLog, FakeStore
from port_contracts.action_rows import ActionRowStoreContract


class MemoryWorld:
    """See `port_contracts.action_rows.World`."""

    def __init__(self) -> None:
        self._store = FakeStore()

    @property
    def action_rows(self) -> FakeActionRows:
        return FakeActionRows(self._store)

    @property
    def audit(self) -> FakeAuditLog:
        return self._store.audit

    async def reopen(self) -> None:
        self._store.disk.crash(keep_unsynced=False)
        self._store = FakeStore(self._store.disk)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestFakeActionRows(ActionRowStoreContract):
    pass
