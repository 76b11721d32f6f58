from threading import Thread
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from port_contracts.entropy import EntropyContract
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.entropy import SystemEntropy
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs, WallNs


class SetClock:
    """A wall clock that says what it is told to."""

    def __init__(self, wall_ms: int = 0) -> None:
        self.wall_ms = wall_ms

    def monotonic_ns(self) -> MonotonicNs:
        return MonotonicNs(0)

    def wall_ns(self) -> WallNs:
        return WallNs(self.wall_ms * NS_PER_MS)


@given(st.lists(st.integers(0, (1 << 48) - 2), min_size=2, max_size=50))
def test_later_ids_sort_later_whatever_the_wall_clock_does(readings_ms: list[int]) -> None:
    clock = SetClock()
    entropy = SystemEntropy(clock)
    ids = []
    for clock.wall_ms in readings_ms:
        ids.append(entropy.uuid7())

    assert ids == sorted(set(ids))


def test_the_layout_is_that_of_version_7() -> None:
    wall_ms = 0x0199_1234_5678
    made = UUID(SystemEntropy(SetClock(wall_ms)).uuid7())

    assert made.int >> 80 == wall_ms
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_a_full_random_part_borrows_from_the_next_millisecond() -> None:
    entropy = SystemEntropy(SetClock(5))
    first = entropy.uuid7()
    entropy._last_chance = (1 << 74) - 1

    second = entropy.uuid7()

    assert second > first
    assert UUID(second).int >> 80 == 6


def test_ids_are_unique_across_threads() -> None:
    entropy = SystemEntropy(SystemClock())
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [
        Thread(target=lambda mine=mine: mine.extend(entropy.uuid7() for _ in range(500)))
        for mine in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for mine in made for one in mine}) == 2_000
    assert all(mine == sorted(mine) for mine in made)


def test_fractions_lie_between_zero_and_one_and_differ() -> None:
    entropy = SystemEntropy(SystemClock())

    drawn = [entropy.fraction() for _ in range(1_000)]

    assert all(0 <= one < 1 for one in drawn)
    assert len(set(drawn)) > 990
    assert min(drawn) < 0.1
    assert max(drawn) > 0.9


@pytest.fixture
def entropy() -> SystemEntropy:
    return SystemEntropy(SystemClock())


class TestSystemEntropy(EntropyContract):
    pass
