"""From measured values to figures: nearest-rank percentiles, histograms, ratios. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

BOUNDS_US: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)
"""Upper bounds of a histogram's buckets (contract 17.1); what is above them is overflow."""

_PERCENT: Final = 100


class Latency(Struct, frozen=True, kw_only=True):
    """A distribution in short (contract 17.1), in microseconds."""

    samples: int
    """How many values."""
    min_us: float
    """The least."""
    p50_us: float
    """Half of the values are not above it."""
    p95_us: float
    """95 of 100 are not above it."""
    p99_us: float
    """99 of 100 are not above it."""
    max_us: float
    """The greatest."""


class Bucket(Struct, frozen=True, kw_only=True):
    """One bar of a histogram."""

    le_us: int | None
    """Upper bound, itself included; None for the overflow."""
    count: int
    """Values above the bound before it and not above this one."""


class Series(Struct, frozen=True, kw_only=True):
    """Values of one kind, in the order they were measured."""

    name: str
    """What was measured; the member of the report."""
    values_us: tuple[float, ...]
    """Microseconds each."""


class Rate(Struct, frozen=True, kw_only=True):
    """How many of a kind a second, in each round."""

    name: str
    """What was counted."""
    per_s: tuple[float, ...]
    """One value a round."""

    @property
    def median(self) -> float:
        """The middle round."""
        return percentile(self.per_s, 50)


class Ratio(Struct, frozen=True, kw_only=True):
    """The product beside its reference."""

    name: str
    """What is divided by what."""
    value: float
    """Product divided by reference."""
    goal: str
    """What it should be, as the design says it."""
    met: bool
    """Whether it is."""


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile: a value that was measured, never one in between.

    Args:
        values: at least one, in any order.
        percent: 1..100.
    """
    rank = -(-len(values) * percent // _PERCENT)
    return sorted(values)[max(rank, 1) - 1]


def latency(values_us: Sequence[float]) -> Latency:
    """Return the distribution of at least one value, to a tenth of a microsecond."""
    return Latency(
        samples=len(values_us),
        min_us=round(min(values_us), 1),
        p50_us=round(percentile(values_us, 50), 1),
        p95_us=round(percentile(values_us, 95), 1),
        p99_us=round(percentile(values_us, 99), 1),
        max_us=round(max(values_us), 1),
    )


def histogram(values_us: Sequence[float]) -> tuple[Bucket, ...]:
    """Return how many values fall into each bucket; a value on a bound belongs below it."""
    counts = [0] * (len(BOUNDS_US) + 1)
    for value in values_us:
        counts[sum(value > bound for bound in BOUNDS_US)] += 1
    return tuple(
        Bucket(le_us=bound, count=count)
        for bound, count in zip((*BOUNDS_US, None), counts, strict=True)
    )


def jitter(values_us: Sequence[float]) -> tuple[float, ...]:
    """Return how far each value is from the one before it."""
    return tuple(abs(after - before) for before, after in pairwise(values_us))


def _number(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def at_most(name: str, value: float, limit: float, *, digits: int = 2) -> Ratio:
    """Return a ratio that should not be above `limit`."""
    return Ratio(
        name=name, value=round(value, digits), goal=f"<= {_number(limit)}", met=value <= limit
    )


def at_least(name: str, value: float, limit: float, *, digits: int = 2) -> Ratio:
    """Return a ratio that should not be below `limit`."""
    return Ratio(
        name=name, value=round(value, digits), goal=f">= {_number(limit)}", met=value >= limit
    )
