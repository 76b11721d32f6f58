"""`core.dispatch`: contract 6.8, 8.5, 8.6."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.actions import ActionRequest, OnDenied
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.decisions import Preflight, TargetDecision, TargetState
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.receipt import MovedFact, SeenBy
from trust_runtime.contracts.results import (
    ControlReply,
    DispatchReport,
    ResultStatus,
    TargetReply,
    TargetResult,
)
from trust_runtime.core.dispatch import (
    conclude,
    failed,
    out_of_time,
    plan_dispatch,
    plan_refused,
    report,
)

EXECUTED, DENIED, SKIPPED, TIMEOUT, FAILED = ResultStatus
DIGEST = "sha256:aa"
REQUEST = ActionRequest(
    api_version="1.7",
    request_id="r-1",
    connected_via="press-1",
    target_runtimes=[],
    actor="me",
    action_type="cmd_invoke",
)
WHOLE = deny(DenialCode.NOT_CONFIGURED, "runtime.web.auth='token'")
UNREACHABLE = DenialCode.TARGET_UNREACHABLE
ABORTED = "not executed: another target was denied"


def decided(allowed: dict[str, bool]) -> Preflight:
    decisions = tuple(
        TargetDecision(
            runtime_id=target,
            allowed=good,
            target_state=TargetState.REACHABLE if good else TargetState.UNKNOWN,
            denial_code=None if good else UNREACHABLE,
            denial_reason=None if good else f"{target} is not known",
            checks=(),
        )
        for target, good in allowed.items()
    )
    first = next((d for d in decisions if not d.allowed), None)
    return Preflight(
        api_version="1.0",
        request_id="r-1",
        connected_via="press-1",
        acting_on=tuple(allowed),
        allowed=bool(decisions) and first is None,
        denial_code=None if first is None else first.denial_code,
        denial_reason=None if first is None else first.denial_reason,
        decision_digest=DIGEST,
        decisions=decisions,
    )


def planned(
    allowed: dict[str, bool], *, budget_ms: int = 1_500, whole: Denial | None = None, **changes: Any
) -> tuple[list[str], dict[str, tuple[str, bool]]]:
    request = structs.replace(REQUEST, **changes)
    plan = plan_dispatch(request, decided(allowed), budget_ms=budget_ms, whole=whole)
    return list(plan.send), {r.runtime_id: (str(r.status), r.ok) for r in plan.settled}


BOTH = {"a": True, "b": True}
MIXED = {"a": True, "b": False, "c": True}
NONE = {"a": False, "b": False}
SKIP, DRY, DENY = ("skipped", False), ("skipped", True), ("denied", False)
LATE = ("timeout", False)


@pytest.mark.parametrize(
    ("allowed", "asked", "send", "settled"),
    [
        pytest.param({}, {}, [], {}, id="no target"),
        pytest.param(BOTH, {}, ["a", "b"], {}, id="all allowed"),
        pytest.param(BOTH, {"budget_ms": 1}, ["a", "b"], {}, id="a millisecond is some time"),
        pytest.param(BOTH, {"budget_ms": 0}, [], {"a": LATE, "b": LATE}, id="no time"),
        pytest.param(BOTH, {"dry_run": True}, [], {"a": DRY, "b": DRY}, id="dry"),
        pytest.param(
            BOTH,
            {"dry_run": True, "budget_ms": 0},
            [],
            {"a": DRY, "b": DRY},
            id="dry needs no time",
        ),
        pytest.param(NONE, {}, [], {"a": DENY, "b": DENY}, id="all denied"),
        pytest.param(MIXED, {}, [], {"a": SKIP, "b": DENY, "c": SKIP}, id="abort is the default"),
        pytest.param(
            MIXED, {"on_denied": OnDenied.ABORT}, [], {"a": SKIP, "b": DENY, "c": SKIP}, id="abort"
        ),
        pytest.param(
            MIXED, {"budget_ms": 0}, [], {"a": SKIP, "b": DENY, "c": SKIP}, id="abort comes first"
        ),
        pytest.param(
            MIXED, {"on_denied": OnDenied.CONTINUE}, ["a", "c"], {"b": DENY}, id="continue"
        ),
        pytest.param(
            MIXED,
            {"on_denied": OnDenied.CONTINUE, "budget_ms": 0},
            [],
            {"a": LATE, "b": DENY, "c": LATE},
            id="continue without time",
        ),
        pytest.param(
            MIXED,
            {"on_denied": OnDenied.CONTINUE, "whole": WHOLE},
            [],
            {"a": SKIP, "b": DENY, "c": SKIP},
            id="what concerns the request overrules continue",
        ),
        pytest.param(
            MIXED, {"dry_run": True}, [], {"a": DRY, "b": DENY, "c": DRY}, id="dry, one denied"
        ),
        pytest.param(BOTH, {"expected_decision_digest": DIGEST}, ["a", "b"], {}, id="as expected"),
        pytest.param(
            MIXED,
            {"expected_decision_digest": "sha256:bb", "on_denied": OnDenied.CONTINUE},
            [],
            {"a": DENY, "b": DENY, "c": DENY},
            id="another decision than expected",
        ),
        pytest.param(
            BOTH,
            {"expected_decision_digest": "", "dry_run": True},
            [],
            {"a": DENY, "b": DENY},
            id="an empty digest is not the expected one",
        ),
    ],
)
def test_plan(
    allowed: dict[str, bool],
    asked: dict[str, Any],
    send: list[str],
    settled: dict[str, tuple[str, bool]],
) -> None:
    assert planned(allowed, **asked) == (send, settled)


def test_a_denied_target_is_told_its_own_decision() -> None:
    plan = plan_dispatch(REQUEST, decided(MIXED), budget_ms=9, whole=None)
    skipped, denied, _ = plan.settled
    assert (denied.denial_code, denied.denial_reason) == (UNREACHABLE, "b is not known")
    # Skipped by abort carries only the reason.
    assert (skipped.denial_code, skipped.denial_reason) == (None, ABORTED)


def test_what_is_refused_as_a_whole_is_denied_everywhere_and_names_what_moved() -> None:
    fact = MovedFact(runtime_id="b", fact="boot_id", seen_by=SeenBy.ORIGIN)
    whole = structs.replace(fact, runtime_id="o", fact="role")
    preflight = decided({"b": True, "c": False})
    denial = deny(DenialCode.CONFLICT, "moved", "ask again")
    plan = plan_refused(preflight, denial, moved=(whole, fact))
    assert plan.send == ()
    assert [(r.runtime_id, r.status, r.denial_code, r.remedy, r.moved) for r in plan.settled] == [
        ("b", ResultStatus.DENIED, DenialCode.CONFLICT, "ask again", (fact,)),
        ("c", ResultStatus.DENIED, DenialCode.CONFLICT, "ask again", ()),
    ]
    told = report(REQUEST, preflight, plan.settled, moved=(whole, fact))
    assert (told.ok, told.denial_code, told.moved) == (False, DenialCode.CONFLICT, (whole, fact))


def test_a_dry_run_gives_no_reason_to_what_is_allowed() -> None:
    request = structs.replace(REQUEST, dry_run=True)
    skipped = plan_dispatch(request, decided(BOTH), budget_ms=9, whole=None).settled[0]
    assert (skipped.denial_code, skipped.denial_reason) == (None, None)


def test_a_moved_decision_is_a_conflict_everywhere() -> None:
    request = structs.replace(REQUEST, expected_decision_digest="sha256:bb")
    preflight = decided(MIXED)
    plan = plan_dispatch(request, preflight, budget_ms=9, whole=None)
    answer = report(request, preflight, plan.settled)
    assert {r.denial_code for r in answer.results} == {DenialCode.CONFLICT}
    assert (answer.ok, answer.denial_code) == (False, DenialCode.CONFLICT)
    assert answer.preflight is preflight


REPLY = ControlReply(
    id=1, ok=True, request_id="r-1", audit_id="audit-1", result={"state": "running"}
)
NOT_OK = ControlReply(id=1, ok=False, error="no such key", denial_code=DenialCode.SCHEMA_MISMATCH)


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (
            TargetReply(status=EXECUTED, response=REPLY, audit_id="audit-1"),
            TargetResult(
                runtime_id="a", status=EXECUTED, ok=True, response=REPLY, audit_id="audit-1"
            ),
        ),
        (
            TargetReply(status=EXECUTED, response=REPLY, audit_id="audit-0", replayed=True),
            TargetResult(
                runtime_id="a",
                status=EXECUTED,
                ok=True,
                response=REPLY,
                audit_id="audit-0",
                replayed=True,
            ),
        ),
        (
            TargetReply(status=EXECUTED, response=NOT_OK, audit_id="audit-1", replayed=True),
            TargetResult(
                runtime_id="a",
                status=FAILED,
                ok=False,
                denial_code=DenialCode.SCHEMA_MISMATCH,
                denial_reason="no such key",
                response=NOT_OK,
                audit_id="audit-1",
                replayed=True,
            ),
        ),
        (
            TargetReply(
                status=DENIED,
                denial_code=DenialCode.LEASE_UNAVAILABLE,
                denial_reason="no holder",
                remedy="wait",
                audit_id="audit-1",
            ),
            TargetResult(
                runtime_id="a",
                status=DENIED,
                ok=False,
                denial_code=DenialCode.LEASE_UNAVAILABLE,
                denial_reason="no holder",
                remedy="wait",
                audit_id="audit-1",
            ),
        ),
    ],
)
def test_a_reply_is_told_as_it_was_given(reply: TargetReply, result: TargetResult) -> None:
    assert conclude("a", reply) == result


def test_a_control_reply_that_is_not_ok_has_a_code_even_when_it_names_none() -> None:
    result = conclude("a", TargetReply(status=EXECUTED, response=ControlReply(id=1, ok=False)))
    assert result.denial_code is DenialCode.TRANSPORT_FAILURE
    assert result.denial_reason


@pytest.mark.parametrize("status", ResultStatus)
def test_only_executed_is_ok(status: ResultStatus) -> None:
    result = conclude("a", TargetReply(status=status, response=REPLY))
    assert (result.status, result.ok) == (status, status is EXECUTED)


def test_silence_and_failure_are_never_ok() -> None:
    late = out_of_time("a")
    assert (late.runtime_id, late.status, late.ok) == ("a", TIMEOUT, False)
    assert late.denial_code is DenialCode.TIMEOUT
    broken = failed("a", DenialCode.TRANSPORT_FAILURE, "the answer cannot be verified")
    assert (broken.runtime_id, broken.status, broken.ok) == ("a", FAILED, False)
    assert broken.denial_code is DenialCode.TRANSPORT_FAILURE
    assert broken.denial_reason == "the answer cannot be verified"


def test_the_report_repeats_the_request_and_says_its_own_version() -> None:
    answer = report(
        structs.replace(REQUEST, dry_run=None),
        decided({"b": True, "a": True}),
        [conclude("a", TargetReply(status=EXECUTED)), conclude("b", TargetReply(status=EXECUTED))],
    )
    assert (answer.api_version, answer.request_id, answer.connected_via) == (
        "1.0",
        "r-1",
        "press-1",
    )
    assert (answer.acting_on, answer.dry_run, answer.ok) == (("b", "a"), False, True)
    assert [result.runtime_id for result in answer.results] == ["b", "a"]
    plain = to_plain(answer)
    assert not {"denial_code", "denial_reason"} & plain.keys()


def test_without_a_target_nothing_is_ok_and_the_decision_says_why() -> None:
    preflight = structs.replace(
        decided({}), denial_code=DenialCode.CONTRACT_VIOLATION, denial_reason="no target"
    )
    answer = report(REQUEST, preflight, [])
    assert (answer.ok, answer.results) == (False, ())
    assert (answer.denial_code, answer.denial_reason) == (
        DenialCode.CONTRACT_VIOLATION,
        "no target",
    )


def test_the_summary_is_that_of_the_first_result_with_a_code() -> None:
    preflight = decided(MIXED)
    settled = plan_dispatch(REQUEST, preflight, budget_ms=9, whole=None).settled
    answer = report(REQUEST, preflight, settled)
    # `a` was skipped without a code of its own.
    assert (answer.denial_code, answer.denial_reason) == (UNREACHABLE, "b is not known")
    both = [out_of_time("b"), failed("a", DenialCode.TRANSPORT_FAILURE, "broken")]
    assert report(REQUEST, decided(BOTH), both).denial_reason == "broken"


def test_a_forgotten_target_is_a_bug_and_no_success() -> None:
    with pytest.raises(KeyError, match="b"):
        report(REQUEST, decided(BOTH), [out_of_time("a")])


TARGETS = st.dictionaries(st.sampled_from("abcdefgh"), st.booleans(), max_size=6)
REQUESTS = st.builds(
    lambda dry, on_denied, digest: structs.replace(
        REQUEST, dry_run=dry, on_denied=on_denied, expected_decision_digest=digest
    ),
    st.sampled_from([None, False, True]),
    st.sampled_from([None, *OnDenied]),
    st.sampled_from([None, DIGEST, "sha256:bb"]),
)
REPLIES = st.builds(
    TargetReply,
    status=st.sampled_from(ResultStatus),
    denial_code=st.none() | st.sampled_from(DenialCode),
    response=st.sampled_from([None, REPLY, NOT_OK]),
    replayed=st.booleans(),
)
ENDS = REPLIES | st.sampled_from(["silent", "unreachable"])


def ended(target: str, end: TargetReply | str) -> TargetResult:
    if isinstance(end, TargetReply):
        return conclude(target, end)
    return out_of_time(target) if end == "silent" else failed(target, UNREACHABLE, "nobody answers")


@given(
    allowed=TARGETS,
    request=REQUESTS,
    budget_ms=st.sampled_from([0, 1, 1_500]),
    whole=st.sampled_from([None, WHOLE]),
    data=st.data(),
)
def test_exactly_one_result_per_target_and_a_silent_one_is_never_ok(
    allowed: dict[str, bool],
    request: ActionRequest,
    budget_ms: int,
    whole: Denial | None,
    data: st.DataObject,
) -> None:
    preflight = decided(allowed)
    plan = plan_dispatch(request, preflight, budget_ms=budget_ms, whole=whole)
    settled = [result.runtime_id for result in plan.settled]
    assert sorted([*plan.send, *settled]) == sorted(allowed)
    assert all(allowed[target] for target in plan.send)
    ends = {target: data.draw(ENDS) for target in plan.send}
    results = [*plan.settled, *(ended(target, end) for target, end in ends.items())]
    answer = report(request, preflight, data.draw(st.permutations(results)))
    check_report(answer, allowed, ends)


def check_report(
    answer: DispatchReport, allowed: dict[str, bool], ends: dict[str, TargetReply | str]
) -> None:
    assert [result.runtime_id for result in answer.results] == list(allowed)
    assert answer.ok == (bool(allowed) and all(result.ok for result in answer.results))
    assert not answer.ok or (answer.denial_code is answer.denial_reason is None)
    for result in answer.results:
        end = ends.get(result.runtime_id)
        executed = isinstance(end, TargetReply) and end.status is EXECUTED
        if result.ok:
            assert executed or (answer.dry_run and result.status is SKIPPED)
            assert result.response is None or result.response.ok
        assert executed or result.status is not EXECUTED
