"""Each workload with a few samples, through the command line and over real processes."""

import json
import subprocess
import sys
from typing import Any

import pytest

from trust_runtime.contracts.errors import ExitCode


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trust_runtime", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def report(*arguments: str) -> dict[str, Any]:
    ran = bench(*arguments, "--output", "json")
    assert ran.returncode == ExitCode.OK, ran.stderr
    shown: dict[str, Any] = json.loads(ran.stdout)["report"]
    return shown


@pytest.mark.parametrize(
    ("arguments", "series", "samples"),
    [
        (("dispatch", "--fanout", "1", "--samples", "8"), "end_to_end_latency", 8),
        (("mesh-zenoh", "--samples", "8"), "pub_sub_latency", 8),
        (("preflight", "--samples", "4"), "targets_200", 4),
        (("preflight-http", "--samples", "128", "--fanout", "1"), "latency", 128),
        (("state-http", "--samples", "128"), "latency", 128),
        (("presence", "--samples", "1"), "killed", 1),
        (("audit", "--samples", "256"), "append_1_writer", 256),
        (("startup", "--samples", "1"), "ready", 1),
    ],
)
def test_a_workload_measures_what_it_says(
    arguments: tuple[str, ...], series: str, samples: int
) -> None:
    shown = report(*arguments)
    assert shown["headline"] == series
    assert shown[series]["samples"] == samples
    assert 0 < shown[series]["min_us"] <= shown[series]["p50_us"] <= shown[series]["max_us"]
    assert sum(bucket["count"] for bucket in shown["histogram"]) == samples
    assert shown["references"]
    assert shown["ratios"]
    for name in ("errors", "loss_count", "reorder_count", "unanswered", "lost", "different_bytes"):
        assert shown.get(name, 0) == 0, (name, shown[name])


def test_a_missed_threshold_is_exit_12_and_the_figures_are_printed() -> None:
    ran = bench("preflight", "--samples", "2", "--max-p95-us", "0")
    assert ran.returncode == ExitCode.TEST
    assert "targets_200" in ran.stdout
    assert "above 0 us" in ran.stderr
