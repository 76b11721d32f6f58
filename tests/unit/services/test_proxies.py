"""`services.proxies`: verbs over HTTP go the way of a dispatch (contract 6.16, 14.3)."""

import json
from typing import Any

import pytest

from service_world import ACTOR, ADMIN, SECRET, Node, Scene, virtual
from trust_runtime.contracts.actions import VERB_READ
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.audit import Outcome, Phase
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import ActionBody
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.proxies import (
    ControlRequest,
    DirectRequest,
    NotProxied,
    ProxyRequest,
)
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_S, MonotonicNs
from trust_runtime.services.calls import Call

VIEWER = Caller(identity="token://guest", role=Role.VIEWER)
KINDS = ("action_type", "verb", "phase", "outcome")


def proxy(verb: str, target: str = "press-2", **more: Any) -> ProxyRequest:
    control = ControlRequest(
        type=verb, params=more.pop("params", {}), request_id=more.pop("request_id", None)
    )
    return ProxyRequest(
        api_version=more.pop("api_version", "1.0"),
        actor=ACTOR,
        target_runtime=target,
        control_request=control,
        **more,
    )


async def said(node: Node, wanted: ProxyRequest, caller: Caller = ADMIN) -> ControlReply:
    answer = await node.services.proxies.proxy(wanted, caller)
    assert isinstance(answer, ControlReply), answer
    return answer


async def unsaid(node: Node, wanted: ProxyRequest, caller: Caller = ADMIN) -> Unanswered:
    answer = await node.services.proxies.proxy(wanted, caller)
    assert isinstance(answer, Unanswered), answer
    return answer


@pytest.mark.parametrize("target", ["press-1", "press-2"])
@virtual
async def test_a_read_runs_the_verb_itself_under_the_rules_of_status_read(
    scene: Scene, target: str
) -> None:
    one, two = await scene.pair()
    executed_at = one if target == "press-1" else two
    reply = await said(one, proxy("config.get", target, request_id="p-1"), VIEWER)
    assert reply.ok
    assert reply.result["log.level"] == "info"
    assert (reply.id, reply.request_id) == (1, "p-1")
    read = ("status_read", "config.get", Phase.SINGLE, Outcome.EXECUTED)
    assert executed_at.records(*KINDS, request_id="p-1") == [read]
    assert one.records(*KINDS, request_id="p-1") == [read]
    assert reply.audit_id == executed_at.records("audit_id", request_id="p-1")[0][0]


@virtual
async def test_the_operation_on_the_wire_is_a_read_of_the_verb(scene: Scene) -> None:
    one, _ = await scene.pair()
    await said(one, proxy("health"))
    [asked] = one.line.asked
    body = decode_json(asked.body, ActionBody)
    assert body.action_type == VERB_READ
    assert json.loads(body.payload_json) == {"command": "health", "params": {}}


@pytest.mark.parametrize("verb", ["shutdown", "audit.list", "", "no.such.verb"])
@virtual
async def test_a_target_runs_no_other_verb_as_a_read(scene: Scene, verb: str) -> None:
    one, two = await scene.pair()
    deadline_ns = MonotonicNs(one.clock.monotonic_ns() + NS_PER_S)
    answer = await one.services.actions._calls.call(
        Call(
            target=two.id,
            action_type=VERB_READ,
            payload={"command": verb, "params": {"confirm": True}},
            actor=ACTOR,
            caller=ADMIN,
            request_id="p-1",
            audit_id="audit-1",
            deadline_ns=deadline_ns,
        )
    )
    assert isinstance(answer, TargetReply)
    assert (answer.status, answer.denial_code) == (
        ResultStatus.DENIED,
        DenialCode.CONTRACT_VIOLATION,
    )
    assert two.stopped == []


@virtual
async def test_reads_are_answered_anew_and_writes_from_the_ledger(scene: Scene) -> None:
    one, two = await scene.pair()
    down = proxy("shutdown", params={"confirm": True}, request_id="p-1")
    first, second = await said(one, down), await said(one, down)
    assert (first.result, second.result) == ({"stopping": True}, {"stopping": True})
    assert len(two.stopped) == 1
    assert second.audit_id == first.audit_id
    again = [await said(one, proxy("status", request_id="p-2")) for _ in range(2)]
    assert len({reply.audit_id for reply in again}) == 2


