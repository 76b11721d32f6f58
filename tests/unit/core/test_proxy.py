"""`core.proxy`: from a verb to its action, and from a result to an answer (contract 6.16, 14.3)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from action_row_samples import allowed
from decision_samples import CALLER, FACTS
from trust_runtime.contracts.actions import VERB_READS, VERBS, ActionType, VerbRead
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Role, allows
from trust_runtime.contracts.proxies import ControlRequest, ProxyRequest
from trust_runtime.contracts.results import (
    ControlReply,
    DispatchReport,
    ResultStatus,
    TargetResult,
)
from trust_runtime.core.dispatch import failed, out_of_time, report
from trust_runtime.core.policy.preflight import decide
from trust_runtime.core.proxy import action_of, answer_of, form_denial, to_request

OWN = RuntimeId("press-1")
WANTED = ProxyRequest(
    api_version="1.0",
    actor="spiffe://trust/default-site/anna",
    target_runtime="press-2",
    control_request=ControlRequest(type="config.get", params={"keys": ["log.level"]}),
)
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"api_version": "2.0"}, "api_version"),
    ({"actor": " "}, "actor"),
    ({"target_runtime": ""}, "target_runtime"),
    ({"control_request": ControlRequest(type=" ")}, "blank"),
]


def asking(verb: str, params: dict[str, Any] | None = None, **changes: Any) -> ProxyRequest:
    control = ControlRequest(type=verb, params=params or {})
    return structs.replace(WANTED, **{"control_request": control, **changes})


def denial_of(wanted: ProxyRequest) -> Denial:
    denial = form_denial(wanted, FACTS)
    assert denial is not None
    assert denial.code is DenialCode.CONTRACT_VIOLATION
    return denial


@pytest.mark.parametrize("first", range(len(BROKEN)))
def test_the_first_thing_that_is_wrong_answers(first: int) -> None:
    changes: dict[str, Any] = {}
    for broken, _ in reversed(BROKEN[first:]):
        changes |= broken
    assert BROKEN[first][1] in denial_of(structs.replace(WANTED, **changes)).reason


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (asking("config.gett"), "did you mean 'config.get'"),
        (asking("audit.list"), "local only"),
        (asking("pair.start"), "local only"),
        (asking("status", target_runtime="a/b/c"), "no runtime id"),
        (asking("status", control_request=ControlRequest(type="status", request_id=" ")), "form"),
    ],
)
def test_what_is_no_request_is_told(wanted: ProxyRequest, said: str) -> None:
    assert said in denial_of(wanted).reason


@pytest.mark.parametrize("verb", [v for v in VERBS.values() if not v.local_only])
def test_every_verb_of_the_network_has_one_action(verb: Any) -> None:
    assert form_denial(asking(verb.name), FACTS) is None
    action = action_of(verb)
    if verb.name == "config.set":
        assert action is ActionType.CFG_APPLY
    elif verb.role is Role.VIEWER:
        assert action is ActionType.STATUS_READ
    else:
        assert action is ActionType.CMD_INVOKE


def test_a_verb_keeps_its_parameters() -> None:
    patch = {"log.level": "debug"}
    written = to_request(asking("config.set", patch), own=OWN, request_id="r")
    assert (written.action_type, written.payload) == ("cfg_apply", {"params": patch})
    read = to_request(WANTED, own=OWN, request_id="r")
    assert isinstance(read, VerbRead)
    assert (read.action_type, read.verb) == ("status_read", "config.get")
    assert read.payload == {"command": "config.get", "params": {"keys": ["log.level"]}}
    done = to_request(asking("shutdown", {"confirm": True}), own=OWN, request_id="r-9")
    assert not isinstance(done, VerbRead)
    assert done.payload == {"command": "shutdown", "params": {"confirm": True}}
    assert (done.request_id, done.target_runtimes, done.connected_via) == ("r-9", ["press-2"], OWN)


@pytest.mark.parametrize("verb", ["config.set", "status", "shutdown"])
def test_what_is_expected_of_a_group_is_not_ignored(verb: str) -> None:
    request = to_request(asking(verb, ha={"group_id": "g"}), own=OWN, request_id="r")
    preflight = decide(request, CALLER, FACTS)
    assert preflight.denial_code is DenialCode.NOT_CONFIGURED
    assert "payload.ha" in (preflight.denial_reason or "")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (asking("status"), None),
        (asking("config.get", {"keys": ["a"]}), None),
        (asking("config.get", {"keys": "a"}), DenialCode.CONTRACT_VIOLATION),
        (asking("status", {"more": 1}), DenialCode.CONTRACT_VIOLATION),
        (asking("shutdown"), DenialCode.CONTRACT_VIOLATION),
        (asking("shutdown", {"confirm": True}), None),
        (asking("io.read"), DenialCode.NOT_CONFIGURED),
        (asking("pause"), DenialCode.NOT_CONFIGURED),
        (asking("config.set", {"log.levle": "x"}), DenialCode.CONTRACT_VIOLATION),
        (asking("status", target_runtime="ghost"), DenialCode.TARGET_UNREACHABLE),
    ],
)
def test_the_decision_is_that_of_a_dispatch(wanted: ProxyRequest, code: DenialCode | None) -> None:
    request = to_request(wanted, own=OWN, request_id="r")
    assert decide(request, CALLER, FACTS).denial_code == code


@given(st.sampled_from(sorted(VERBS)), st.sampled_from(Role))
@settings(max_examples=120)
def test_nobody_gets_a_verb_beyond_the_own_role(verb: str, role: Role) -> None:
    spec = VERBS[verb]
    if spec.local_only:
        assert form_denial(asking(verb), FACTS) is not None
        return
    request = to_request(asking(verb), own=OWN, request_id="r")
    caller = Caller(identity="token://x", role=role)
    [decision] = decide(request, caller, FACTS).decisions
    denied = {check.check for check in decision.checks if check.outcome == "deny"}
    assert ("role" in denied) is not allows(role, spec.role)
    if "role" in denied:
        written = verb == "config.set"
        assert decision.denial_code is (
            DenialCode.ACL_DENIED_CFG_WRITE if written else DenialCode.PERMISSION_DENIED
        )


def test_every_read_on_the_wire_is_a_verb_anybody_may_run() -> None:
    assert {VERBS[name].role for name in VERB_READS} == {Role.VIEWER}
    assert not any(VERBS[name].local_only for name in VERB_READS)


def answered(result: TargetResult) -> DispatchReport:
    request = to_request(WANTED, own=OWN, request_id="p-1")
    return report(request, allowed("press-2"), [result])


@pytest.mark.parametrize("ok", [True, False])
def test_a_reply_is_told_under_the_callers_numbers(*, ok: bool) -> None:
    code = None if ok else DenialCode.TRANSPORT_FAILURE
    result = TargetResult(
        runtime_id="press-2",
        status=ResultStatus.EXECUTED if ok else ResultStatus.FAILED,
        ok=ok,
        denial_code=code,
        audit_id="audit-1",
        response=ControlReply(id=1, ok=ok, result={"n": 1}, denial_code=code),
    )
    assert answer_of(answered(result), reply_id=7) == ControlReply(
        id=7, ok=ok, request_id="p-1", audit_id="audit-1", result={"n": 1}, denial_code=code
    )


def refused(code: DenialCode, **more: Any) -> TargetResult:
    return TargetResult(
        runtime_id="press-2",
        status=ResultStatus.DENIED,
        ok=False,
        denial_code=code,
        denial_reason="why",
        audit_id="audit-1",
        **more,
    )


@pytest.mark.parametrize(
    ("result", "code", "by_decision"),
    [
        (refused(DenialCode.PERMISSION_DENIED), DenialCode.PERMISSION_DENIED, True),
        (refused(DenialCode.STALE_DATA), DenialCode.STALE_DATA, True),
        (refused(DenialCode.CONFLICT), DenialCode.CONFLICT, False),
        (refused(DenialCode.TIMEOUT), DenialCode.TIMEOUT, False),
        (refused(DenialCode.OVERLOADED), DenialCode.OVERLOADED, False),
        (out_of_time("press-2"), DenialCode.TIMEOUT, False),
        (
            failed("press-2", DenialCode.TARGET_UNREACHABLE, "nobody"),
            DenialCode.TARGET_UNREACHABLE,
            False,
        ),
    ],
)
def test_what_is_no_reply_says_whether_it_was_decided(
    result: TargetResult, code: DenialCode, *, by_decision: bool
) -> None:
    answer = answer_of(answered(result), reply_id=1)
    assert isinstance(answer, Unanswered)
    assert (answer.denial.code, answer.refused) == (code, by_decision)
    assert answer.denial.remedy
    assert answer.audit_id == result.audit_id


def test_a_denial_here_shows_its_decision_and_remedy() -> None:
    request = to_request(asking("status", target_runtime="ghost"), own=OWN, request_id="r")
    preflight = decide(request, CALLER, FACTS)
    told = TargetResult(
        runtime_id="ghost",
        status=ResultStatus.DENIED,
        ok=False,
        denial_code=preflight.denial_code,
        denial_reason=preflight.denial_reason,
    )
    answer = answer_of(report(request, preflight, [told]), reply_id=1)
    assert isinstance(answer, Unanswered)
    assert answer.refused
    assert answer.preflight == preflight
    assert "start ghost" in answer.denial.remedy


def test_a_request_that_still_runs_says_when_to_ask_again() -> None:
    answer = answer_of(answered(refused(DenialCode.CONFLICT, retry_after_ms=900)), reply_id=1)
    assert isinstance(answer, Unanswered)
    assert answer.denial.retry_after_ms == 900
