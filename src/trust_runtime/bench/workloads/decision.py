"""`preflight`: the pure decision in one process, for 1, 10 and 200 targets.

Reference: a loop that looks every target up in a dictionary; it shows growth, not a level to reach.
"""

import time
from typing import Final

from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Series, at_most, percentile
from trust_runtime.bench.report import Options, Report
from trust_runtime.bench.samples import peer_ids
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.policy import Caller, Profile, Role
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.policy.case import ConfigFacts, DecisionFacts, PeerFacts
from trust_runtime.core.policy.preflight import decide

WARM_UP: Final = 32
SIZES: Final = (1, 10, 200)
PEERS: Final = 500
_P99_US: Final = 5_000
_GROWTH: Final = 2.0
_OWN: Final = RuntimeId("runtime-0")


def run(options: Options) -> Report:
    """Measure decisions about targets in a fleet of 500."""
    caller = Caller(identity="local://admin", role=Role.ADMIN)
    facts = _facts()
    requests = {size: _request(size) for size in SIZES}
    decided: dict[int, list[float]] = {size: [] for size in SIZES}
    processor: list[float] = []
    looked_up: dict[int, list[float]] = {size: [] for size in SIZES}
    different = 0
    first = {size: encode_json(decide(asked, caller, facts)) for size, asked in requests.items()}
    for number in range(-WARM_UP, options.samples):
        for size, asked in requests.items():
            worked, started = time.thread_time_ns(), time.perf_counter_ns()
            decision = decide(asked, caller, facts)
            took, worked = time.perf_counter_ns() - started, time.thread_time_ns() - worked
            different += encode_json(decision) != first[size]
            plain = _looked_up_ns(asked, facts)
            if number >= 0:
                decided[size].append(took / 1_000)
                looked_up[size].append(plain / 1_000)
            if number >= 0 and size == SIZES[-1]:
                processor.append(worked / 1_000)
    least, most = SIZES[1], SIZES[-1]
    growth = percentile(decided[most], 50) / percentile(decided[least], 50) / (most / least)
    return Report(
        workload="preflight",
        setting={"peers": PEERS, "targets": list(SIZES), "warm_up": WARM_UP},
        environment=environment(),
        headline=f"targets_{most}",
        series=(
            *(Series(name=f"targets_{size}", values_us=tuple(decided[size])) for size in SIZES),
            Series(name=f"processor_{most}", values_us=tuple(processor)),
        ),
        references=tuple(
            Series(name=f"look_ups_{size}", values_us=tuple(looked_up[size])) for size in SIZES
        ),
        ratios=(
            at_most(f"p99 us at {most} targets", percentile(decided[most], 99), _P99_US, digits=0),
            at_most("p99 us of processor time", percentile(processor, 99), _P99_US, digits=0),
            at_most(f"growth from {least} to {most} targets / linear", growth, _GROWTH),
        ),
        counts={"different_bytes": different},
        notes=(
            "Equal facts must give equal bytes: different_bytes counts the answers that differ.",
            "Processor time leaves out what other processes took in between.",
        ),
    )


def _looked_up_ns(asked: ActionRequest, facts: DecisionFacts) -> int:
    started = time.perf_counter_ns()
    missing = 0
    for text in asked.target_runtimes:
        if facts.peers.get(RuntimeId(text)) is None:
            missing += 1
    took = time.perf_counter_ns() - started
    if missing:
        raise StartRefused(f"{missing} targets of the benchmark are unknown", "report this fault")
    return took


def _facts() -> DecisionFacts:
    return DecisionFacts(
        own=_OWN,
        site=SiteName("default-site"),
        profile=Profile.DEV,
        config=ConfigFacts(file_values={}, document={}),
        peers={
            runtime_id: PeerFacts(target_state=TargetState.REACHABLE, debug_enabled=False)
            for runtime_id in peer_ids(PEERS)
        },
    )


def _request(size: int) -> ActionRequest:
    return ActionRequest(
        api_version=API_VERSION,
        request_id="bench-preflight",
        connected_via=_OWN,
        target_runtimes=list(peer_ids(size)),
        actor="spiffe://trust/default-site/bench",
        action_type="status_read",
    )
