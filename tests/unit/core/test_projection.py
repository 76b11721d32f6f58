"""`core.projection`: contract 5.5, 7."""

import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.codec import encode_json, to_plain
from trust_runtime.contracts.fleet import Edge, Health, Node, TrustState
from trust_runtime.contracts.ids import BootId, RuntimeId, name_of, parse_runtime_id, site_of
from trust_runtime.contracts.policy import Caller, Profile, Role
from trust_runtime.contracts.presence import (
    BeaconStatus,
    ConfigReport,
    Lifecycle,
    LinkState,
    MeshReport,
    TrustReason,
)
from trust_runtime.core.projection import EdgeFacts, NodeFacts, context, feature_flags, project

ONLINE, STALE, PARTITIONED, OFFLINE = Lifecycle
OWN = RuntimeId("press-1")
PEER = RuntimeId("site-b/press-2")
STATUS = BeaconStatus(
    lifecycle="running",
    period_ms=1_000,
    seq=1,
    boot_id=BootId("boot-1"),
    version="0.1.0",
    api_version="1.0",
    uptime_ms=5,
    health="healthy",
    engine_state="absent",
    profile="plant",
    control_mode="production",
    debug_enabled=False,
    config=ConfigReport(
        state="in_sync",
        desired_revision=4,
        reported_revision=3,
        desired_etag="sha256:00",
        schema="sha256:01",
    ),
    mesh=MeshReport(port=5200, tls=False, role="peer"),
    host_key="host:aa",
    audit_head=EMPTY_CHAIN,
)
OWN_FACTS = NodeFacts(
    runtime_id=OWN, lifecycle=ONLINE, trust_reason=None, last_seen_ns=9, status=STATUS
)
PEER_FACTS = structs.replace(OWN_FACTS, runtime_id=PEER, last_seen_ns=8, clock_skew_ms=-250)
NEVER_HEARD = NodeFacts(
    runtime_id=PEER, lifecycle=OFFLINE, trust_reason=TrustReason.NEVER_SEEN, last_seen_ns=0
)


def shown(facts: NodeFacts) -> Node:
    nodes = project(OWN_FACTS, [facts], []).nodes
    return next(node for node in nodes if node.runtime_id == facts.runtime_id)


def reporting(**changes: Any) -> BeaconStatus:
    return structs.replace(STATUS, **changes)


def test_a_node_shows_what_its_owner_reported_and_what_was_measured_here() -> None:
    assert to_plain(shown(PEER_FACTS)) == {
        "runtime_id": "site-b/press-2",
        "site": "site-b",
        "display_name": "press-2",
        "role": "MEMBER",
        "lifecycle_state": "online",
        "health_state": "healthy",
        "trust_state": "trusted",
        "config_state": "in_sync",
        "last_seen_ns": 8,
        "clock_skew_ms": -200,
        "profile": "plant",
        "version": "0.1.0",
        "boot_id": "boot-1",
        "uptime_ms": 5,
        "engine_state": "absent",
        "desired_revision": 4,
        "reported_revision": 3,
    }


def test_what_was_never_reported_is_absent_and_never_a_constant() -> None:
    assert to_plain(shown(NEVER_HEARD)) == {
        "runtime_id": "site-b/press-2",
        "site": "site-b",
        "display_name": "press-2",
        "role": "MEMBER",
        "lifecycle_state": "offline",
        "trust_state": "untrusted",
        "trust_reason": "never_seen",
        "last_seen_ns": 0,
    }


@pytest.mark.parametrize("lifecycle", Lifecycle)
@pytest.mark.parametrize(
    ("reported", "online", "not_online"),
    [
        ("healthy", Health.HEALTHY, Health.DEGRADED),
        ("degraded", Health.DEGRADED, Health.DEGRADED),
        ("faulted", Health.FAULTED, Health.FAULTED),
        # A word of a newer peer: unknown, and no reason to fail.
        ("excellent", None, None),
    ],
)
def test_health(
    reported: str, online: Health | None, not_online: Health | None, lifecycle: Lifecycle
) -> None:
    status = reporting(health=reported, health_reasons=("disk: full",))
    node = shown(structs.replace(PEER_FACTS, lifecycle=lifecycle, status=status))
    assert node.health_state is (online if lifecycle is ONLINE else not_online)
    assert node.health_reasons == ("disk: full",)


