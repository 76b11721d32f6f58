import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.bench.figures import (
    BOUNDS_US,
    Rate,
    at_least,
    at_most,
    histogram,
    jitter,
    latency,
    percentile,
)

VALUES = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("count", "percent", "rank"),
    [
        (1, 1, 1),
        (1, 50, 1),
        (1, 99, 1),
        (2, 50, 1),
        (2, 51, 2),
        (3, 50, 2),
        (100, 1, 1),
        (100, 50, 50),
        (100, 95, 95),
        (100, 99, 99),
        (100, 100, 100),
        (101, 99, 100),
        (20, 95, 19),
        (21, 95, 20),
    ],
)
def test_percentiles_are_nearest_rank(count: int, percent: int, rank: int) -> None:
    values = [float(number) for number in range(1, count + 1)]
    assert percentile(values[::-1], percent) == rank


@given(VALUES, st.integers(min_value=1, max_value=100))
@settings(max_examples=60)
def test_a_percentile_was_measured_and_has_its_share_below(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


@given(VALUES)
@settings(max_examples=40)
def test_a_latency_is_in_order(values: list[float]) -> None:
    found = latency(values)
    steps = [found.min_us, found.p50_us, found.p95_us, found.p99_us, found.max_us]
    assert steps == sorted(steps)
    assert found.samples == len(values)


def test_a_value_on_a_bound_is_below_it_and_one_above_is_not() -> None:
    found = histogram([5.0, 5.1, 10.0, 10_000.0, 10_000.1])
    counts = {bucket.le_us: bucket.count for bucket in found}
    assert (counts[5], counts[10], counts[10_000], counts[None]) == (1, 2, 1, 1)
    assert [bucket.le_us for bucket in found] == [*BOUNDS_US, None]


@given(VALUES)
@settings(max_examples=40)
def test_a_histogram_has_every_value_once(values: list[float]) -> None:
    found = histogram(values)
    assert sum(bucket.count for bucket in found) == len(values)
    assert found[0].count == sum(value <= BOUNDS_US[0] for value in values)


def test_jitter_is_the_step_from_one_value_to_the_next() -> None:
    assert jitter([3.0, 5.0, 4.0]) == (2.0, 1.0)
    assert jitter([3.0]) == ()


@pytest.mark.parametrize(
    ("value", "below", "above"), [(2.99, True, False), (3.0, True, True), (3.01, False, True)]
)
def test_a_goal_is_met_up_to_its_bound(value: float, *, below: bool, above: bool) -> None:
    assert at_most("x", value, 3).met is below
    assert at_least("x", value, 3).met is above


def test_a_goal_is_judged_before_it_is_rounded() -> None:
    shown = at_most("x", 3.004, 3)
    assert (shown.value, shown.met, shown.goal) == (3.0, False, "<= 3")
    assert at_least("x", 1.0, 1_500_000).goal == ">= 1500000"
    assert at_least("x", 1.0, 0.7).goal == ">= 0.7"


def test_the_rate_shown_is_the_middle_round() -> None:
    rounds = (30.0, 10.0, 20.0)
    assert Rate(name="r", per_s=rounds).median == statistics.median(rounds)
