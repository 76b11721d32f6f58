"""`startup`: from the start of the process to the first 200 of `/readyz`, and its memory then.

Reference: the interpreter alone, `python -c pass`.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Series, at_most, percentile
from trust_runtime.bench.processes import Runtime, place
from trust_runtime.bench.report import Options, Report

GOAL_US: Final = 1_500_000
RSS_MIB: Final = 120
_KIB_PER_MIB: Final = 1_024


def run(options: Options) -> Report:
    """Measure as many starts as samples are asked for; the first one also creates the identity."""
    ready: list[float] = []
    interpreter: list[float] = []
    memory: list[float] = []
    with place() as here:
        runtime = here.runtime("runtime-0")
        for _ in range(options.samples + 1):
            started = time.perf_counter_ns()
            runtime.start().until_ready()
            ready.append((time.perf_counter_ns() - started) / 1_000)
            memory += _rss_mib(runtime)
            runtime.kill()
            started = time.perf_counter_ns()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            interpreter.append((time.perf_counter_ns() - started) / 1_000)
    del ready[0], interpreter[0]
    return Report(
        workload="startup",
        setting={"warm_up": 1, "rss_mib_max": round(max(memory), 1) if memory else None},
        environment=environment(),
        headline="ready",
        series=(Series(name="ready", values_us=tuple(ready)),),
        references=(Series(name="interpreter", values_us=tuple(interpreter)),),
        ratios=(
            at_most("p95 us to ready", percentile(ready, 95), GOAL_US, digits=0),
            *(
                [at_most("RSS in MiB, without an engine", max(memory), RSS_MIB, digits=1)]
                if memory
                else []
            ),
        ),
        notes=("Killed after each start, so every start also finds an unclean end.",),
    )


def _rss_mib(runtime: Runtime) -> list[float]:
    """Return the resident memory of the process; nothing where the system does not tell it."""
    assert runtime.process is not None  # noqa: S101 - it was just started
    status = Path(f"/proc/{runtime.process.pid}/status")
    if not status.exists():
        return []
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmRSS"))
    return [int(line.split()[1]) / _KIB_PER_MIB]