@pytest.mark.parametrize("lifecycle", Lifecycle)
@pytest.mark.parametrize(
    ("reported", "not_online"),
    [("in_sync", "pending"), ("pending", "pending"), ("blocked", "blocked"), ("error", "error")],
)
def test_config_state(reported: str, not_online: str, lifecycle: Lifecycle) -> None:
    config = structs.replace(STATUS.config, state=reported)
    node = shown(structs.replace(PEER_FACTS, lifecycle=lifecycle, status=reporting(config=config)))
    assert node.config_state == (reported if lifecycle is ONLINE else not_online)


@pytest.mark.parametrize("reason", [None, *TrustReason])
def test_trust(reason: TrustReason | None) -> None:
    node = shown(structs.replace(PEER_FACTS, trust_reason=reason))
    assert node.trust_state is (TrustState.TRUSTED if reason is None else TrustState.UNTRUSTED)
    assert node.trust_reason is reason


@pytest.mark.parametrize(
    ("skew_ms", "rounded"),
    [(None, None), (0, 0), (49, 0), (51, 100), (-49, 0), (-51, -100), (149, 100), (5_001, 5_000)],
)
def test_clock_skew_is_rounded_and_never_shown_of_oneself(
    skew_ms: int | None, rounded: int | None
) -> None:
    assert shown(structs.replace(PEER_FACTS, clock_skew_ms=skew_ms)).clock_skew_ms == rounded
    own = structs.replace(OWN_FACTS, clock_skew_ms=skew_ms)
    assert project(own, [], []).nodes[0].clock_skew_ms is None


@pytest.mark.parametrize(
    ("host_key", "group"),
    [("group:hall-1", "hall-1"), ("group:", ""), ("host:group:x", None), ("host:aa", None)],
)
def test_a_host_group_is_shown_only_when_it_was_configured(
    host_key: str, group: str | None
) -> None:
    node = shown(structs.replace(PEER_FACTS, status=reporting(host_key=host_key)))
    assert node.host_group == group


def test_host_groups_stand_together_and_who_was_never_heard_stands_alone() -> None:
    def at(name: str, key: str | None) -> NodeFacts:
        status = None if key is None else reporting(host_key=key)
        return structs.replace(PEER_FACTS, runtime_id=RuntimeId(name), status=status)

    peers = [at("z", "host:aa"), at("b", "group:g"), at("c", None), at("a", "group:g")]
    peers += [at("d", None), at("e", "host:g"), at("f", "unknown:c")]
    groups = project(OWN_FACTS, peers, []).host_groups
    assert groups == (("a", "b"), ("c",), ("d",), ("e",), ("f",), ("press-1", "z"))


def edge(source: str, target: str, channel: str = "mesh_t2_ops", trip: float = 1.0) -> Edge:
    return Edge(
        source=source,
        target=target,
        channel_type=channel,
        state=LinkState.HEALTHY,
        stale=False,
        latency_ms_p95=trip,
        loss_pct=None,
        last_ok_ns=0,
    )


@pytest.mark.parametrize("lifecycle", Lifecycle)
def test_edges_of_a_runtime_that_is_not_online_are_not_shown(lifecycle: Lifecycle) -> None:
    measured = EdgeFacts(lifecycle=lifecycle, edges=(edge(PEER, OWN),))
    assert len(project(OWN_FACTS, [PEER_FACTS], [measured]).edges) == (lifecycle is ONLINE)


def test_edges_ascend_by_source_target_and_channel() -> None:
    wanted = [edge("a", "b", "x"), edge("a", "b", "y"), edge("a", "c", "x"), edge("b", "a", "x")]
    measured = [
        EdgeFacts(lifecycle=ONLINE, edges=(wanted[3],)),
        EdgeFacts(lifecycle=ONLINE, edges=(wanted[2], wanted[1], wanted[0])),
    ]
    assert list(project(OWN_FACTS, [], measured).edges) == wanted


def test_one_edge_per_source_target_and_channel() -> None:
    measured = EdgeFacts(lifecycle=ONLINE, edges=(edge("a", "b"), edge("a", "b", trip=2.0)))
    assert project(OWN_FACTS, [], [measured]).edges == (edge("a", "b", trip=2.0),)


@pytest.mark.parametrize("role", Role)
def test_context(role: Role) -> None:
    peers = [
        structs.replace(PEER_FACTS, runtime_id=RuntimeId(text))
        for text in ("site-c/a", "zebra", "site-b/a", "site-b/b", "alpha")
    ]
    own = structs.replace(OWN_FACTS, runtime_id=RuntimeId("site-b/m"))
    caller = Caller(identity="uid://1000", role=role)
    seen = context(own.runtime_id, project(own, peers, []), caller)
    assert json.loads(encode_json(seen)) == {
        "connected_via": "site-b/m",
        "acting_on": ["alpha", "site-b/a", "site-b/b", "site-c/a", "zebra", "site-b/m"],
        "site_scope": ["site-b", "default-site", "site-c"],
        "identity": "uid://1000",
        "role": role.value,
        "mode": "edit" if role in (Role.ENGINEER, Role.ADMIN) else "view",
    }


