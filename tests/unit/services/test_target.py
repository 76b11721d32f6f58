"""`services.target`: what another runtime sends is verified, judged, decided, executed (8.3)."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from service_world import ACTOR, SECRET, Node, Scene, virtual
from signed_fleet import NOW_S, signer_of
from trust_runtime.contracts.audit import Outcome, Phase, Verdict
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import ActionBody, ActionClaims, MeshMessage, TokenType
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import action_key, config_key, probe_key
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.contracts.units import CLOCK_SKEW_MS_MAX, NS_PER_MS, NS_PER_S
from trust_runtime.services.signing import Signing, body_digest
from virtual_time import wait_ms

SHUTDOWN = {"command": "shutdown", "params": {"confirm": True}}
CFG: dict[str, Any] = {"op": "cfg_apply", "payload": {"params": {"log.level": "warn"}}}
DENIED = Phase.SINGLE, Outcome.DENIED


class Sender:
    """press-1 (or another) sending actions to press-2, by hand."""

    def __init__(self, origin: Node, target: Node) -> None:
        self.origin, self.target = origin, target
        self.signing = origin.services.signing
        self.sent = 0

    def action(
        self,
        *,
        op: str = "cmd_invoke",
        payload: Any = SHUTDOWN,
        left_ms: int = 1_000,
        body: bytes | None = None,
        door: Callable[[RuntimeId], str] = action_key,
        **claims: Any,
    ) -> tuple[MeshMessage, ActionClaims]:
        """Return a signed action and its claims, of a request of its own unless `claims` say so."""
        self.sent += 1
        if body is None:
            text = canonical_json(payload).decode()
            body = canonical_json(ActionBody(action_type=op, payload_json=text))
        now_ns, running = self.origin.clock.wall_ns(), self.origin.services.running
        deadline_ns = now_ns + left_ms * NS_PER_MS
        made = ActionClaims(
            iss=spiffe_id(self.origin.id),
            aud=spiffe_id(self.target.id),
            sub=ACTOR,
            role=Role.ADMIN,
            caller="uid:1000",
            op=op,
            request_id=f"request-{self.sent}",
            audit_id=f"audit-{self.sent}",
            digest=body_digest(body),
            jti=f"sending-{self.sent}",
            iat=now_ns // NS_PER_S,
            exp=-(-deadline_ns // NS_PER_S),
            deadline_ns=deadline_ns,
            boot_id=running.boot_id,
            deadline_uptime_ns=running.uptime_ms * NS_PER_MS + left_ms * NS_PER_MS,
        )
        made = structs.replace(made, **claims)
        return self.signing.action(door(self.target.id), body, made), made

    async def give(self, message: MeshMessage, claims: ActionClaims) -> TargetReply:
        """Hand a message to the target and return its answer, verified."""
        answer = await self.target.services.target.answer(message)
        assert answer is not None
        asked = structs.replace(claims, aud=spiffe_id(self.target.id))
        signer = self.origin.services.signing.read_reply(asked, answer)
        assert signer.runtime_id == self.target.id
        return decode_json(answer.body, TargetReply)

    async def send(self, **action: Any) -> TargetReply:
        return await self.give(*self.action(**action))

    def effects(self) -> int:
        """Return how many effects there were, of any kind."""
        return len(self.target.stopped) + len(self.target.store.disk.synced.revisions)


async def sender(scene: Scene, origin: str = "press-1", **target: Any) -> Sender:
    """Return a sender whose target has heard of it."""
    one, two = await scene.node(origin), await scene.node("press-2", **target)
    two.hears(one)
    return Sender(one, two)


def refused(reply: TargetReply, code: DenialCode) -> bool:
    """Tell whether it is a refusal of that code that names a reason and a remedy."""
    return (
        reply.status is ResultStatus.DENIED
        and reply.denial_code is code
        and bool(reply.denial_reason)
        and bool(reply.remedy)
    )


@virtual
async def test_an_allowed_write_runs_between_its_two_records(scene: Scene) -> None:
    sends = await sender(scene)
    reply = await sends.send()
    assert reply.status is ResultStatus.EXECUTED
    assert reply.audit_id == "audit-1"
    assert [[r.phase for r in at_effect] for at_effect in sends.target.stopped] == [
        [Phase.DECISION]
    ]
    assert [r.phase for r in sends.target.store.durable] == [Phase.DECISION, Phase.OUTCOME]
    for record in sends.target.store.durable:
        assert (record.audit_id, record.request_id) == ("audit-1", "request-1")
        assert (record.origin, record.target) == ("press-1", "press-2")
        assert (record.actor, record.identity) == (ACTOR, spiffe_id(RuntimeId("press-1")))
        assert (record.role, record.verb) == (Role.ADMIN, "shutdown")


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        pytest.param(
            {"aud": "spiffe://trust/default-site/press-3"},
            DenialCode.PERMISSION_DENIED,
            "press-3",
            id="for somebody else",
        ),
        pytest.param(
            {"aud": "spiffe://trust"}, DenialCode.PERMISSION_DENIED, "press-2", id="for everybody"
        ),
        pytest.param(
            {"digest": body_digest(b"other")},
            DenialCode.CONTRACT_VIOLATION,
            "body",
            id="another body than was signed",
        ),
        pytest.param({"left_ms": 0}, DenialCode.TIMEOUT, "deadline", id="at its deadline"),
        pytest.param({"left_ms": -1}, DenialCode.TIMEOUT, "deadline", id="after its deadline"),
        pytest.param({"role": Role.ENGINEER}, DenialCode.PERMISSION_DENIED, "admin", id="role"),
        pytest.param(
            {"op": "cfg_apply", "payload": {"params": {"web.enabled": False}}}
            | {"role": Role.ENGINEER},
            DenialCode.ACL_DENIED_CFG_WRITE,
            "admin",
            id="role for a key",
        ),
        pytest.param(
            {"op": "status_read", "payload": {}, "role": Role.VIEWER, "left_ms": 0},
            DenialCode.TIMEOUT,
            "deadline",
            id="a read, late",
        ),
        pytest.param(
            {"payload": {"command": "audit.verify"}},
            DenialCode.CONTRACT_VIOLATION,
            "local only",
            id="a verb that is local only",
        ),
        pytest.param(
            {"payload": {"command": "shutdown"}},
            DenialCode.CONTRACT_VIOLATION,
            "confirm",
            id="not confirmed",
        ),
        pytest.param(
            {"payload": {"command": "restart"}},
            DenialCode.NOT_CONFIGURED,
            "not in this version",
            id="not built",
        ),
        pytest.param(
            {"op": "cfg_apply", "payload": {"params": {"log.levl": "warn"}}},
            DenialCode.SCHEMA_MISMATCH,
            "log.level",
            id="a key this runtime does not know",
        ),
    ],
)
@virtual
async def test_what_is_refused_is_recorded_and_has_no_effect(
    scene: Scene, changes: dict[str, Any], code: DenialCode, named: str
) -> None:
    sends = await sender(scene)
    reply = await sends.send(**changes)
    assert refused(reply, code)
    assert named in (reply.denial_reason or "")
    assert sends.effects() == 0
    assert sends.target.store.disk.synced.entries == {}
    assert sends.target.records("phase", "outcome", "denial_code", "decision", "audit_id") == [
        (*DENIED, code, Verdict.DENIED, "audit-1")
    ]
    assert reply.audit_id == "audit-1"


@virtual
async def test_a_deadline_one_millisecond_away_is_none_that_passed(scene: Scene) -> None:
    sends = await sender(scene)
    assert (await sends.send(left_ms=1)).status is ResultStatus.EXECUTED


@pytest.mark.parametrize("kind", ["cmd_invoke", "cfg_apply", "status_read"])
@virtual
async def test_the_very_same_sending_counts_once(scene: Scene, kind: str) -> None:
    sends = await sender(scene)
    payload = {"cfg_apply": {"params": {"log.level": "warn"}}, "cmd_invoke": SHUTDOWN}
    message, claims = sends.action(op=kind, payload=payload.get(kind, {}))
    assert (await sends.give(message, claims)).status is ResultStatus.EXECUTED
    effects = sends.effects()
    again = await sends.give(message, claims)
    assert sends.effects() == effects
    record = sends.target.store.durable[-1]
    if kind == "status_read":
        assert refused(again, DenialCode.CONFLICT)
        assert (record.outcome, record.audit_id) == (Outcome.DENIED, again.audit_id)
    else:  # The ledger answers a write.
        assert again.replayed
        assert record.outcome is Outcome.REPLAYED


@virtual
async def test_a_retry_is_answered_from_the_ledger(scene: Scene) -> None:
    sends = await sender(scene)
    first = await sends.send(request_id="r", audit_id="audit-a")
    again = await sends.send(request_id="r", audit_id="audit-a")
    assert again == structs.replace(first, replayed=True)
    assert len(sends.target.stopped) == 1
    assert sends.target.store.durable[-1].replay_of == "audit-a"
    other = await sends.send(
        request_id="r", op="cfg_apply", payload={"params": {"log.level": "warn"}}
    )
    assert refused(other, DenialCode.CONFLICT)
    assert sends.effects() == 1


@virtual
async def test_a_request_the_ledger_may_have_forgotten_is_refused_but_a_read_is_not(
    scene: Scene,
) -> None:
    sends = await sender(scene)
    sends.target.store.disk.synced.low_water_s = NOW_S + 1
    assert refused(await sends.send(), DenialCode.TIMEOUT)
    assert refused(await sends.send(**CFG), DenialCode.TIMEOUT)
    assert sends.effects() == 0
    read = await sends.send(op="status_read", payload={})
    assert read.status is ResultStatus.EXECUTED


def _garbage(message: MeshMessage) -> MeshMessage:
    return structs.replace(message, token=b"no.token.atall")


def _unsigned(message: MeshMessage) -> MeshMessage:
    return structs.replace(message, token=b"")


def _forged(message: MeshMessage) -> MeshMessage:
    """Sign with the own key what claims to come from press-1."""
    signer = signer_of(RuntimeId("press-3"))
    claims = signer.verify(TokenType.ACTION, message.token)[1]
    return structs.replace(message, token=signer.sign(TokenType.ACTION, claims))


def _broken_signature(message: MeshMessage) -> MeshMessage:
    last = b"A" if message.token[-2:-1] != b"A" else b"B"
    return structs.replace(message, token=message.token[:-2] + last + message.token[-1:])


def _other_kind(message: MeshMessage) -> MeshMessage:
    signer = signer_of(RuntimeId("press-1"))
    claims = signer.verify(TokenType.ACTION, message.token)[1]
    return structs.replace(message, token=signer.sign(TokenType.REPLY, claims))


def _claims_out_of_form(message: MeshMessage) -> MeshMessage:
    signer = signer_of(RuntimeId("press-1"))
    claims = signer.verify(TokenType.ACTION, message.token)[1] | {"role": "emperor"}
    return structs.replace(message, token=signer.sign(TokenType.ACTION, claims))


@pytest.mark.parametrize(
    "bend",
    [_garbage, _unsigned, _forged, _broken_signature, _other_kind, _claims_out_of_form],
)
@virtual
async def test_what_nobody_signed_gets_no_answer_and_one_record(scene: Scene, bend: Any) -> None:
    sends = await sender(scene)
    message, _ = sends.action()
    assert await sends.target.services.target.answer(bend(message)) is None
    assert sends.effects() == 0
    (record,) = sends.target.store.durable
    assert (record.action_type, record.phase) == ("auth.failed", Phase.SINGLE)
    assert (record.actor, record.identity) == ("unknown", "unknown")
    assert (record.decision, record.outcome) == (Verdict.DENIED, Outcome.DENIED)
    assert record.denial_code is DenialCode.PERMISSION_DENIED
    # The good one was not used up by the bad one.
    assert (await sends.send()).status is ResultStatus.EXECUTED


@virtual
async def test_a_flood_nobody_signed_makes_one_record_a_second_with_its_count(
    scene: Scene,
) -> None:
    sends = await sender(scene)
    node, answer = sends.target, sends.target.services.target.answer
    bad = _unsigned(sends.action()[0])
    for _ in range(5):
        assert await answer(bad) is None
    assert len(node.store.durable) == 1
    node.clock.time.now_ns += NS_PER_S - 1
    await answer(bad)
    assert len(node.store.durable) == 1
    node.clock.time.now_ns += 1
    await answer(bad)
    assert len(node.store.durable) == 2
    lines = node.log.of("auth_failed")
    assert [line.level for line in lines] == [LogLevel.WARN] * 2
    assert [line.message.split()[0] for line in lines] == ["1", "6"]
    assert node.store.durable[0].payload_digest != node.store.durable[1].payload_digest


@virtual
async def test_a_flood_goes_on_unanswered_while_the_store_fails(scene: Scene) -> None:
    sends = await sender(scene)
    sends.target.store.is_full = True
    assert await sends.target.services.target.answer(_unsigned(sends.action()[0])) is None
    assert sends.target.services.health.fault is not None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"body": b"{"}, id="no JSON"),
        pytest.param({"body": b"[]"}, id="no object"),
        pytest.param({"body": b'{"action_type":"cmd_invoke","payload_json":"{"}'}, id="payload"),
        pytest.param({"body": b'{"action_type":"status_read","payload_json":"{}"}'}, id="op"),
        pytest.param({"op": "cmd_everything"}, id="no known action"),
        pytest.param({"request_id": ""}, id="no request id"),
        pytest.param({"request_id": "r" * 129}, id="request id too long"),
        pytest.param({"sub": " "}, id="no actor"),
        pytest.param({"audit_id": "1"}, id="audit id out of form"),
        pytest.param({"audit_id": "audit-" + "1" * 59}, id="audit id too long"),
    ],
)
@virtual
async def test_a_signed_message_that_is_no_action_is_refused_and_counted(
    scene: Scene, changes: dict[str, Any]
) -> None:
    sends = await sender(scene)
    reply = await sends.send(**changes)
    assert refused(reply, DenialCode.CONTRACT_VIOLATION)
    assert sends.effects() == 0
    assert sends.target.records("action_type", "outcome") == [("auth.failed", Outcome.DENIED)]


@virtual
async def test_ids_as_long_as_they_may_be_are_taken(scene: Scene) -> None:
    sends = await sender(scene)
    reply = await sends.send(request_id="r" * 128, audit_id="audit-" + "1" * 58)
    assert reply.status is ResultStatus.EXECUTED


@pytest.mark.parametrize(("op", "runs"), [("cmd_invoke", False), ("status_read", True)])
@virtual
async def test_a_changed_key_may_read_and_nothing_more(
    scene: Scene, op: str, *, runs: bool
) -> None:
    sends = await sender(scene)
    sends.signing = Signing(
        own=sends.origin.id,
        signer=signer_of(sends.origin.id, "second"),
        clock=sends.origin.clock,
        entropy=sends.origin.entropy,
    )
    reply = await sends.send(op=op)
    assert sends.effects() == 0
    if runs:
        assert reply.status is ResultStatus.EXECUTED
    else:
        assert refused(reply, DenialCode.PERMISSION_DENIED)
        assert "identity_changed" in (reply.denial_reason or "")
        assert sends.target.records("phase", "outcome") == [DENIED]


@virtual
async def test_a_flood_of_a_sender_that_is_not_trusted_makes_one_record_a_second(
    scene: Scene,
) -> None:
    sends = await sender(scene)
    node, refusals = sends.target, sends.target.services.target.refusals
    node.services.peers.pin(sends.origin.id, "ab" * 32)
    scene.tasks.create_task(refusals.run(), name="refusals")
    replies = []
    for number in range(30):
        changes = {"request_id": f"r-{number}", "audit_id": f"audit-{number}"}
        replies.append(await sends.send(**changes))
        await wait_ms(100)
    assert all(refused(reply, DenialCode.PERMISSION_DENIED) for reply in replies)
    await wait_ms(2_000)
    first, *others = node.store.durable
    assert (first.action_type, first.audit_id, first.count) == ("cmd_invoke", "audit-0", None)
    assert len(others) == 3
    assert {(r.action_type, r.actor) for r in others} == {
        ("auth.failed", spiffe_id(sends.origin.id))
    }
    # None is missing from the count, those of the last moment included.
    assert 1 + sum(record.count or 0 for record in others) == 30
    assert sends.effects() == 0
    assert next(reply.audit_id for reply in replies if reply.audit_id is not None) == "audit-0"


@virtual
async def test_a_refusal_that_a_failed_store_did_not_keep_is_in_a_later_count(
    scene: Scene,
) -> None:
    sends = await sender(scene)
    node, refusals = sends.target, sends.target.services.target.refusals
    node.services.peers.pin(sends.origin.id, "ab" * 32)
    node.store.is_full = True
    assert (await sends.send()).status is ResultStatus.FAILED
    assert await node.services.target.answer(_unsigned(sends.action()[0])) is None
    node.store.is_full = False
    await refusals.flush()
    assert [(r.actor, r.count) for r in node.store.durable] == [
        (spiffe_id(sends.origin.id), 1),
        ("unknown", 1),
    ]


@pytest.mark.parametrize("op", ["cmd_invoke", "status_read"])
@virtual
async def test_a_doubled_origin_may_nothing(scene: Scene, op: str) -> None:
    sends = await sender(scene)
    twin = await scene.node("press-1")
    twin.services.signing._signer = signer_of(sends.origin.id, "second")
    sends.target.hears(twin)
    reply = await sends.send(op=op)
    assert refused(reply, DenialCode.PERMISSION_DENIED)
    assert "duplicate_instance" in (reply.denial_reason or "")
    assert sends.effects() == 0


@virtual
async def test_an_origin_that_signs_with_the_own_id_may_nothing(scene: Scene) -> None:
    one, two = await scene.node("press-2"), await scene.node("press-2")
    sends = Sender(one, two)
    reply = await sends.send(op="status_read", payload={})
    assert refused(reply, DenialCode.PERMISSION_DENIED)


@pytest.mark.parametrize(
    ("origin_ahead_ms", "runs"),
    [
        pytest.param(5_000, True, id="as far ahead as allowed"),
        pytest.param(5_001, False, id="too far ahead"),
        pytest.param(-5_000, True, id="as far behind as allowed"),
        pytest.param(-5_001, False, id="too far behind"),
    ],
)
@virtual
async def test_measured_skew_beyond_the_limit_refuses(
    scene: Scene, origin_ahead_ms: int, *, runs: bool
) -> None:
    one = await scene.node("press-1", wall_error_ms=origin_ahead_ms)
    two = await scene.node("press-2")
    two.hears(one)
    sends = Sender(one, two)
    reply = await sends.send()
    assert len(two.stopped) == int(runs)
    assert runs or refused(reply, DenialCode.STALE_DATA)
    assert runs or "differs by" in (reply.denial_reason or "")
    assert runs or two.records("denial_code") == [(DenialCode.STALE_DATA,)]


@pytest.mark.parametrize(
    ("origin_ahead_ms", "runs"), [(5_000, True), (6_000, False), (-6_000, True), (-7_000, False)]
)
@virtual
async def test_without_a_beacon_the_send_time_of_a_read_itself_must_be_near(
    scene: Scene, origin_ahead_ms: int, *, runs: bool
) -> None:
    one = await scene.node("press-1", wall_error_ms=origin_ahead_ms)
    sends = Sender(one, await scene.node("press-2"))
    reply = await sends.send(op="status_read", payload={}, left_ms=10_000)
    assert (reply.status is ResultStatus.EXECUTED) == runs
    assert runs or refused(reply, DenialCode.STALE_DATA)


@virtual
async def test_a_write_of_an_incarnation_that_was_not_heard_yet_is_refused(scene: Scene) -> None:
    sends = await sender(scene)
    reply = await sends.send(boot_id=sends.target.services.running.boot_id)
    assert refused(reply, DenialCode.STALE_DATA)
    assert "not heard yet since its start" in (reply.denial_reason or "")
    assert sends.effects() == 0


@pytest.mark.parametrize("step_ms", [-600_000, -3_000, 3_000])
@pytest.mark.parametrize(("later_ms", "runs"), [(999, True), (1_000, False)])
@virtual
async def test_a_step_of_the_own_clock_moves_no_deadline(
    scene: Scene, step_ms: int, later_ms: int, *, runs: bool
) -> None:
    sends = await sender(scene)
    message, claims = sends.action(left_ms=1_000)
    await wait_ms(later_ms)
    sends.target.clock.step_wall_ms(step_ms)
    sends.target.hears(sends.origin)  # The skew is measured anew; beyond 5 s all is refused.
    await sends.give(message, claims)
    assert len(sends.target.stopped) == int(runs and abs(step_ms) < CLOCK_SKEW_MS_MAX)


@pytest.mark.parametrize("origin_ahead_ms", [-3_000, 0, 3_000])
@pytest.mark.parametrize(("later_ms", "runs"), [(999, True), (1_000, False)])
@virtual
async def test_the_deadline_is_the_origins_instant_whatever_its_clock_says(
    scene: Scene, origin_ahead_ms: int, later_ms: int, *, runs: bool
) -> None:
    one = await scene.node("press-1", wall_error_ms=origin_ahead_ms)
    two = await scene.node("press-2")
    two.hears(one)
    sends = Sender(one, two)
    message = sends.action(left_ms=1_000)
    await wait_ms(later_ms)
    reply = await sends.give(*message)
    assert len(two.stopped) == int(runs)
    assert runs or refused(reply, DenialCode.TIMEOUT)


@virtual
async def test_a_deadline_that_passes_while_the_decision_is_synced_stops_the_effect(
    scene: Scene,
) -> None:
    sends = await sender(scene)
    sends.target.store.sync_ms = 1_000
    reply = await sends.send(left_ms=1_000)
    assert (reply.status, reply.denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)
    assert sends.effects() == 0


@pytest.mark.parametrize(
    ("action", "fails"),
    [
        pytest.param({}, 1, id="the decision"),
        pytest.param({"op": "status_read", "payload": {}}, 1, id="the record of a read"),
        pytest.param({"role": Role.VIEWER}, 1, id="the record of a refusal"),
        pytest.param({"op": "cfg_apply", "payload": {"params": {}}}, 1, id="the one commit"),
    ],
)
@virtual
async def test_what_cannot_be_recorded_is_a_signed_failure_without_effect(
    scene: Scene, action: dict[str, Any], fails: int
) -> None:
    sends = await sender(scene)
    sends.target.store.fail_write(fails)
    reply = await sends.send(**action)
    assert reply.status is ResultStatus.FAILED
    assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
    assert "disk is full" in (reply.denial_reason or "")
    assert reply.remedy
    assert (reply.audit_id, reply.response) == (None, None)
    assert (sends.effects(), sends.target.store.durable) == (0, [])
    assert sends.target.services.health.fault is not None
    # From then on the decision itself refuses.
    assert (await sends.send()).denial_code is DenialCode.TRANSPORT_FAILURE


@virtual
async def test_a_broken_store_is_a_signed_failure(scene: Scene) -> None:
    sends = await sender(scene)
    sends.target.store.break_down()
    reply = await sends.send()
    assert (reply.status, reply.audit_id) == (ResultStatus.FAILED, None)
    assert sends.effects() == 0


@virtual
async def test_a_stop_waits_for_what_is_being_answered(scene: Scene) -> None:
    sends = await sender(scene)
    sends.target.store.sync_ms = 50
    in_flight = sends.target.services.running.in_flight
    answering = scene.tasks.create_task(sends.send())
    await wait_ms(60)
    assert not await in_flight.wait_idle(0.03)
    await wait_ms(20)
    assert answering.done()
    assert await in_flight.wait_idle(0)


RULE = {"action": "cfg_apply", "target": "press-2", "from": "site-b/press-1"}


@pytest.mark.parametrize(
    ("rules", "action", "code"),
    [
        pytest.param([], CFG, DenialCode.PERMISSION_DENIED, id="no rule"),
        pytest.param([RULE], CFG, None, id="a rule"),
        pytest.param(
            [RULE | {"from": "site-c/*"}], CFG, DenialCode.PERMISSION_DENIED, id="for others"
        ),
        pytest.param([RULE], {}, DenialCode.PERMISSION_DENIED, id="for another action"),
        pytest.param(
            [RULE | {"action": "*"}], {}, DenialCode.PERMISSION_DENIED, id="never as admin"
        ),
        pytest.param([], {"op": "status_read", "payload": {}}, None, id="a read needs none"),
    ],
)
@virtual
async def test_another_site_needs_an_inbound_rule_of_the_target(
    scene: Scene, rules: list[dict[str, str]], action: dict[str, Any], code: DenialCode | None
) -> None:
    sends = await sender(scene, "site-b/press-1", runtime__cloud__wan__allow_write=rules)
    reply = await sends.send(**action)
    if code is None:
        assert reply.status is ResultStatus.EXECUTED
    else:
        assert refused(reply, code)
        assert sends.effects() == 0


@virtual
async def test_a_secret_that_was_sent_stands_in_no_record_and_no_answer(scene: Scene) -> None:
    sends = await sender(scene)
    payload = {"params": {"mesh.auth_token": SECRET}}
    replies = [
        await sends.send(op="cfg_apply", payload=payload),
        await sends.send(op="cfg_apply", payload=payload, role=Role.ENGINEER),
        await sends.send(op="cfg_apply", payload={"params": {"mesh.auth_token": [SECRET]}}),
        await sends.send(body=canonical_json({"x": SECRET})),
    ]
    assert [r.status is ResultStatus.EXECUTED for r in replies] == [True, False, False, False]
    assert SECRET not in repr(replies)
    assert SECRET not in sends.target.everything_kept()


CONFIG: dict[str, Any] = {"door": config_key}
PATCH = {"params": {"log.level": "warn"}}


@pytest.mark.parametrize(
    ("op", "payload", "recorded"),
    [
        ("config.read", {}, "status_read"),
        ("config.history", {"limit": 1}, "status_read"),
        ("config.write", PATCH, "config.write"),
        ("config.rollback", {"revision": 1}, "config.rollback"),
    ],
)
@virtual
async def test_operations_on_the_configuration_take_the_same_path(
    scene: Scene, op: str, payload: Any, recorded: str
) -> None:
    sends = await sender(scene)
    await sends.send(**CFG)
    before = len(sends.target.store.durable)
    reply = await sends.send(op=op, payload=payload, **CONFIG)
    assert reply.status is ResultStatus.EXECUTED
    assert reply.response is not None
    found = sends.target.store.durable[before:]
    assert {r.action_type for r in found} == {recorded}
    assert {(r.audit_id, r.origin, r.actor) for r in found} == {("audit-2", sends.origin.id, ACTOR)}
    # Late, forged, for somebody else: nothing of the judging is left out on this key.
    for changes, code in (
        ({"left_ms": 0}, DenialCode.TIMEOUT),
        ({"aud": "spiffe://trust/default-site/press-3"}, DenialCode.PERMISSION_DENIED),
        ({"digest": body_digest(b"other")}, DenialCode.CONTRACT_VIOLATION),
    ):
        late: dict[str, Any] = {"op": op, "payload": payload, **CONFIG, **changes}
        assert refused(await sends.send(**late), code)
    assert sorted(sends.target.store.disk.synced.revisions) == [1]


@pytest.mark.parametrize(
    ("op", "payload", "door"),
    [
        ("config.read", {}, action_key),
        ("config.write", PATCH, action_key),
        ("cfg_apply", PATCH, config_key),
        ("status_read", {}, config_key),
        ("cmd_invoke", SHUTDOWN, config_key),
        ("config.read", {}, probe_key),
        ("config.everything", {}, config_key),
    ],
)
@virtual
async def test_each_key_takes_its_own_operations_only(
    scene: Scene, op: str, payload: Any, door: Callable[[RuntimeId], str]
) -> None:
    sends = await sender(scene)
    reply = await sends.send(op=op, payload=payload, door=door)
    assert refused(reply, DenialCode.CONTRACT_VIOLATION)
    assert sends.effects() == 0
    assert sends.target.records("action_type") == [("auth.failed",)]


@pytest.mark.parametrize(
    ("op", "payload", "role", "code"),
    [
        ("config.read", {}, Role.VIEWER, None),
        ("config.history", {}, Role.VIEWER, None),
        ("config.write", PATCH, Role.ENGINEER, None),
        ("config.write", PATCH, Role.OPERATOR, DenialCode.ACL_DENIED_CFG_WRITE),
        (
            "config.write",
            {"params": {"web.enabled": False}},
            Role.ENGINEER,
            DenialCode.ACL_DENIED_CFG_WRITE,
        ),
        ("config.rollback", {"revision": 1}, Role.OPERATOR, DenialCode.ACL_DENIED_CFG_WRITE),
        ("config.write", {"params": {"log.levl": 1}}, Role.ADMIN, DenialCode.SCHEMA_MISMATCH),
        ("config.write", {"params": 1}, Role.ADMIN, DenialCode.CONTRACT_VIOLATION),
    ],
)
@virtual
async def test_the_target_decides_about_the_configuration_itself(
    scene: Scene, op: str, payload: Any, role: Role, code: DenialCode | None
) -> None:
    sends = await sender(scene)
    reply = await sends.send(op=op, payload=payload, role=role, **CONFIG)
    if code is None:
        assert reply.status is ResultStatus.EXECUTED
    else:
        assert refused(reply, code)
        # Nothing of the documents is told to whom the decision refuses.
        assert reply.response is None
        assert sends.effects() == 0


@virtual
async def test_a_rollback_from_another_site_is_never_an_admins(scene: Scene) -> None:
    rules = [{"action": "cfg_apply", "target": "press-2"}]
    sends = await sender(scene, "site-b/press-1", runtime__cloud__wan__allow_write=rules)
    own = await sender(scene, "press-3")
    own.target = sends.target
    sends.target.hears(own.origin)
    hosts = {"params": {"web.allowed_hosts": ["a"]}}
    assert (await own.send(op="config.write", payload=hosts, **CONFIG)).denial_code is None
    gone = {"params": {"web.allowed_hosts": None}}
    assert (await own.send(op="config.write", payload=gone, **CONFIG)).denial_code is None
    reply = await sends.send(op="config.rollback", payload={"revision": 1}, **CONFIG)
    assert reply.denial_code is DenialCode.ACL_DENIED_CFG_WRITE
    assert sends.target.store.durable[-1].role is Role.ENGINEER
    assert sorted(sends.target.store.disk.synced.revisions) == [1, 2]


@pytest.mark.parametrize("op", ["config.read", "config.history"])
@virtual
async def test_the_very_same_question_counts_once(scene: Scene, op: str) -> None:
    sends = await sender(scene)
    message, claims = sends.action(op=op, payload={}, **CONFIG)
    assert (await sends.give(message, claims)).status is ResultStatus.EXECUTED
    assert refused(await sends.give(message, claims), DenialCode.CONFLICT)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        CFG,
        {"op": "status_read", "payload": {}},
        {"op": "ledger.read", "payload": {"request_id": "request-1"}},
    ],
    ids=["cmd_invoke", "cfg_apply", "status_read", "ledger.read"],
)
@virtual
async def test_what_the_profile_lacks_refuses_every_question(
    scene: Scene, asked: dict[str, Any]
) -> None:
    sends = await sender(scene)
    sends.target.services.status.unmet = lambda: ("runtime.web.auth='token'",)
    reply = await sends.send(**asked)
    assert refused(reply, DenialCode.NOT_CONFIGURED)
    assert "runtime.web.auth='token'" in (reply.denial_reason or "")
    assert sends.effects() == 0