@virtual
async def test_config_set_is_cfg_apply(scene: Scene) -> None:
    one, two = await scene.pair()
    reply = await said(one, proxy("config.set", params={"log.level": "debug"}, request_id="p-1"))
    assert reply.result["updated"] == ["log.level"]
    assert two.services.config.document == {"log.level": "debug"}
    assert {r[0] for r in two.records("action_type", request_id="p-1")} == {"cfg_apply"}
    refused = await unsaid(one, proxy("config.set", params={"log.level": "info"}), VIEWER)
    assert (refused.denial.code, refused.refused) == (DenialCode.ACL_DENIED_CFG_WRITE, True)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (proxy("shutdown", params={"confirm": True}), DenialCode.PERMISSION_DENIED),
        (proxy("pause"), DenialCode.PERMISSION_DENIED),
        (proxy("io.read"), DenialCode.NOT_CONFIGURED),
        (proxy("status", params={"more": 1}), DenialCode.CONTRACT_VIOLATION),
        (proxy("status", "ghost"), DenialCode.TARGET_UNREACHABLE),
    ],
)
@virtual
async def test_a_denial_is_that_of_a_dispatch_and_audited(
    scene: Scene, wanted: ProxyRequest, code: DenialCode
) -> None:
    one, two = await scene.pair()
    answer = await unsaid(one, wanted, VIEWER)
    assert (answer.denial.code, answer.refused) == (code, True)
    assert answer.preflight.denial_code is code
    [(audit_id, outcome)] = one.records("audit_id", "outcome")
    assert (audit_id, outcome) == (answer.audit_id, Outcome.DENIED)
    assert (two.records(), one.line.asked, two.stopped) == ([], [], [])


@virtual
async def test_another_request_under_an_id_is_a_conflict(scene: Scene) -> None:
    one, _ = await scene.pair()
    await said(one, proxy("shutdown", params={"confirm": True}, request_id="p-1"))
    other = proxy("config.set", params={"log.level": "debug"}, request_id="p-1")
    answer = await unsaid(one, other)
    assert (answer.denial.code, answer.refused) == (DenialCode.CONFLICT, False)


@virtual
async def test_without_time_nothing_runs(scene: Scene) -> None:
    one, two = await scene.pair()
    wanted = proxy("shutdown", params={"confirm": True}, query_budget_ms=0)
    answer = await unsaid(one, wanted)
    assert (answer.denial.code, answer.refused) == (DenialCode.TIMEOUT, False)
    assert two.stopped == []


@virtual
async def test_a_verb_that_fails_answers_so(scene: Scene) -> None:
    one, two = await scene.pair()

    async def fail(_params: dict[str, Any]) -> Any:
        raise RuntimeError(SECRET)

    two.services.execution._verbs["health"] = fail
    reply = await said(one, proxy("health"))
    assert (reply.ok, reply.denial_code) == (False, DenialCode.TRANSPORT_FAILURE)
    assert reply.error is not None
    assert SECRET not in reply.error
    assert one.records("outcome") == [(Outcome.FAILED,)]


@virtual
async def test_a_request_that_is_none_is_recorded_as_that(scene: Scene) -> None:
    one, _ = await scene.pair()
    for wanted in (proxy("statuss"), proxy("audit.list"), proxy("status", api_version="2.0")):
        answer = await one.services.proxies.proxy(wanted, ADMIN)
        assert isinstance(answer, NotProxied)
        assert answer.denial.code is DenialCode.CONTRACT_VIOLATION
        assert one.records("audit_id", "outcome")[-1] == (answer.audit_id, Outcome.DENIED)
    assert one.line.asked == []


@virtual
async def test_a_direct_request_is_for_this_runtime_in_the_callers_name(scene: Scene) -> None:
    one = await scene.node()
    wanted = DirectRequest(id=7, type="shutdown", params={"confirm": True})
    answer = await one.services.proxies.control(wanted, ADMIN)
    assert isinstance(answer, ControlReply)
    assert (answer.id, answer.ok, answer.result) == (7, True, {"stopping": True})
    assert (answer.request_id or "").startswith("control-")
    assert {r[0] for r in one.records("actor")} == {ADMIN.identity}
    refused = await one.services.proxies.control(wanted, VIEWER)
    assert isinstance(refused, Unanswered)
    assert refused.denial.code is DenialCode.PERMISSION_DENIED
    unknown = await one.services.proxies.control(DirectRequest(type="x"), ADMIN)
    assert isinstance(unknown, NotProxied)
