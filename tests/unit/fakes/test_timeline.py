"""The past in memory keeps what its ports promise, as the one on disk does."""

import pytest

from fakes.heads import FakeHeads
from fakes.store import FakeStore
from fakes.timeline import FakeHistory, FakeTimeline
from port_contracts.past import FEW, HeadStoreContract, HistoryStoreContract, TimelineStoreContract


class MemoryWorld:
    """See `port_contracts.past.World`."""

    def __init__(self) -> None:
        self._open(FakeStore())

    async def reopen(self) -> None:
        self._store.disk.crash(keep_unsynced=False)
        self._open(FakeStore(self._store.disk))

    def _open(self, store: FakeStore) -> None:
        self._store = store
        self.timeline = FakeTimeline(store)
        self.small_timeline = FakeTimeline(store, kept_max=FEW)
        self.history = FakeHistory(store)
        self.small_history = FakeHistory(store, kept_max=FEW)
        self.heads = FakeHeads(store)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestFakeTimeline(TimelineStoreContract):
    pass


class TestFakeHistory(HistoryStoreContract):
    pass


class TestFakeHeads(HeadStoreContract):
    pass
