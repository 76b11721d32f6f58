"""Which workloads there are, and what each is run with when nothing is said."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from trust_runtime.bench.report import Options, Report
from trust_runtime.bench.workloads import audit, decision, dispatch, http, mesh, presence, startup


class Workload(Struct, frozen=True, kw_only=True):
    """One workload of the command line."""

    run: Callable[[Options], Report]
    """Runs it."""
    samples: int
    """Samples when none are asked for."""
    payload_bytes: int = 64
    """Size of a message when none is asked for."""
    what: str
    """For people, one line."""


WORKLOADS: Final[Mapping[str, Workload]] = {
    "dispatch": Workload(
        run=dispatch.run,
        samples=1_000,
        payload_bytes=32,
        what="one action from HTTP to its targets and back",
    ),
    "mesh-zenoh": Workload(run=mesh.run, samples=1_000, what="a sample there and back"),
    "preflight": Workload(run=decision.run, samples=200, what="the pure decision, 200 targets"),
    "preflight-http": Workload(
        run=http.run_preflight, samples=2_000, what="preflight over HTTP, recorded"
    ),
    "state-http": Workload(run=http.run_state, samples=4_000, what="`GET state` of 500 runtimes"),
    "presence": Workload(run=presence.run, samples=10, what="a death seen by another runtime"),
    "audit": Workload(run=audit.run, samples=2_000, what="one durable record"),
    "startup": Workload(run=startup.run, samples=10, what="from start to ready"),
}

LATER: Final = (
    *("t0-shm", "mesh-throughput", "convergence", "rollout", "fleet", "scan", "jitter", "ui"),
)
"""Workloads of the design that are not in this version."""
