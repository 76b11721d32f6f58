"""`services.control`: verbs at the control socket go through the same decision (14.3, 14.4)."""

from typing import Any

import pytest

from service_world import ADMIN, SECRET, Node, Scene, virtual
from trust_runtime.contracts.actions import VERBS, VerbSpec
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.audit import Outcome, Phase, Verdict
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Role, allows
from trust_runtime.contracts.results import ControlReply

PIN = "ab" * 32


async def ask(
    node: Node,
    verb: str,
    params: dict[str, Any] | None = None,
    *,
    caller: Caller = ADMIN,
    request_id: str | None = None,
) -> ControlReply:
    call = ControlCall(id=7, type=verb, params=params or {}, request_id=request_id)
    reply = await node.services.control.handle(call, caller)
    assert reply.id == 7
    return reply


async def refused(node: Node, verb: str, params: dict[str, Any] | None = None, **more: Any) -> Any:
    """Ask what is refused; return the reply, which names reason, code and remedy."""
    reply = await ask(node, verb, params, **more)
    assert not reply.ok
    assert reply.result is None
    assert reply.error
    assert reply.denial_code
    assert reply.remedy
    return reply


def caller(role: Role) -> Caller:
    return Caller(identity=f"uid:{role}", role=role)


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
@virtual
async def test_each_verb_is_refused_below_its_role_and_not_above(
    scene: Scene, verb: VerbSpec
) -> None:
    node = await scene.node()
    for role in Role:
        reply = await ask(node, verb.name, caller=caller(role), request_id=f"r-{role}")
        by_role = reply.error == f"requires role {verb.role}"
        assert by_role == (not allows(role, verb.role))
        if by_role:
            assert reply.denial_code is DenialCode.PERMISSION_DENIED
            assert reply.remedy
        elif not verb.built:
            assert reply.denial_code is DenialCode.NOT_CONFIGURED
            assert verb.name in (reply.error or "")
            assert "not in this version" in (reply.error or "")
    assert len(node.stopped) == (1 if verb.name == "shutdown" else 0)


@virtual
async def test_an_unknown_verb_names_the_nearest(scene: Scene) -> None:
    reply = await refused(await scene.node(), "shutdwon")
    assert reply.denial_code is DenialCode.CONTRACT_VIOLATION
    assert "shutdwon" in reply.error
    assert "'shutdown'" in reply.error


@pytest.mark.parametrize("verb", ["status", "health", "audit.verify", "peers.list"])
@virtual
async def test_an_unknown_parameter_is_refused_by_name(scene: Scene, verb: str) -> None:
    reply = await refused(await scene.node(), verb, {"loud": True})
    assert reply.denial_code is DenialCode.CONTRACT_VIOLATION
    assert "loud" in reply.error


@virtual
async def test_reading_verbs_answer_a_viewer_and_change_nothing(scene: Scene) -> None:
    node = await scene.node()
    viewer = caller(Role.VIEWER)
    status = await ask(node, "status", caller=viewer, request_id="r")
    assert (status.ok, status.request_id) == (True, "r")
    assert status.result["runtime_id"] == "press-1"
    assert (await ask(node, "health", caller=viewer)).result["ok"] is True
    assert (await ask(node, "config.get", caller=viewer)).result["log.level"] == "info"
    assert (node.store.durable, node.store.writes) == ([], 0)


@pytest.mark.parametrize("params", [{}, {"confirm": True}])
@virtual
async def test_shutdown_is_decided_recorded_and_then_done(
    scene: Scene, params: dict[str, Any]
) -> None:
    node = await scene.node()
    reply = await ask(node, "shutdown", params, request_id="r")
    assert (reply.ok, reply.result, reply.request_id) == (True, {"stopping": True}, "r")
    assert [[r.phase for r in at_effect] for at_effect in node.stopped] == [[Phase.DECISION]]
    for record in node.store.durable:
        assert (record.actor, record.identity) == (ADMIN.identity, ADMIN.identity)
        assert (record.action_type, record.verb) == ("cmd_invoke", "shutdown")
        assert record.audit_id == reply.audit_id
    assert (await ask(node, "shutdown", params, request_id="r")).ok
    assert len(node.stopped) == 1