def test_context_of_a_runtime_that_is_alone() -> None:
    seen = context(OWN, project(OWN_FACTS, [], []), Caller(identity="x", role=Role.VIEWER))
    assert (seen.acting_on, seen.site_scope) == ((OWN,), ("default-site",))


@pytest.mark.parametrize("profile", Profile)
def test_feature_flags(profile: Profile) -> None:
    every = {"device_discovery", "edit_mode", "host_containers", "module_slots"}
    on = every if profile is Profile.DEV else {"host_containers"}
    assert to_plain(feature_flags(profile)) == dict.fromkeys(sorted(on), True)


NAMES = st.sampled_from(["a", "b", "c", "s/a", "s/b", "t/c", "default-site/d"])
IDS = NAMES.map(parse_runtime_id)
STATUSES = st.builds(
    lambda health, key, state: reporting(
        health=health, host_key=key, config=structs.replace(STATUS.config, state=state)
    ),
    st.sampled_from(["healthy", "degraded", "faulted", "new"]),
    st.sampled_from(["host:1", "host:2", "group:1", "group:2"]),
    st.sampled_from(["in_sync", "pending", "blocked", "error"]),
)
FACTS = st.builds(
    NodeFacts,
    runtime_id=IDS,
    lifecycle=st.sampled_from(Lifecycle),
    trust_reason=st.none() | st.sampled_from(TrustReason),
    last_seen_ns=st.integers(0, 2**62),
    clock_skew_ms=st.none() | st.integers(-9_000, 9_000),
    status=st.none() | STATUSES,
)
FLEETS = st.lists(FACTS, max_size=6, unique_by=lambda facts: facts.runtime_id)


@st.composite
def measured(draw: st.DrawFn) -> EdgeFacts:
    source = draw(IDS)
    targets = draw(st.lists(IDS, max_size=4))
    trips = st.floats(0, 500)
    edges = tuple(edge(source, target, trip=draw(trips)) for target in targets)
    return EdgeFacts(lifecycle=draw(st.sampled_from(Lifecycle)), edges=edges)


EDGES = st.lists(measured(), max_size=4, unique_by=lambda m: m.edges[0].source if m.edges else "")


@given(fleet=FLEETS, edges=EDGES, data=st.data())
def test_facts_in_any_order_give_the_same_bytes(
    fleet: list[NodeFacts], edges: list[EdgeFacts], data: st.DataObject
) -> None:
    own = structs.replace(OWN_FACTS, runtime_id=RuntimeId("own"))
    here = project(own, fleet, edges)
    fleet = data.draw(st.permutations(fleet))
    there = project(own, iter(fleet), iter(data.draw(st.permutations(edges))))
    assert encode_json(there) == encode_json(here)
    caller = Caller(identity="x", role=Role.ADMIN)
    assert context(own.runtime_id, there, caller) == context(own.runtime_id, here, caller)


@given(fleet=FLEETS, edges=EDGES)
def test_every_runtime_is_shown_once_in_order_and_in_one_host_group(
    fleet: list[NodeFacts], edges: list[EdgeFacts]
) -> None:
    topology = project(structs.replace(OWN_FACTS, runtime_id=RuntimeId("own")), fleet, edges)
    ids = [node.runtime_id for node in topology.nodes]
    assert ids == sorted({"own", *(facts.runtime_id for facts in fleet)})
    assert sorted(member for group in topology.host_groups for member in group) == ids
    assert list(topology.host_groups) == sorted(topology.host_groups)
    keys = [(e.source, e.target, e.channel_type) for e in topology.edges]
    assert keys == [key for key, _ in groupby(sorted(keys))]
    for node in topology.nodes:
        assert node.site == site_of(RuntimeId(node.runtime_id))
        assert node.display_name == name_of(RuntimeId(node.runtime_id))
        if node.lifecycle_state is not ONLINE:
            assert node.health_state is not Health.HEALTHY
            assert node.config_state != "in_sync"


def test_processes_with_different_hash_seeds_give_the_same_bytes() -> None:
    program = Path(__file__).with_name("projecting_process.py")
    orders, documents = set(), set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        )
        order, document = done.stdout.splitlines()
        orders.add(order)
        documents.add(document)
    assert len(orders) > 1, "the seeds gave the facts in one order: nothing was compared"
    assert len(documents) == 1
    assert len(json.loads(documents.pop())["topology"]["nodes"]) == 10
