import json
from typing import Any

import pytest
from msgspec import structs

from signed_fleet import NOW_S, OTHER, OWN, boot
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.links import LinkEntry, Transport
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, Role
from trust_runtime.contracts.presence import AcceptedWrite, MeshReport, TrustReason, WebReport
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S
from whole_runtime import Whole

THIRD = RuntimeId("press-3")
ADMIN = Caller(identity="local://admin", role=Role.ADMIN)
VIEWER = Caller(identity="token://tv", role=Role.VIEWER)


def state(here: Whole, caller: Caller = ADMIN) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(here.fleet.state_json(caller))
    return document


def nodes(here: Whole) -> dict[str, dict[str, Any]]:
    return {node["runtime_id"]: node for node in state(here)["topology"]["nodes"]}


def test_alone_it_shows_itself() -> None:
    here = Whole()
    here.clock.advance_ms(50)

    document = state(here)

    assert document["api_version"] == "1.0"
    assert document["context"]["connected_via"] == OWN
    assert document["topology"]["edges"] == []
    (own,) = document["topology"]["nodes"]
    assert (own["lifecycle_state"], own["trust_state"]) == ("online", "trusted")
    assert own["last_seen_ns"] == NOW_S * NS_PER_S + 50 * NS_PER_MS
    assert own["boot_id"] == here.running.boot_id
    assert "clock_skew_ms" not in own


def test_its_own_last_word_is_when_it_was_last_seen() -> None:
    here = Whole()
    here.beacons.send()
    here.clock.advance_ms(700)
    assert nodes(here)[OWN]["last_seen_ns"] == NOW_S * NS_PER_S


def test_everybody_heard_is_shown_as_judged() -> None:
    here = Whole(host_key="group:cell-1")
    here.peers.take_beacon(here.speaker(THIRD).beacon(host_key="group:cell-1"))
    here.online()
    here.peers.take_token(here.speaker(RuntimeId("forged")).token, alive=True)

    document = state(here)

    shown = {n["runtime_id"]: n["lifecycle_state"] for n in document["topology"]["nodes"]}
    assert shown == {OWN: "online", THIRD: "stale", OTHER: "online"}
    assert document["topology"]["host_groups"] == [[OWN, THIRD], [OTHER]]
    assert nodes(here)[OTHER]["clock_skew_ms"] == 0
    edges = [(e["source"], e["target"], e["state"]) for e in document["topology"]["edges"]]
    assert edges == [(OWN, THIRD, "stale"), (OWN, OTHER, "healthy")]


def test_whom_the_links_of_the_configuration_name_is_shown_before_it_is_heard() -> None:
    named = (OTHER, OWN, THIRD)
    entries = tuple(LinkEntry(target=name, transport=Transport.MESH) for name in named)
    here = Whole(links=entries)
    here.online()
    shown = nodes(here)
    assert list(shown) == [OWN, THIRD, OTHER]
    assert shown[OTHER]["lifecycle_state"] == "online"
    expected = {"lifecycle_state": "offline", "trust_reason": "never_seen", "last_seen_ns": 0}
    assert expected.items() <= shown[THIRD].items()
    assert "health_state" not in shown[THIRD]
    assert [THIRD] in state(here)["topology"]["host_groups"]
    # A decision about it stays that about a runtime nobody heard of.
    assert THIRD not in here.fleet.decision_facts().peers


def test_edges_that_others_measured_are_shown_while_they_are_online() -> None:
    here = Whole()
    speaker = here.online()
    here.peers.take_edges(speaker.edges(OWN))

    def sources() -> list[str]:
        here.fleet.changed()
        here.clock.advance_ms(100)
        return [edge["source"] for edge in state(here)["topology"]["edges"]]

    assert sources() == [OWN, OTHER]
    here.peers.take_token(speaker.token, alive=False)
    assert sources() == [OWN]


def test_the_context_is_the_asker_s_and_the_rest_is_everybody_s() -> None:
    here = Whole()
    here.online()

    admin, viewer = state(here), state(here, VIEWER)

    assert (admin["context"]["mode"], viewer["context"]["mode"]) == ("edit", "view")
    assert viewer["context"]["identity"] == "token://tv"
    assert viewer["context"]["acting_on"] == [OTHER, OWN]
    assert admin["topology"] == viewer["topology"]


def uptimes(here: Whole, *, changed: bool, step_ms: int, steps: int) -> list[int]:
    """Ask every `step_ms` and return the uptimes shown: each build shows its own moment."""
    shown = []
    for _ in range(steps):
        if changed:
            here.fleet.changed()
        shown.append(nodes(here)[OWN]["uptime_ms"])
        here.clock.advance_ms(step_ms)
    return shown


def test_it_is_built_at_most_ten_times_a_second_however_much_changes() -> None:
    shown = uptimes(Whole(), changed=True, step_ms=1, steps=1_000)
    assert sorted(set(shown)) == [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]
    assert shown[99:101] == [0, 100]


def test_without_a_change_it_is_at_most_a_second_old() -> None:
    shown = uptimes(Whole(), changed=False, step_ms=333, steps=8)
    assert shown == [0, 0, 0, 0, 1_332, 1_332, 1_332, 1_332]
    assert uptimes(Whole(), changed=False, step_ms=1_000, steps=3) == [0, 1_000, 2_000]


def test_a_change_is_not_forgotten_while_it_waits() -> None:
    here = Whole()
    nodes(here)
    here.online()
    here.fleet.changed()
    here.clock.advance_ms(99)
    assert set(nodes(here)) == {OWN}
    here.clock.advance_ms(1)
    assert set(nodes(here)) == {OWN, OTHER}