@virtual
async def test_shutdown_that_is_explicitly_not_confirmed_is_refused(scene: Scene) -> None:
    node = await scene.node()
    reply = await refused(node, "shutdown", {"confirm": False})
    assert "confirm" in reply.error
    assert node.stopped == []


@virtual
async def test_requests_without_an_id_get_one_of_their_own(scene: Scene) -> None:
    node = await scene.node()
    replies = [await ask(node, "shutdown"), await ask(node, "shutdown")]
    assert len(node.stopped) == 2
    ids = [reply.request_id or "" for reply in replies]
    assert len(set(ids)) == 2
    assert all(one.startswith("control-") for one in ids)


@virtual
async def test_config_set_is_a_configuration_write(scene: Scene) -> None:
    node = await scene.node()
    reply = await ask(node, "config.set", {"log.level": "warn"}, caller=caller(Role.ENGINEER))
    assert reply.ok
    assert reply.result["desired_revision"] == 1
    assert node.store.disk.synced.revisions[1].document == {"log.level": "warn"}
    assert node.store.disk.synced.revisions[1].identity == "uid:engineer"
    assert node.records("phase", "action_type") == [
        (Phase.DECISION, "cfg_apply"),
        (Phase.OUTCOME, "cfg_apply"),
    ]


@pytest.mark.parametrize(
    ("params", "role", "code", "named"),
    [
        ({"log.levl": "warn"}, Role.ADMIN, DenialCode.CONTRACT_VIOLATION, "log.level"),
        ({"log.level": "loud"}, Role.ENGINEER, DenialCode.CONTRACT_VIOLATION, "log.level"),
        ({"web.enabled": False}, Role.ENGINEER, DenialCode.ACL_DENIED_CFG_WRITE, "admin"),
    ],
)
@virtual
async def test_a_write_that_is_refused_is_recorded_with_its_reason_and_remedy(
    scene: Scene, params: dict[str, Any], role: Role, code: DenialCode, named: str
) -> None:
    node = await scene.node()
    reply = await refused(node, "config.set", params, caller=caller(role), request_id="r")
    assert reply.denial_code is code
    assert named in reply.error
    assert node.store.disk.synced.revisions == {}
    assert node.records("outcome", "audit_id", "request_id") == [
        (Outcome.DENIED, reply.audit_id, "r")
    ]


@virtual
async def test_the_remedy_is_that_of_the_check_that_refused(scene: Scene) -> None:
    node = await scene.node()
    engineer = caller(Role.ENGINEER)
    reply = await refused(node, "config.set", {"web.enabled": False}, caller=engineer)
    assert reply.remedy == "obtain role admin"


@virtual
async def test_a_refusal_of_the_execution_has_a_remedy_too(scene: Scene) -> None:
    node = await scene.node()
    await ask(node, "config.set", {"log.level": "warn"}, request_id="r")
    reply = await refused(node, "config.set", {"log.level": "error"}, request_id="r")
    assert reply.denial_code is DenialCode.CONFLICT
    assert "r" in reply.error


@virtual
async def test_a_secret_that_is_set_is_shown_and_recorded_nowhere(scene: Scene) -> None:
    node = await scene.node()
    replies = [
        await ask(node, "config.set", {"mesh.auth_token": SECRET}),
        await ask(node, "config.set", {"mesh.auth_token": [SECRET]}),
        await ask(node, "config.get"),
        await ask(node, "audit.list"),
    ]
    assert [reply.ok for reply in replies] == [True, False, True, True]
    assert SECRET not in repr(replies)
    assert SECRET not in node.everything_kept()


