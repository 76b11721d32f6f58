"""The store in memory keeps what `ports.links` promises, as the one on disk does."""

import pytest

from fakes.links import FakeLinks
from fakes.store import FakeAuditLog, FakeStore
from port_contracts.links import LinkStoreContract


class MemoryWorld:
    """See `port_contracts.links.World`."""

    def __init__(self) -> None:
        self._store = FakeStore()

    @property
    def links(self) -> FakeLinks:
        return FakeLinks(self._store)

    @property
    def audit(self) -> FakeAuditLog:
        return self._store.audit

    async def reopen(self) -> None:
        self._store.disk.crash(keep_unsynced=False)
        self._store = FakeStore(self._store.disk)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestFakeLinks(LinkStoreContract):
    pass
