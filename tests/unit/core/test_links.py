"""`core.links`: contract 6.13, 14.1."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from port_contracts.links import preference
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName
from trust_runtime.contracts.links import (
    LINKS_MAX,
    LinkEntry,
    LinkOrigin,
    Transport,
    TransportWrite,
)
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.presence import LinkState, TrustReason
from trust_runtime.core.links import (
    Joined,
    LinkFacts,
    judge_link,
    judge_removal,
    merge_links,
    shown_edges,
    warnings_about,
)

OWN, NEAR, FAR = RuntimeId("press-1"), RuntimeId("press-2"), RuntimeId("site-b/oven-1")
FACTS = LinkFacts(
    own=OWN,
    site=DEFAULT_SITE,
    own_host="host:a",
    hosts={NEAR: "host:a", FAR: "host:b", RuntimeId("press-3"): None},
)
SCOPED = Caller(identity="token://x", role=Role.ENGINEER, scope=(SiteName("default-site"),))
WRITE = TransportWrite(
    api_version="1.0",
    actor="spiffe://trust/default-site/anna",
    source="press-1",
    target="press-2",
    transport="realtime",
)
VIOLATION, FORBIDDEN = DenialCode.CONTRACT_VIOLATION, DenialCode.PERMISSION_DENIED
EDGE = Edge(
    source=OWN,
    target=NEAR,
    channel_type="mesh_t2_ops",
    state=LinkState.HEALTHY,
    stale=False,
    latency_ms_p95=0.5,
    loss_pct=0.0,
    last_ok_ns=7,
)
BROKEN: list[tuple[dict[str, str], DenialCode, str]] = [
    ({"api_version": "2.0"}, VIOLATION, "api_version"),
    ({"source": " "}, VIOLATION, "source is blank"),
    ({"target": ""}, VIOLATION, "target is blank"),
    ({"transport": "realtim"}, VIOLATION, "did you mean 'realtime'"),
    ({"source": "press-2", "target": "press-1"}, FORBIDDEN, "stored by itself"),
    ({"target": "site-b/oven-1"}, VIOLATION, "same host"),
    ({"actor": " "}, VIOLATION, "actor is blank"),
    ({"actor": "spiffe://trust/site-b/erik"}, FORBIDDEN, "outside the caller's sites"),
]
"""What can be wrong, in the contract's order."""


def denial_of(judged: object) -> Denial:
    assert isinstance(judged, Denial)
    return judged


@pytest.mark.parametrize("first", range(len(BROKEN)))
@pytest.mark.parametrize("later", range(len(BROKEN)))
def test_the_first_thing_that_is_wrong_answers(first: int, later: int) -> None:
    if later < first:
        return
    changes = {**BROKEN[later][0], **BROKEN[first][0]}
    denial = denial_of(judge_link(structs.replace(WRITE, **changes), SCOPED, FACTS))
    assert denial.code is BROKEN[first][1]
    assert BROKEN[first][2] in denial.reason


@pytest.mark.parametrize(
    ("changes", "joined"),
    [
        ({}, Joined(source=OWN, target=NEAR, transport=Transport.REALTIME)),
        (
            {"source": "default-site/press-1", "target": "default-site/press-2"},
            Joined(source=OWN, target=NEAR, transport=Transport.REALTIME),
        ),
        (
            {"target": "site-b/oven-1", "transport": "web"},
            Joined(source=OWN, target=FAR, transport=Transport.WEB),
        ),
        (
            {"target": "nobody-knows", "transport": "mesh"},
            Joined(source=OWN, target=RuntimeId("nobody-knows"), transport=Transport.MESH),
        ),
    ],
)
def test_a_link_that_may_be_made_has_canonical_ends(
    changes: dict[str, str], joined: Joined
) -> None:
    assert judge_link(structs.replace(WRITE, **changes), SCOPED, FACTS) == joined


@pytest.mark.parametrize("target", ["press-3", "press-9", "site-b/oven-1"])
def test_realtime_needs_the_word_of_the_target_that_it_is_on_this_host(target: str) -> None:
    write = structs.replace(WRITE, target=target)
    denial = denial_of(judge_link(write, SCOPED, FACTS))
    assert (denial.code, "same host" in denial.reason) == (VIOLATION, True)
    mesh = structs.replace(write, transport="mesh")
    assert isinstance(judge_link(mesh, SCOPED, FACTS), Joined)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "press-1"}, "both source and target"),
        ({"target": "a/b/c"}, "no runtime id"),
        ({"source": "a b"}, "no runtime id"),
    ],
)
def test_ends_that_are_none_are_refused(changes: dict[str, str], said: str) -> None:
    denial = denial_of(judge_link(structs.replace(WRITE, **changes), SCOPED, FACTS))
    assert (denial.code, said in denial.reason) == (VIOLATION, True)


def test_a_runtime_that_is_untrusted_to_itself_changes_nothing() -> None:
    facts = structs.replace(FACTS, own_trust_reason=TrustReason.DUPLICATE_INSTANCE)
    assert denial_of(judge_link(WRITE, SCOPED, facts)).code is FORBIDDEN
    removal = judge_removal("press-1", "press-2", facts, present=[preference()])
    assert denial_of(removal).code is FORBIDDEN


