"""Reports with made-up values, for tests of how they are shown."""

from collections.abc import Sequence

from trust_runtime.bench.figures import Rate, Ratio, Series, at_least, at_most
from trust_runtime.bench.report import Report

VALUES = (5.0, 10.0, 10.1, 20.0)


def report(
    workload: str = "dispatch",
    *,
    values: Sequence[float] = VALUES,
    references: Sequence[str] = ("sum",),
    ratios: Sequence[Ratio] | None = None,
) -> Report:
    """Return a report with one series, a reference for each name, and two verdicts."""
    shown = (at_most("p50 / sum", 4.891, 3), at_least("rate", 2_000_000, 1_500))
    return Report(
        workload=workload,
        setting={"fanout": 3, "warm_up": 32},
        environment={
            "trust_runtime": "0.1.0",
            "python": "3.11.7",
            "zenoh": "1.7.2",
            "system": "Linux 6 x86_64",
            "cpus": 2,
            "load_1min": 0.5,
        },
        headline="latency",
        series=(Series(name="latency", values_us=tuple(values)),),
        references=tuple(Series(name=name, values_us=(1.0, 2.0)) for name in references),
        rates=(Rate(name="requests", per_s=(30.0, 10.0, 20.0)),),
        reference_rates=(Rate(name="plain_requests", per_s=(40.0,)),),
        ratios=shown if ratios is None else tuple(ratios),
        counts={"errors": 0},
        notes=("a note",),
    )
