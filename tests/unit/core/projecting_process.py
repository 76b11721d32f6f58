"""A process that projects a fleet whose facts come out of sets: their order is the hash seed's.

Prints the order in which the facts were given, and then the fleet.
"""

from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import BootId, RuntimeId
from trust_runtime.contracts.policy import Caller, Profile, Role
from trust_runtime.contracts.presence import (
    BeaconStatus,
    ConfigReport,
    Lifecycle,
    LinkState,
    MeshReport,
)
from trust_runtime.core.projection import EdgeFacts, NodeFacts, context, feature_flags, project

OWN = RuntimeId("site-b/press-0")
OTHERS = frozenset(
    RuntimeId(f"{site}press-{number}")
    for site in ("", "site-a/", "site-b/")
    for number in (1, 2, 3)
)


def status(host_key: str) -> BeaconStatus:
    """Return the report of a healthy runtime on the host of that key."""
    return BeaconStatus(
        lifecycle="running",
        period_ms=1_000,
        seq=1,
        boot_id=BootId("boot"),
        version="0.1.0",
        api_version="1.0",
        uptime_ms=5,
        health="healthy",
        engine_state="absent",
        profile="dev",
        control_mode="production",
        debug_enabled=False,
        config=ConfigReport(
            state="in_sync",
            desired_revision=2,
            reported_revision=1,
            desired_etag="sha256:00",
            schema="sha256:01",
        ),
        mesh=MeshReport(port=5200, tls=False, role="peer"),
        host_key=host_key,
        audit_head=EMPTY_CHAIN,
    )


def facts(runtime_id: RuntimeId) -> NodeFacts:
    """Return the facts of a trusted, online runtime; its name decides on its host."""
    return NodeFacts(
        runtime_id=runtime_id,
        lifecycle=Lifecycle.ONLINE,
        trust_reason=None,
        last_seen_ns=7,
        status=status(f"host:{runtime_id[-1]}"),
    )


def edge(source: RuntimeId, target: RuntimeId) -> Edge:
    """Return a healthy, measured edge."""
    return Edge(
        source=source,
        target=target,
        channel_type="mesh_t2_ops",
        state=LinkState.HEALTHY,
        stale=False,
        latency_ms_p95=1.5,
        loss_pct=0.0,
        last_ok_ns=3,
    )


def edges(source: RuntimeId) -> EdgeFacts:
    """Return edges from one runtime to all others, in the order of the set."""
    return EdgeFacts(
        lifecycle=Lifecycle.ONLINE,
        edges=tuple(edge(source, target) for target in OTHERS if target != source),
    )


def document() -> bytes:
    """Return the fleet as `site-b/press-0` shows it to an engineer."""
    topology = project(facts(OWN), map(facts, OTHERS), map(edges, OTHERS | {OWN}))
    caller = Caller(identity="uid://1", role=Role.ENGINEER)
    return encode_json(
        {
            "context": context(OWN, topology, caller),
            "topology": topology,
            "feature_flags": feature_flags(Profile.DEV),
        }
    )


if __name__ == "__main__":
    print(" ".join(OTHERS))  # noqa: T201 - the test reads it
    print(document().decode())  # noqa: T201 - the test reads it