@pytest.mark.parametrize(("count", "full"), [(LINKS_MAX - 1, False), (LINKS_MAX, True)])
def test_the_number_of_stored_links_is_bounded(count: int, *, full: bool) -> None:
    facts = structs.replace(FACTS, stored=[f"r-{n}" for n in range(count)])
    judged = judge_link(WRITE, SCOPED, facts)
    assert isinstance(judged, Denial) is full
    if full:
        assert denial_of(judged).code is DenialCode.OVERLOADED
        again = structs.replace(facts, stored=[*facts.stored[1:], NEAR])  # type: ignore[index] # a list
        assert isinstance(judge_link(WRITE, SCOPED, again), Joined)


def test_what_is_removed_is_found_by_any_spelling() -> None:
    found = judge_removal("default-site/press-1", "press-2", FACTS, present=[preference()])
    assert found == preference()


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("", "press-2", VIOLATION),
        ("press-1", " ", VIOLATION),
        ("press-1", "a/b/c", VIOLATION),
        ("press-1", "press-3", DenialCode.PEER_NOT_AVAILABLE),
        ("press-2", "press-1", DenialCode.PEER_NOT_AVAILABLE),
        ("press-1", "site-b/oven-1", DenialCode.CONFLICT),
    ],
)
def test_what_cannot_be_removed_says_why(source: str, target: str, code: DenialCode) -> None:
    configured = structs.replace(preference("site-b/oven-1"), origin=LinkOrigin.CONFIG)
    judged = judge_removal(source, target, FACTS, present=[preference(), configured])
    assert denial_of(judged).code is code


TARGETS = st.sampled_from([NEAR, FAR, RuntimeId("press-3")])
TRANSPORTS = st.sampled_from(Transport)
ENTRIES = st.dictionaries(
    st.builds(LinkEntry, target=TARGETS, transport=TRANSPORTS), st.integers(1, 9), max_size=1
)


@given(st.lists(st.builds(preference, TARGETS, TRANSPORTS), max_size=4), ENTRIES)
@settings(max_examples=80)
def test_the_api_wins_over_the_configuration_and_the_list_is_ordered(
    stored: list[Any], entries: dict[LinkEntry, int]
) -> None:
    merged = merge_links(OWN, stored, entries)
    pairs = [(one.source, one.target) for one in merged]
    assert pairs == sorted(set(pairs))
    by_target = {one.target: one for one in merged}
    last = {one.target: one for one in stored}
    for entry, at_ns in entries.items():
        one = by_target[entry.target]
        if entry.target not in last:
            assert (one.origin, one.actor, one.updated_at_ns) == (
                *(LinkOrigin.CONFIG, "config"),
                at_ns,
            )
    assert {t: by_target[t] for t in last} == last


@pytest.mark.parametrize(
    ("transport", "same_host", "channels"),
    [
        (None, True, ["mesh_t2_ops"]),
        (Transport.ZENOH, True, ["mesh_t2_ops"]),
        (Transport.MESH, True, ["mesh_t1_fast"]),
        (Transport.DISCOVERY, True, ["mesh_t3_diag"]),
        (Transport.REALTIME, True, ["mesh_t2_ops", "t0_hard_rt"]),
        (Transport.REALTIME, False, ["mesh_t2_ops"]),
        (Transport.MQTT, True, ["federation_bridge"]),
        (Transport.MODBUS_TCP, True, ["federation_bridge"]),
        (Transport.OPCUA, True, ["federation_bridge"]),
        (Transport.WEB, False, ["federation_bridge"]),
    ],
)
def test_the_edge_follows_the_preference(
    transport: Transport | None, *, same_host: bool, channels: list[str]
) -> None:
    shown = shown_edges(EDGE, transport, same_host=same_host)
    assert [edge.channel_type for edge in shown] == channels


def test_a_bridge_and_a_channel_have_no_measured_numbers() -> None:
    [bridge] = shown_edges(EDGE, Transport.WEB, same_host=True)
    assert (bridge.latency_ms_p95, bridge.loss_pct) == (None, None)
    assert (bridge.state, bridge.last_ok_ns) == (EDGE.state, 7)
    base, realtime = shown_edges(EDGE, Transport.REALTIME, same_host=True)
    assert base == EDGE
    assert (realtime.latency_ms_p95, realtime.loss_pct, realtime.last_ok_ns) == (None, None, 0)
    # None is declared in this version, and the edge says so.
    assert realtime.state is LinkState.DEGRADED


@given(TRANSPORTS, st.booleans(), st.booleans(), st.sampled_from(LinkState))
@settings(max_examples=80)
def test_no_preference_makes_a_link_look_better(
    transport: Transport,
    same_host: bool,  # noqa: FBT001 - hypothesis passes by position
    stale: bool,  # noqa: FBT001 - as above
    state: LinkState,
) -> None:
    edge = structs.replace(EDGE, stale=stale, state=state)
    for shown in shown_edges(edge, transport, same_host=same_host):
        assert (shown.source, shown.target, shown.stale) == (OWN, NEAR, stale)
        assert shown.state is state or shown.channel_type == "t0_hard_rt"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("press-2", None),
        ("site-b/oven-1", None),
        ("press-3", "press-3 was never heard by press-1 (did you mean 'press-2'?): "),
        ("pres-2", "pres-2 was never heard by press-1 (did you mean 'press-2'?): "),
        ("kiln", "kiln was never heard by press-1: "),
    ],
)
def test_a_link_to_somebody_never_heard_is_made_with_a_warning(
    target: str, said: str | None
) -> None:
    joined = Joined(source=OWN, target=RuntimeId(target), transport=Transport.MESH)
    warnings = warnings_about(joined, FACTS)
    assert [text.startswith(said or "?") for text in warnings] == ([] if said is None else [True])
