"""`services.histogram`: every duration is counted once, in the narrowest bucket that holds it."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.contracts.metrics import Sample
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.services.histogram import BOUNDS_S, Histogram


def values(histogram: Histogram, suffix: str) -> list[float]:
    return [sample.value for sample in histogram.samples() if sample.suffix == suffix]


@pytest.mark.parametrize(
    ("duration_ns", "buckets"),
    [
        (0, [1, 1, 1]),
        (1_000_000, [1, 1, 1]),
        (1_000_001, [0, 1, 1]),
        (2_000_000, [0, 1, 1]),
        (2_000_001, [0, 0, 1]),
    ],
)
def test_a_bound_belongs_to_its_bucket(duration_ns: int, buckets: Sequence[int]) -> None:
    histogram = Histogram((0.001, 0.002))
    histogram.observe(duration_ns)
    assert values(histogram, "_bucket") == list(buckets)


def test_an_empty_one_says_so() -> None:
    samples = Histogram((1.0,)).samples()
    assert samples == (
        Sample(suffix="_bucket", labels=(("le", "1.0"),), value=0),
        Sample(suffix="_bucket", labels=(("le", "+Inf"),), value=0),
        Sample(suffix="_sum", value=0),
        Sample(suffix="_count", value=0),
    )


def test_bounds_ascend() -> None:
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))


@given(st.lists(st.integers(0, 20 * NS_PER_S), max_size=30))
@settings(max_examples=60)
def test_counts_sum_and_buckets_agree_with_the_list(durations: list[int]) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.observe(duration)
    inside = [sum(d / NS_PER_S <= bound for d in durations) for bound in BOUNDS_S]
    assert values(histogram, "_bucket") == [*inside, len(durations)]
    assert values(histogram, "_count") == [len(durations)]
    assert values(histogram, "_sum") == [sum(durations) / NS_PER_S]
