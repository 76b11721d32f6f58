"""Figures, the goals they are held against, and how they are printed."""

import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the report."""

    name: str
    """What was measured."""
    found: str
    """The figure and its unit."""
    goal: str
    """What it has to be; empty where it is only told."""
    ok: bool = True
    """Whether the goal is met."""


def times_figure(name: str, seconds: Sequence[float], *, median_s_max: float) -> Figure:
    """Return the median, 95th percentile and maximum of some times; the median is judged."""
    return Figure(
        name, spread(seconds), f"median <= {median_s_max:g} s", median(seconds) <= median_s_max
    )


def worst_figure(name: str, seconds: Sequence[float], *, s_max: float) -> Figure:
    """Return the same; the longest is judged."""
    return Figure(name, spread(seconds), f"all <= {s_max:g} s", max(seconds, default=0.0) <= s_max)


def spread(seconds: Sequence[float]) -> str:
    """Return median, 95th percentile and maximum as one text."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return (
        f"median {median(ordered):.3f} s, p95 {p95:.3f} s, max {ordered[-1]:.3f} s"
        f" of {len(ordered)}"
    )


def median(seconds: Sequence[float]) -> float:
    """Return the median; of nothing it is infinite, so that no goal is met by it."""
    return statistics.median(seconds) if seconds else float("inf")


def print_table(figures: Iterable[Figure]) -> bool:
    """Print all lines aligned; return whether every goal is met."""
    rows = [(f.name, f.found, f.goal, "ok" if f.ok else "MISSED") for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        tell("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))
    return all(row[3] == "ok" for row in rows)


def tell(line: str) -> None:
    """Print one line at once, so that a long run can be followed."""
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()
