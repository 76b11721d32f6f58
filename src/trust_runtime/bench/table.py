"""A report as text for people."""

from collections.abc import Iterable, Sequence
from typing import Final

from trust_runtime.bench.figures import Rate, Series, latency
from trust_runtime.bench.report import Report

_WHOLE_FROM: Final = 1_000
_HEADER: Final = ("us", "samples", "min", "p50", "p95", "p99", "max")


def render(report: Report) -> str:
    """Return the table of one report, ending in a line break."""
    lines = [f"{report.workload}  " + _pairs(report.setting.items())]
    lines += _aligned([_HEADER, *_rows(report.series), *_rows(report.references, "reference ")])
    rates = [
        *((rate.name, rate) for rate in report.rates),
        *((f"reference {rate.name}", rate) for rate in report.reference_rates),
    ]
    if rates:
        lines += ["", *_aligned([("per second", "median", "rounds"), *map(_rate_row, rates)])]
    if report.ratios:
        verdicts = [
            (one.name, plain(one.value), one.goal, "met" if one.met else "MISSED")
            for one in report.ratios
        ]
        lines += ["", *_aligned([("ratio", "value", "goal", ""), *verdicts])]
    if report.counts:
        lines += ["", _pairs(report.counts.items())]
    lines += ["", _pairs(report.environment.items()), *report.notes]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def plain(value: float) -> str:
    """Return a number without exponent: whole from a thousand on, else as short as it is."""
    return f"{value:.0f}" if abs(value) >= _WHOLE_FROM else f"{value:g}"


def _rows(series: Iterable[Series], prefix: str = "") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in series:
        found = latency(one.values_us)
        shown = (found.min_us, found.p50_us, found.p95_us, found.p99_us, found.max_us)
        rows.append((prefix + one.name, str(found.samples), *(f"{value:.1f}" for value in shown)))
    return rows


def _rate_row(named: tuple[str, Rate]) -> tuple[str, ...]:
    name, rate = named
    return name, f"{rate.median:.0f}", " ".join(f"{value:.0f}" for value in rate.per_s)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows with their first column to the left and all others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _pairs(items: Iterable[tuple[str, object]]) -> str:
    return "  ".join(f"{name}={value}" for name, value in items)