@virtual
async def test_records_are_listed_filtered_and_found(scene: Scene) -> None:
    node = await scene.node()
    viewer = caller(Role.VIEWER)
    first = await ask(node, "config.set", {"log.level": "warn"}, request_id="r-1")
    await ask(node, "config.set", {"log.level": "error"}, request_id="r-2")
    listed = (await ask(node, "audit.list", caller=viewer)).result["items"]
    assert [item["seq"] for item in listed] == [4, 3, 2, 1]

    async def seqs(**params: Any) -> list[int]:
        reply = await ask(node, "audit.list", params, caller=viewer)
        return [item["seq"] for item in reply.result["items"]]

    assert await seqs(request_id="r-1") == [2, 1]
    assert await seqs(limit=1) == [4]
    assert await seqs(limit=1, cursor=4) == [3]
    assert await seqs(actor="nobody") == []
    assert await seqs(runtime="press-1", request_id="r-2") == [4, 3]
    assert await seqs(limit=1_000, cursor=None) == [4, 3, 2, 1]
    found = (await ask(node, "audit.get", {"audit_id": first.audit_id}, caller=viewer)).result
    assert [(r["held_by"], r["phase"]) for r in found["records"]] == [
        ("press-1", "decision"),
        ("press-1", "outcome"),
    ]
    verified = (await ask(node, "audit.verify", caller=viewer)).result
    assert (verified["runtime_id"], verified["records"]) == ("press-1", 4)


@pytest.mark.parametrize(
    ("verb", "params", "named"),
    [
        ("audit.list", {"limit": 0}, "params.limit"),
        ("audit.list", {"limit": 1_001}, "params.limit"),
        ("audit.list", {"limit": "9"}, "params.limit"),
        ("audit.list", {"cursor": "9"}, "params.cursor"),
        ("audit.list", {"actor": 9}, "params.actor"),
        ("audit.list", {"request_id": ""}, "params.request_id"),
        ("audit.get", {}, "params.audit_id"),
        ("audit.get", {"audit_id": 7}, "params.audit_id"),
        ("peers.pin", {}, "params.runtime_id"),
        ("peers.pin", {"runtime_id": "a b"}, "runtime_id"),
        ("peers.pin", {"runtime_id": "press-2", "pin": PIN[1:]}, "params.pin"),
        ("peers.pin", {"runtime_id": "press-2", "pin": PIN.upper()}, "params.pin"),
        ("peers.pin", {"runtime_id": "press-2", "pin": 7}, "params.pin"),
    ],
)
@virtual
async def test_parameters_out_of_form_are_refused_by_name(
    scene: Scene, verb: str, params: dict[str, Any], named: str
) -> None:
    node = await scene.node()
    reply = await refused(node, verb, params)
    assert reply.denial_code is DenialCode.CONTRACT_VIOLATION
    assert named in reply.error
    assert node.store.durable == []


@virtual
async def test_a_pin_is_recorded_before_it_counts_and_kept(scene: Scene) -> None:
    node, other = await scene.pair()
    before = node.services.peers.get(other.id)
    assert before is not None
    node.store.sync_ms = 5
    pinning = ask(node, "peers.pin", {"runtime_id": "press-2", "pin": PIN}, request_id="r")
    reply = await pinning
    assert (reply.ok, reply.result) == (True, {"runtime_id": "press-2"})
    (record,) = [r for r in node.store.durable if r.action_type == "trust.changed"]
    assert record.audit_id == reply.audit_id
    assert (record.actor, record.identity) == (ADMIN.identity, ADMIN.identity)
    assert (record.role, record.request_id) == (Role.ADMIN, "r")
    assert (record.phase, record.outcome) == (Phase.SINGLE, Outcome.EXECUTED)
    assert record.decision is Verdict.ALLOWED
    assert node.store.disk.synced.peers[other.id].pin == PIN
    peer = node.services.peers.get(other.id)
    assert peer is not None
    assert peer.record.pin == PIN
    assert peer.trust_reason == "identity_changed"
    (listed,) = (await ask(node, "peers.list")).result["items"]
    assert (listed["runtime_id"], listed["pin"]) == ("press-2", PIN)
    assert listed["trust_reason"] == "identity_changed"
    assert (await ask(node, "peers.pin", {"runtime_id": "press-2", "pin": None})).ok
    assert peer.record.pin is None


