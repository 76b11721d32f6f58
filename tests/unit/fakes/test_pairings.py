"""The store in memory keeps what `ports.pairings` promises, as the one on disk does."""

import pytest

from fakes.pairings import FakePairings
from fakes.store import FakeAuditLog, FakeStore
from port_contracts.pairings import PairingStoreContract


class MemoryWorld:
    """See `port_contracts.pairings.World`."""

    def __init__(self) -> None:
        self._store = FakeStore()

    @property
    def pairings(self) -> FakePairings:
        return FakePairings(self._store)

    @property
    def audit(self) -> FakeAuditLog:
        return self._store.audit

    async def reopen(self) -> None:
        self._store.disk.crash(keep_unsynced=False)
        self._store = FakeStore(self._store.disk)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestFakePairings(PairingStoreContract):
    pass
