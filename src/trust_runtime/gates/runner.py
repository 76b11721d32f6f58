"""Runs the cases of a gate, one after the other, whatever becomes of each (17)."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trust_runtime.gates.cases import Bench, CaseFailed, CaseSkipped, Gate, RunCase
from trust_runtime.gates.report import CaseResult, Result, Summary, summarise, write_summary

Tell = Callable[[str], None]
"""Takes one line for people."""


def run_gate(gate: Gate, folder: Path, *, names: Sequence[str] = (), tell: Tell) -> Summary:
    """Run the expected cases, or those in `names`; write the summary and return it.

    A case that is expected but cannot be run fails, and so does one that nobody expects.

    Args:
        gate: what to run.
        folder: where artifacts go; made when missing.
        names: only these, each expected; empty: all.
        tell: takes one line a case.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = _now()
    results: list[CaseResult] = []
    try:
        for name in names or (*gate.expected, *sorted(set(gate.cases) - set(gate.expected))):
            results.append(_run(gate, name, folder))
            one = results[-1]
            reason = "" if one.reason is None else f": {one.reason}"
            tell(f"{one.result:4} {one.name} ({one.duration_ms} ms){reason}")
    finally:
        gate.close()
    summary = summarise(
        gate.name,
        tuple(results),
        expected=len(gate.expected),
        partial=bool(names),
        times=(started, _now()),
    )
    write_summary(folder, summary)
    return summary


def _run(gate: Gate, name: str, folder: Path) -> CaseResult:
    run = gate.cases.get(name)
    if run is None:
        return _not_run(name, "it is expected, and there is no way to run it")
    if name not in gate.expected:
        return _not_run(name, "it is not in the list of expected cases")
    bench = Bench(folder, name)
    bench.log_path.unlink(missing_ok=True)
    bench.say(f"{name}, {_now()}")
    started_ns = time.monotonic_ns()
    result, reason = _outcome(run, bench)
    return CaseResult(
        name=name,
        result=result,
        duration_ms=(time.monotonic_ns() - started_ns) // 1_000_000,
        artifact=bench.log_path.name,
        reason=reason,
    )


def _outcome(run: RunCase, bench: Bench) -> tuple[Result, str | None]:
    try:
        run(bench)
    except CaseSkipped as skipped:
        bench.say(f"skipped: {skipped}")
        return Result.SKIP, str(skipped)
    except CaseFailed as failed:
        bench.say(f"failed: {failed}")
        return Result.FAIL, str(failed)
    except Exception as error:  # noqa: BLE001 - the next cases run all the same
        bench.say(f"broke: {error!r}")
        return Result.FAIL, f"{type(error).__name__}: {error}"
    return Result.PASS, "; ".join(bench.warnings) or None


def _not_run(name: str, reason: str) -> CaseResult:
    return CaseResult(name=name, result=Result.FAIL, duration_ms=0, artifact="", reason=reason)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
