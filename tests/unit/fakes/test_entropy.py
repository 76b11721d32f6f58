import pytest

from fakes.clock import FakeClock
from fakes.entropy import FakeEntropy
from port_contracts.entropy import EntropyContract


@pytest.fixture
def entropy() -> FakeEntropy:
    return FakeEntropy(FakeClock())


class TestFakeEntropy(EntropyContract):
    pass


def drawn(seed: int) -> list[object]:
    entropy = FakeEntropy(FakeClock(), seed)
    return [entropy.uuid7(), entropy.uuid7(), entropy.fraction()]


def test_equal_seeds_give_equal_values_and_others_do_not() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_later_ids_sort_later_when_the_wall_clock_steps_back() -> None:
    clock = FakeClock()
    entropy = FakeEntropy(clock)
    first = entropy.uuid7()
    clock.step_wall_ms(-5_000)
    assert entropy.uuid7() > first
