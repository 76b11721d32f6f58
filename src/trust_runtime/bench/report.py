"""What a workload found, and its form as JSON (contract 17.1)."""

from typing import Any

from msgspec import Struct

from trust_runtime.bench.figures import Rate, Ratio, Series, histogram, latency
from trust_runtime.contracts.codec import to_plain


class Options(Struct, frozen=True, kw_only=True):
    """How a workload is run."""

    samples: int
    """Values of each series."""
    fanout: int = 3
    """Targets of a dispatch."""
    payload_bytes: int = 64
    """Size of a message."""


class Report(Struct, frozen=True, kw_only=True):
    """Everything one run found."""

    workload: str
    """Its name on the command line."""
    setting: dict[str, Any]
    """What was chosen: fan-out, sizes, rounds, warm-up."""
    environment: dict[str, Any]
    """Machine and versions."""
    headline: str
    """The series that a threshold judges."""
    series: tuple[Series, ...]
    """The product's values."""
    references: tuple[Series, ...] = ()
    """Values of the same run without the product."""
    rates: tuple[Rate, ...] = ()
    """The product's rates."""
    reference_rates: tuple[Rate, ...] = ()
    """Rates of the same run without the product."""
    ratios: tuple[Ratio, ...] = ()
    """The product beside its references, and beside its goals."""
    counts: dict[str, int] = {}
    """Errors, losses and the like; 0 where nothing of the kind happened."""
    notes: tuple[str, ...] = ()
    """What a reader must know to read the figures right."""

    @property
    def judged(self) -> Series:
        """The headline's series."""
        return next(one for one in self.series if one.name == self.headline)


def to_json(report: Report) -> dict[str, Any]:
    """Return the form `{benchmark, report}`: a latency block for each series."""
    return {
        "benchmark": report.workload,
        "report": {
            **report.setting,
            **{one.name: to_plain(latency(one.values_us)) for one in report.series},
            **{one.name: _rate(one) for one in report.rates},
            "headline": report.headline,
            "histogram": to_plain(histogram(report.judged.values_us)),
            "references": {
                **{one.name: to_plain(latency(one.values_us)) for one in report.references},
                **{one.name: _rate(one) for one in report.reference_rates},
            },
            "ratios": to_plain(report.ratios),
            **report.counts,
            "environment": report.environment,
            "notes": list(report.notes),
        },
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "median_per_s": round(rate.median, 1),
        "rounds_per_s": [round(value, 1) for value in rate.per_s],
    }
