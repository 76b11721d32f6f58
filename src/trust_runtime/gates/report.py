"""What a gate writes down, also when it fails: `summary.json`, `summary.md` (17)."""

import importlib.metadata
import platform
from enum import StrEnum, unique
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct


@unique
class Result(StrEnum):
    """How a case, or a whole gate, ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"
    PARTIAL = "partial"


class CaseResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one case ended."""

    name: str
    """As listed."""
    result: Result
    """`pass`, `fail` or `skip`."""
    duration_ms: int
    """By the monotonic clock."""
    artifact: str
    """Its log, relative to the summary."""
    reason: str | None = None
    """Why it did not pass, or what it warns of."""


class Summary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`summary.json`."""

    gate: str
    """Its name."""
    result: Result
    """`partial` when only some cases were asked for, however they ended; else `pass` or `fail`."""
    cases_expected: int
    """How many the list has."""
    cases_run: int
    """How many were started."""
    cases_passed: int
    """Of those."""
    cases_failed: int
    """Of those, and expected ones that cannot be run."""
    cases_skipped: int
    """A skipped case makes the gate fail."""
    cases: tuple[CaseResult, ...]
    """In the order of the list."""
    host: str
    """Of this run."""
    python: str
    """Version."""
    zenoh: str
    """Version of the installed library."""
    started_at: str
    """UTC, RFC 3339."""
    finished_at: str
    """UTC, RFC 3339."""


def summarise(
    gate: str,
    results: tuple[CaseResult, ...],
    *,
    expected: int,
    partial: bool,
    times: tuple[str, str],
) -> Summary:
    """Return the summary of a run.

    Args:
        gate: its name.
        results: of every case that was run or could not be.
        expected: how many the fixed list has.
        partial: whether only some were asked for.
        times: when it started and finished.
    """
    count = {kind: sum(one.result is kind for one in results) for kind in Result}
    passed = bool(results) and count[Result.PASS] == len(results) == expected
    whole = Result.PASS if passed else Result.FAIL
    return Summary(
        gate=gate,
        result=Result.PARTIAL if partial else whole,
        cases_expected=expected,
        cases_run=sum(bool(one.artifact) for one in results),
        cases_passed=count[Result.PASS],
        cases_failed=count[Result.FAIL],
        cases_skipped=count[Result.SKIP],
        cases=results,
        host=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        zenoh=_zenoh(),
        started_at=times[0],
        finished_at=times[1],
    )


def write_summary(folder: Path, summary: Summary) -> None:
    """Write both forms."""
    data: Any = msgspec.to_builtins(summary)
    (folder / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=2))
    counts = (
        f"{summary.cases_passed} of {summary.cases_expected} passed,"
        f" {summary.cases_failed} failed, {summary.cases_skipped} skipped"
    )
    lines = [
        f"# {summary.gate}: {summary.result}",
        "",
        counts,
        "",
        "| Case | Result | ms | |",
        "|---|---|---|---|",
        *(
            f"| {one.name} | {one.result} | {one.duration_ms} | {one.reason or ''} |"
            for one in summary.cases
        ),
    ]
    (folder / "summary.md").write_text("\n".join(lines) + "\n")


def _zenoh() -> str:
    try:
        return importlib.metadata.version("eclipse-zenoh")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
