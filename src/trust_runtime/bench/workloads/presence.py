"""`presence`: how long until a runtime that died, or froze, is no longer shown as online.

Killed with SIGKILL, or stopped with SIGSTOP; seen in `GET state` of another runtime. Reference: a
plain Zenoh process that holds a liveliness token is killed, seen in a plain callback.
"""

import signal
import time
from typing import Final

from trust_runtime.bench.client import Client
from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Series, at_most, percentile
from trust_runtime.bench.processes import Place, Runtime, free_port, online, place, until
from trust_runtime.bench.report import Options, Report

DEAD_US: Final = 250_000
FROZEN_US: Final = 2_500_000
_NS_PER_US: Final = 1_000


def run(options: Options) -> Report:
    """Measure as many deaths and freezes as samples are asked for."""
    killed: list[float] = []
    frozen: list[float] = []
    raw: list[float] = []
    with place() as here:
        first = here.runtime("runtime-0").start()
        first.until_ready()
        watcher = here.client(first.web_port)
        other = here.runtime("runtime-1", connect=[first.mesh_port])
        for _ in range(options.samples):
            killed.append(_lost_us(watcher, other, signal.SIGKILL))
            raw.append(_raw_us(here))
            frozen.append(_lost_us(watcher, other, signal.SIGSTOP))
    return Report(
        workload="presence",
        setting={"runtimes": 2, "warm_up": "none: every sample is a new process"},
        environment=environment(),
        headline="killed",
        series=(
            Series(name="killed", values_us=tuple(killed)),
            Series(name="frozen", values_us=tuple(frozen)),
        ),
        references=(Series(name="raw_liveliness", values_us=tuple(raw)),),
        ratios=(
            at_most("p99 us of a death", percentile(killed, 99), DEAD_US, digits=0),
            at_most("p99 us of a freeze", percentile(frozen, 99), FROZEN_US, digits=0),
        ),
        notes=("Seen by asking for the state; it is built at most ten times a second.",),
    )


def _lost_us(watcher: Client, other: Runtime, number: signal.Signals) -> float:
    other.start().until_ready()
    until(lambda: other.id in online(watcher), what=f"{other.id} to be online")
    started = time.monotonic_ns()
    other.send_signal(number)
    until(lambda: other.id not in online(watcher), what=f"{other.id} to be missed")
    took = time.monotonic_ns() - started
    other.kill()
    return took / _NS_PER_US


def _raw_us(here: Place) -> float:
    port = free_port()
    holder = here.reference("zenoh_peer", "serve", port, 0)
    holder.hear()
    watcher = here.reference("zenoh_peer", "watch", port)
    watcher.hear()
    started = time.monotonic_ns()
    holder.process.kill()
    down_ns = int(watcher.hear().split()[1])  # One clock for all processes of the machine.
    watcher.process.terminate()
    return (down_ns - started) / _NS_PER_US
