"""Durations counted in fixed buckets: what they cost does not grow with how many there are."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from trust_runtime.contracts.metrics import Sample
from trust_runtime.contracts.units import NS_PER_S

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds; one more bucket has no bound."""


class Histogram:
    """Counts durations since the start of the process."""

    def __init__(self, bounds_s: Sequence[float] = BOUNDS_S) -> None:
        """Count in buckets up to each of `bounds_s`, ascending, and one beyond."""
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self._sum_ns = 0

    def observe(self, duration_ns: int) -> None:
        """Count one duration; one exactly as long as a bound is within it."""
        self._counts[bisect_left(self._bounds_s, duration_ns / NS_PER_S)] += 1
        self._sum_ns += duration_ns

    def samples(self) -> tuple[Sample, ...]:
        """Return the cumulated buckets, the sum in seconds, and the count."""
        found = []
        total = 0
        for bound, count in zip((*map(str, self._bounds_s), "+Inf"), self._counts, strict=True):
            total += count
            found.append(Sample(suffix="_bucket", labels=(("le", bound),), value=total))
        found.append(Sample(suffix="_sum", value=self._sum_ns / NS_PER_S))
        found.append(Sample(suffix="_count", value=total))
        return tuple(found)
