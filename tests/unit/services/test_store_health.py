"""`services.store_health`: a fault is told once and ends only when records are durable again."""

import pytest

from fakes.log import FakeLog
from trust_runtime.contracts.errors import StoreBusy, StoreFailed
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.services.store_health import StoreHealth

FULL = StoreFailed("state.db: the disk is full", "free the disk")


class Watched(StoreHealth):
    """Counts what it tells others, and what it was when it told them."""

    def __init__(self) -> None:
        self.log = FakeLog()
        super().__init__(self.log)
        self.told: list[str | None] = []
        self.on_change = lambda: self.told.append(self.fault)


@pytest.fixture
def health() -> Watched:
    return Watched()


def test_a_new_one_knows_of_no_fault(health: Watched) -> None:
    assert (health.fault, health.remedy) == (None, None)


def test_too_many_reads_are_no_fault(health: Watched) -> None:
    health.failed(StoreBusy("1024 reads wait", "ask again"))
    assert (health.fault, health.told, health.log.lines) == (None, [], [])


def test_a_fault_is_kept_with_its_remedy_and_logged(health: Watched) -> None:
    health.failed(FULL)
    assert (health.fault, health.remedy) == (FULL.reason, FULL.remedy)
    assert [line.level for line in health.log.of("state_store")] == [LogLevel.ERROR]
    assert health.log.lines[0].message == FULL.reason
    assert health.log.lines[0].data == {"remedy": FULL.remedy}
    assert health.told == [FULL.reason]


def test_the_same_fault_again_is_told_nobody(health: Watched) -> None:
    for _ in range(3):
        health.failed(StoreFailed(FULL.reason, FULL.remedy))
    assert len(health.log.lines) == 1
    assert health.told == [FULL.reason]


def test_another_fault_replaces_the_first(health: Watched) -> None:
    health.failed(FULL)
    health.failed(StoreFailed("state.db is damaged", "run with --reset-state"))
    assert (health.fault, health.remedy) == ("state.db is damaged", "run with --reset-state")
    assert health.told == [FULL.reason, "state.db is damaged"]


def test_working_again_ends_the_fault_and_is_told_once(health: Watched) -> None:
    health.failed(FULL)
    health.works()
    health.works()
    assert (health.fault, health.remedy) == (None, None)
    assert [line.level for line in health.log.lines] == [LogLevel.ERROR, LogLevel.INFO]
    assert health.told == [FULL.reason, None]


def test_a_store_that_always_worked_tells_nothing(health: Watched) -> None:
    health.works()
    assert health.log.lines == []
    assert health.told == []


def test_a_fault_after_a_recovery_is_logged_anew(health: Watched) -> None:
    health.failed(FULL)
    health.works()
    health.failed(FULL)
    assert [line.level for line in health.log.lines] == [
        LogLevel.ERROR,
        LogLevel.INFO,
        LogLevel.ERROR,
    ]
