"""A store in memory of which a test says when a write fails, and how long a sync takes."""

from collections.abc import Callable
from typing import TypeVar

from fakes.disk import Disk, State
from fakes.store import FULL, FakeStore
from trust_runtime.contracts.audit import AuditRecord
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.units import MS_PER_S

T = TypeVar("T")


class FailingStore(FakeStore):
    """A store whose disk is full at one of its writes, counted from `fail_write`."""

    def __init__(self, disk: Disk | None = None) -> None:
        super().__init__(disk, sync_s=lambda: self.sync_ms / MS_PER_S)
        self.sync_ms = 0
        self.writes = 0
        self._failing = 0

    def fail_write(self, number: int) -> None:
        """Have the write that is `number`-th from now fail (1: the next); 0: none."""
        self.writes = 0
        self._failing = number

    async def write(self, work: Callable[[State], T]) -> T:
        self.writes += 1
        if self.writes == self._failing:
            raise StoreFailed(*FULL)
        return await super().write(work)

    @property
    def durable(self) -> list[AuditRecord]:
        """The records that are on the disk at this moment, oldest first."""
        return self.disk.synced.records