@virtual
async def test_a_pin_that_cannot_be_recorded_does_not_count(scene: Scene) -> None:
    node, other = await scene.pair()
    peer = node.services.peers.get(other.id)
    assert peer is not None
    before = peer.record.pin
    node.store.fail_write(1)
    reply = await refused(node, "peers.pin", {"runtime_id": "press-2", "pin": PIN})
    assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
    assert "disk is full" in reply.error
    assert peer.record.pin == before
    assert node.store.durable == []


@virtual
async def test_a_runtime_never_heard_of_can_be_pinned(scene: Scene) -> None:
    node = await scene.node()
    assert (await ask(node, "peers.pin", {"runtime_id": "site-b/press-9", "pin": PIN})).ok
    peer = node.services.peers.get(RuntimeId("site-b/press-9"))
    assert peer is not None
    assert peer.record.pin == PIN


@virtual
async def test_peers_are_listed_in_order(scene: Scene) -> None:
    node = await scene.node()
    for name in ("press-3", "press-2"):
        node.hears(await scene.node(name))
    items = (await ask(node, "peers.list", caller=caller(Role.VIEWER))).result["items"]
    assert [item["runtime_id"] for item in items] == ["press-2", "press-3"]
    assert [item["lifecycle_state"] for item in items] == ["online"] * 2
    assert all(item["last_seen_ns"] == node.clock.wall_ns() for item in items)


@pytest.mark.parametrize("verb", ["shutdown", "config.set"])
@virtual
async def test_while_the_store_fails_nothing_is_done(scene: Scene, verb: str) -> None:
    node = await scene.node()
    node.store.is_full = True
    for _ in range(2):
        reply = await refused(node, verb, {} if verb == "shutdown" else {"log.level": "warn"})
        assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
        assert reply.audit_id is None
    assert node.stopped == []
    assert node.store.disk.synced.revisions == {}
    # Reading goes on.
    assert (await ask(node, "status")).ok
    assert (await ask(node, "audit.list")).ok


@virtual
async def test_a_store_that_broke_down_is_a_reply_not_a_crash(scene: Scene) -> None:
    node = await scene.node()
    node.store.break_down()
    for verb, params in (("audit.list", {}), ("audit.get", {"audit_id": "audit-1"})):
        reply = await refused(node, verb, params)
        assert reply.denial_code is DenialCode.TRANSPORT_FAILURE


@virtual
async def test_tokens_are_given_out_at_the_socket_too(scene: Scene) -> None:
    node = await scene.node()
    started = await ask(node, "pair.start", {"owner": "anna", "role": "operator"})
    assert started.ok
    claimed = await ask(
        node, "pair.claim", {"code": started.result["code"]}, caller=caller(Role.VIEWER)
    )
    assert claimed.ok
    assert claimed.audit_id
    listed = await ask(node, "pair.list")
    assert [one["owner"] for one in listed.result["items"]] == ["anna"]
    assert claimed.result["token"] not in str(listed)
    revoked = await ask(node, "pair.revoke", {"token_id": claimed.result["token_id"]})
    assert revoked.result["revoked"]["enabled"] is False


@pytest.mark.parametrize(
    ("verb", "params", "code"),
    [
        ("pair.start", {}, DenialCode.CONTRACT_VIOLATION),
        ("pair.start", {"owner": "anna", "role": "admin"}, DenialCode.CONTRACT_VIOLATION),
        ("pair.start", {"owner": "a", "role": "viewer", "x": 1}, DenialCode.CONTRACT_VIOLATION),
        ("pair.claim", {}, DenialCode.CONTRACT_VIOLATION),
        ("pair.claim", {"code": "AAAA-AAAA-AAAAA"}, DenialCode.PERMISSION_DENIED),
        ("pair.revoke", {"token_id": "pt-x"}, DenialCode.PEER_NOT_AVAILABLE),
    ],
)
@virtual
async def test_pairing_verbs_say_why_not(
    scene: Scene, verb: str, params: dict[str, Any], code: DenialCode
) -> None:
    reply = await refused(await scene.node(), verb, params)
    assert reply.denial_code is code