def test_a_decision_knows_the_fleet_as_of_now() -> None:
    rule = AllowRule(action="cfg_apply", target="*")
    here = Whole(allow_write=(rule,))
    nodes(here)
    accepts = (AcceptedWrite(action="*", origin="press-*"),)
    here.peers.take_token(here.speaker().token, alive=True)
    here.peers.take_beacon(here.speaker().beacon(accepts=accepts, debug_enabled=True))
    here.health.failed(StoreFailed("the disk is full", "free space"))

    facts = here.fleet.decision_facts()

    assert (facts.own, facts.site, facts.allow_write) == (OWN, "default-site", (rule,))
    assert facts.store_fault == "the disk is full"
    assert facts.own_trust_reason is None
    assert facts.config.document == {}
    assert facts.config.file_values == {"resource.name": OWN}
    assert list(facts.peers) == [OTHER]
    peer = facts.peers[OTHER]
    assert (peer.target_state, peer.trust_reason) == (TargetState.REACHABLE, None)
    assert (peer.accepts, peer.debug_enabled, peer.clock_skew_ms) == (accepts, True, 0)


WEB, MESH = "runtime.web.tls", "runtime.mesh.tls"


@pytest.mark.parametrize(
    ("web", "mesh_tls", "without"),
    [
        pytest.param(WebReport(port=1, tls=True), True, (), id="both"),
        pytest.param(WebReport(port=1, tls=False), True, (WEB,), id="no TLS on the web"),
        pytest.param(WebReport(port=1, tls=True), False, (MESH,), id="no TLS on the mesh"),
        pytest.param(WebReport(port=1, tls=False), False, (WEB, MESH), id="neither"),
        pytest.param(None, True, (), id="no web to secure"),
        pytest.param(None, False, (MESH,), id="no web, no TLS on the mesh"),
    ],
)
@pytest.mark.parametrize(
    ("profile", "known"), [("wan", Profile.WAN), ("dev", Profile.DEV), ("moon", None)]
)
def test_a_decision_knows_what_a_peer_says_of_its_security(
    web: WebReport | None,
    without: tuple[str, ...],
    *,
    mesh_tls: bool,
    profile: str,
    known: Profile | None,
) -> None:
    here = Whole()
    mesh = MeshReport(port=7_447, tls=mesh_tls, role="peer")
    here.peers.take_token(here.speaker().token, alive=True)
    here.peers.take_beacon(
        here.speaker().beacon(web=web, mesh=mesh, profile=profile, accepts_cut=True)
    )
    peer = here.fleet.decision_facts().peers[OTHER]
    assert (peer.without_tls, peer.profile, peer.accepts_cut) == (without, known, True)


def test_a_decision_is_told_of_a_twin() -> None:
    here = Whole()
    here.online(OWN, number=1, key="second")
    assert here.fleet.decision_facts().own_trust_reason is TrustReason.DUPLICATE_INSTANCE
    assert nodes(here)[OWN]["trust_reason"] == "duplicate_instance"


@pytest.mark.parametrize(
    ("silence_ms", "target_state"),
    [(0, TargetState.REACHABLE), (3_000, TargetState.STALE), (40_000, TargetState.PARTITIONED)],
)
def test_a_decision_sees_how_alive_a_target_is(silence_ms: int, target_state: TargetState) -> None:
    here = Whole()
    here.online()
    here.clock.advance_ms(silence_ms)
    here.peers.evaluate()
    assert here.fleet.decision_facts().peers[OTHER].target_state is target_state


def test_a_decision_knows_nothing_of_a_peer_that_was_only_pinned() -> None:
    here = Whole()
    here.peers.pin(OTHER, "0" * 64)
    peer = here.fleet.decision_facts().peers[OTHER]
    assert (peer.target_state, peer.debug_enabled, peer.accepts) == (TargetState.OFFLINE, None, ())


def test_the_document_has_no_order_of_hearing() -> None:
    names = [RuntimeId(f"p-{n}") for n in range(6)]
    shown = []
    for order in (names, names[::-1]):
        here = Whole()
        here.running.boot_id = boot(1_000)
        for name in order:
            here.online(name)
        shown.append(structs.asdict(here.fleet.decision_facts())["own"] and state(here))
    assert shown[0] == shown[1]


def test_what_is_encoded_once_is_the_document_of_each_caller() -> None:
    here = Whole()
    here.online()
    first = here.fleet.state_json(ADMIN)
    for caller in (ADMIN, VIEWER, ADMIN):
        whole = here.fleet._document(caller, here.fleet.topology(), ())
        assert here.fleet.state_json(caller) == encode_json(whole)
    event = TimelineEvent(
        event_id="evt-1",
        timestamp_ns=1,
        category=Category.HA_ROLE,
        severity=Severity.INFO,
        runtime_id=OWN,
        summary="something",
    )
    here.fleet.newest_events = lambda: (event,)
    assert [one["event_id"] for one in state(here)["timeline"]] == ["evt-1"]
    here.peers.take_beacon(here.speaker(THIRD).beacon())
    here.fleet.changed()
    here.clock.advance_ms(100)
    after = state(here)
    assert THIRD in after["context"]["acting_on"]
    assert THIRD in [node["runtime_id"] for node in after["topology"]["nodes"]]
    assert here.fleet.state_json(ADMIN) != first


def test_many_callers_are_not_all_remembered() -> None:
    here = Whole()
    for number in range(200):
        caller = Caller(identity=f"token://{number}", role=Role.VIEWER)
        assert state(here, caller)["context"]["identity"] == f"token://{number}"
    assert len(here.fleet._documents) <= 8
