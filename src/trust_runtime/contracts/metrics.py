"""What is measured, as it is told to whoever scrapes it (contract 6.19)."""

from enum import StrEnum, unique

from msgspec import Struct


@unique
class MetricKind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


class Sample(Struct, frozen=True, kw_only=True):
    """One number."""

    suffix: str = ""
    """What follows the metric's name: `_bucket`, `_sum`, `_count` of a histogram."""

    labels: tuple[tuple[str, str], ...] = ()
    """Names and values, in the order they are shown."""

    value: float
    """In the unit that ends the metric's name."""


class Metric(Struct, frozen=True, kw_only=True):
    """One metric with all its samples."""

    name: str
    """As in contract 6.19, `trust_cloud_peers` for example."""

    help: str
    """What it counts or measures, one sentence."""

    kind: MetricKind
    """How it behaves."""

    samples: tuple[Sample, ...]
    """In the order they are shown; empty while nothing was measured."""
