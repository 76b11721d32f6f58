"""`core.timeline`: what an operator should read of two states."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.fleet import Edge, Health, Node, Topology, TrustState
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import Lifecycle, LinkState, TrustReason
from trust_runtime.contracts.timeline import Category, Severity
from trust_runtime.core.timeline import Happening, happenings

OWN, OTHER = RuntimeId("runtime-a"), RuntimeId("runtime-b")
NODE = Node(
    runtime_id=OWN,
    site="default-site",
    display_name="runtime-a",
    role="MEMBER",
    lifecycle_state=Lifecycle.ONLINE,
    health_state=Health.HEALTHY,
    trust_state=TrustState.TRUSTED,
    config_state="in_sync",
    last_seen_ns=1,
    boot_id="one",
    desired_revision=3,
    reported_revision=3,
)
PEER = structs.replace(NODE, runtime_id=OTHER, display_name="runtime-b")
EDGE = Edge(
    source=OWN,
    target=OTHER,
    channel_type="mesh_t2_ops",
    state=LinkState.HEALTHY,
    stale=False,
    latency_ms_p95=8.0,
    loss_pct=0.0,
    last_ok_ns=1,
)


def state(*nodes: Node, edges: tuple[Edge, ...] = ()) -> Topology:
    return Topology(nodes=nodes, edges=edges, host_groups=())


def of_peer(before: dict[str, Any], after: dict[str, Any]) -> tuple[Happening, ...]:
    return happenings(
        OWN,
        state(NODE, structs.replace(PEER, **before)),
        state(NODE, structs.replace(PEER, **after)),
    )


def of_own(before: dict[str, Any], after: dict[str, Any]) -> tuple[Happening, ...]:
    return happenings(
        OWN,
        state(structs.replace(NODE, **before), PEER),
        state(structs.replace(NODE, **after), PEER),
    )


def of_edge(before: dict[str, Any], after: dict[str, Any]) -> tuple[Happening, ...]:
    edges = [(structs.replace(EDGE, **one),) for one in (before, after)]
    return happenings(OWN, state(NODE, PEER, edges=edges[0]), state(NODE, PEER, edges=edges[1]))


def told(found: tuple[Happening, ...]) -> list[tuple[Category, Severity, str]]:
    return [(one.category, one.severity, one.summary) for one in found]


COMMUNICATION, SECURITY, CONFIG = Category.COMMUNICATION, Category.SECURITY, Category.CONFIG
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({}, []),
        ({"last_seen_ns": 9, "uptime_ms": 9}, []),
        (
            {"lifecycle_state": Lifecycle.STALE},
            [(COMMUNICATION, WARNING, "runtime-b is stale")],
        ),
        (
            {"lifecycle_state": Lifecycle.PARTITIONED},
            [(COMMUNICATION, CRITICAL, "runtime-b is partitioned")],
        ),
        ({"lifecycle_state": Lifecycle.OFFLINE}, [(COMMUNICATION, INFO, "runtime-b is offline")]),
        ({"boot_id": "two"}, [(COMMUNICATION, WARNING, "runtime-b was restarted")]),
        ({"boot_id": None}, []),
        # Of a restart that was seen as an absence both states tell already.
        (
            {"boot_id": "two", "lifecycle_state": Lifecycle.STALE},
            [(COMMUNICATION, WARNING, "runtime-b is stale")],
        ),
        (
            {
                "trust_state": TrustState.UNTRUSTED,
                "trust_reason": TrustReason.DUPLICATE_INSTANCE,
            },
            [(SECURITY, CRITICAL, "runtime-b is untrusted: duplicate instance")],
        ),
        ({"clock_skew_ms": 5_000}, []),
        ({"clock_skew_ms": -5_000}, []),
        (
            {"clock_skew_ms": 5_001},
            [(COMMUNICATION, WARNING, "clock of runtime-b differs by 5001 ms")],
        ),
        (
            {"clock_skew_ms": -5_001},
            [(COMMUNICATION, WARNING, "clock of runtime-b differs by -5001 ms")],
        ),
        # Its health and its configuration are its own to tell.
        ({"health_state": Health.FAULTED, "config_state": "error"}, []),
    ],
)
def test_of_another_it_is_told_what_is_seen_from_outside(
    after: dict[str, Any], expected: list[tuple[Category, Severity, str]]
) -> None:
    found = of_peer({}, after)
    assert told(found) == expected
    assert {one.about for one in found} <= {OTHER}


def test_what_passes_is_told_as_well() -> None:
    assert told(of_peer({"lifecycle_state": Lifecycle.PARTITIONED}, {})) == [
        (COMMUNICATION, INFO, "runtime-b is online")
    ]
    untrusted = {"trust_state": TrustState.UNTRUSTED, "trust_reason": TrustReason.EXPIRED}
    assert told(of_peer(untrusted, {})) == [(SECURITY, INFO, "runtime-b is trusted")]
    assert told(of_peer({"clock_skew_ms": 9_000}, {"clock_skew_ms": 100})) == [
        (COMMUNICATION, INFO, "clock of runtime-b agrees again")
    ]
    assert of_peer({"clock_skew_ms": 9_000}, {"clock_skew_ms": -9_000}) == ()


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({}, [(COMMUNICATION, INFO, "runtime-b is online")]),
        (
            {"clock_skew_ms": 60_000},
            [
                (COMMUNICATION, INFO, "runtime-b is online"),
                (COMMUNICATION, WARNING, "clock of runtime-b differs by 60000 ms"),
            ],
        ),
        (
            {"trust_state": TrustState.UNTRUSTED, "trust_reason": TrustReason.EXPIRED},
            [
                (COMMUNICATION, INFO, "runtime-b is online"),
                (SECURITY, CRITICAL, "runtime-b is untrusted: expired"),
            ],
        ),
        (
            {
                "trust_state": TrustState.UNTRUSTED,
                "trust_reason": TrustReason.NEVER_SEEN,
                "lifecycle_state": Lifecycle.OFFLINE,
            },
            [(COMMUNICATION, INFO, "runtime-b is offline")],
        ),
    ],
)
def test_whoever_appears_is_told_with_what_is_wrong_with_it(
    new: dict[str, Any], expected: list[tuple[Category, Severity, str]]
) -> None:
    found = happenings(OWN, state(NODE), state(NODE, structs.replace(PEER, **new)))
    assert told(found) == expected


def test_whoever_was_forgotten_is_told() -> None:
    assert told(happenings(OWN, state(NODE, PEER), state(NODE))) == [
        (COMMUNICATION, INFO, "runtime-b was forgotten: it was not seen for too long")
    ]


def test_whoever_was_only_named_is_told_as_that() -> None:
    named = structs.replace(PEER, last_seen_ns=0)
    assert told(happenings(OWN, state(NODE, named), state(NODE))) == [
        (COMMUNICATION, INFO, "runtime-b was never heard, and nothing names it any more")
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"lifecycle_state": Lifecycle.STALE, "boot_id": "two", "clock_skew_ms": 9_999}, []),
        (
            {},
            {"health_state": Health.DEGRADED, "health_reasons": ("mesh: cut", "clock skew: b")},
            [(COMMUNICATION, WARNING, "runtime-a is degraded: mesh: cut; clock skew: b")],
        ),
        (
            {"health_state": Health.DEGRADED, "health_reasons": ("mesh: cut",)},
            {"health_state": Health.DEGRADED, "health_reasons": ("mesh: cut", "clock skew: b")},
            [(COMMUNICATION, WARNING, "runtime-a is degraded: mesh: cut; clock skew: b")],
        ),
        (
            {"health_state": Health.DEGRADED, "health_reasons": ("clock skew: 9001 ms",)},
            {"health_state": Health.DEGRADED, "health_reasons": ("clock skew: 9101 ms",)},
            [],
        ),
        ({"health_state": Health.FAULTED}, {}, [(COMMUNICATION, INFO, "runtime-a is healthy")]),
        (
            {},
            {"health_state": Health.FAULTED},
            [(COMMUNICATION, CRITICAL, "runtime-a is faulted")],
        ),
        ({}, {"health_state": None}, []),
        (
            {},
            {"config_state": "in_doubt", "desired_revision": 4},
            [(CONFIG, WARNING, "configuration of runtime-a is in doubt at revision 4")],
        ),
        (
            {"config_state": "error"},
            {},
            [(CONFIG, INFO, "configuration of runtime-a is in sync at revision 3")],
        ),
        ({}, {"config_state": None}, []),
        (
            {},
            {"trust_state": TrustState.UNTRUSTED, "trust_reason": TrustReason.DUPLICATE_INSTANCE},
            [(SECURITY, CRITICAL, "runtime-a is untrusted: duplicate instance")],
        ),
    ],
)
def test_of_itself_it_tells_health_configuration_and_identity(
    before: dict[str, Any],
    after: dict[str, Any],
    expected: list[tuple[Category, Severity, str]],
) -> None:
    assert told(of_own(before, after)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"latency_ms_p95": 99.0}, []),
        (
            {},
            {"state": LinkState.DEGRADED},
            [(COMMUNICATION, WARNING, "link to runtime-b is degraded")],
        ),
        (
            {"state": LinkState.DEGRADED},
            {},
            [(COMMUNICATION, INFO, "link to runtime-b is healthy")],
        ),
        # What its lifecycle tells already.
        ({}, {"state": LinkState.STALE, "stale": True}, []),
        ({"state": LinkState.FAILED, "stale": True}, {}, []),
        # What another one measured is its own to tell.
        (
            {"source": OTHER, "target": OWN},
            {"source": OTHER, "target": OWN, "state": LinkState.DEGRADED},
            [],
        ),
    ],
)
def test_of_links_it_tells_its_own(
    before: dict[str, Any],
    after: dict[str, Any],
    expected: list[tuple[Category, Severity, str]],
) -> None:
    assert told(of_edge(before, after)) == expected


def test_a_link_that_appears_is_no_transition() -> None:
    degraded = structs.replace(EDGE, state=LinkState.DEGRADED)
    assert happenings(OWN, state(NODE, PEER), state(NODE, PEER, edges=(degraded,))) == ()


NODES = st.builds(
    structs.replace,
    st.just(PEER),
    lifecycle_state=st.sampled_from(Lifecycle),
    boot_id=st.sampled_from([None, "one", "two"]),
    clock_skew_ms=st.sampled_from([None, 0, 5_000, 5_001, -6_000]),
    health_state=st.sampled_from([None, *Health]),
)


@given(before=NODES, after=NODES)
def test_nothing_is_told_without_a_change_and_every_verdict_with_one(
    before: Node, after: Node
) -> None:
    assert happenings(OWN, state(NODE, before), state(NODE, before)) == ()
    found = happenings(OWN, state(NODE, before), state(NODE, after))
    summaries = [one.summary for one in found]
    changed = before.lifecycle_state is not after.lifecycle_state
    assert (f"{OTHER} is {after.lifecycle_state}" in summaries) is changed
    assert len(set(summaries)) == len(summaries)
