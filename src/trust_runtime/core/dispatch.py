"""From a decision to calls, and from answers and silences to one result per target (8.6)."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.actions import ActionRequest, OnDenied
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.receipt import MovedFact
from trust_runtime.contracts.results import (
    DispatchReport,
    ResultStatus,
    TargetReply,
    TargetResult,
)
from trust_runtime.contracts.units import API_VERSION

OVERLOAD_RETRY_MS: Final = 1_000
"""When to ask a target again whose queue was full."""

_SKIPPED_BY_ABORT: Final = "not executed: another target was denied"


class Plan(Struct, frozen=True, kw_only=True):
    """What to do with each target; leaves its executor no choice."""

    send: tuple[str, ...]
    """Targets to call, in order."""

    settled: tuple[TargetResult, ...]
    """Results of targets that are not called."""


def plan_dispatch(
    request: ActionRequest, preflight: Preflight, *, budget_ms: int, whole: Denial | None
) -> Plan:
    """Return which targets are called and what the others are told.

    Args:
        request: as given.
        preflight: the decision just taken.
        budget_ms: the time allowed; 0 lets nothing run.
        whole: a denial that concerns the whole request and overrules `on_denied`.
    """
    if request.expected_decision_digest not in (None, preflight.decision_digest):
        return Plan(send=(), settled=tuple(map(_moved, preflight.acting_on)))
    abort = not preflight.allowed and (
        whole is not None or request.on_denied is not OnDenied.CONTINUE
    )
    send: list[str] = []
    settled: list[TargetResult] = []
    for decision in preflight.decisions:
        if not decision.allowed:
            settled.append(
                TargetResult(
                    runtime_id=decision.runtime_id,
                    status=ResultStatus.DENIED,
                    ok=False,
                    denial_code=decision.denial_code,
                    denial_reason=decision.denial_reason,
                )
            )
        elif abort or request.dry_run:
            settled.append(_skipped(decision.runtime_id, dry_run=bool(request.dry_run)))
        elif budget_ms == 0:
            settled.append(out_of_time(decision.runtime_id))
        else:
            send.append(decision.runtime_id)
    return Plan(send=tuple(send), settled=tuple(settled))


def plan_refused(preflight: Preflight, denial: Denial, *, moved: Sequence[MovedFact] = ()) -> Plan:
    """Return that nobody is called: the whole dispatch is refused, whatever the decision says.

    Args:
        preflight: the decision just taken.
        denial: why.
        moved: the facts that moved; each result names those about its target.
    """
    return Plan(
        send=(),
        settled=tuple(
            TargetResult(
                runtime_id=target,
                status=ResultStatus.DENIED,
                ok=False,
                denial_code=denial.code,
                denial_reason=denial.reason,
                remedy=denial.remedy,
                moved=tuple(one for one in moved if one.runtime_id == target),
            )
            for target in preflight.acting_on
        ),
    )


def conclude(runtime_id: str, reply: TargetReply) -> TargetResult:
    """Return the result a target's verified reply amounts to.

    Executed, but with a control reply that is not ok, is failed, with the control reply's code.
    """
    response = reply.response
    if reply.status is ResultStatus.EXECUTED and response is not None and not response.ok:
        return TargetResult(
            runtime_id=runtime_id,
            status=ResultStatus.FAILED,
            ok=False,
            denial_code=response.denial_code or DenialCode.TRANSPORT_FAILURE,
            denial_reason=response.error or "the target says that execution ended in an error",
            response=response,
            replayed=reply.replayed,
            audit_id=reply.audit_id,
        )
    return TargetResult(
        runtime_id=runtime_id,
        status=reply.status,
        ok=reply.status is ResultStatus.EXECUTED,
        denial_code=reply.denial_code,
        denial_reason=reply.denial_reason,
        remedy=reply.remedy,
        retry_after_ms=reply.retry_after_ms,
        moved=reply.moved,
        response=reply.response,
        replayed=reply.replayed,
        audit_id=reply.audit_id,
    )


def out_of_time(runtime_id: str) -> TargetResult:
    """Return the result of a target that did not answer before the deadline."""
    return TargetResult(
        runtime_id=runtime_id,
        status=ResultStatus.TIMEOUT,
        ok=False,
        denial_code=DenialCode.TIMEOUT,
        denial_reason="no answer before the deadline; the outcome is not known here",
    )


def overloaded(runtime_id: str, *, sent_before: bool) -> TargetResult:
    """Return the result of a target that did not take the request: its queue is full (5.6).

    Args:
        runtime_id: the target.
        sent_before: the same request was sent before and got no answer.
    """
    reason = f"{runtime_id} has too many requests waiting and did not take this one"
    if sent_before:
        reason += "; what became of its first sending is not known here"
    return TargetResult(
        runtime_id=runtime_id,
        status=ResultStatus.DENIED,
        ok=False,
        denial_code=DenialCode.OVERLOADED,
        denial_reason=reason,
        remedy="ask again with the same request_id after the time given",
        retry_after_ms=OVERLOAD_RETRY_MS,
    )


def failed(runtime_id: str, code: DenialCode, reason: str) -> TargetResult:
    """Return the result of a target that could not be asked or understood."""
    return TargetResult(
        runtime_id=runtime_id,
        status=ResultStatus.FAILED,
        ok=False,
        denial_code=code,
        denial_reason=reason,
    )


def report(
    request: ActionRequest,
    preflight: Preflight,
    results: Sequence[TargetResult],
    *,
    moved: Sequence[MovedFact] = (),
) -> DispatchReport:
    """Return the answer of a dispatch: results in target order, exactly one per target.

    `moved` are the facts that the origin found moved, those of no target too.

    Raises:
        KeyError: a target has no result; that would be a bug of the caller.
    """
    by_target = {result.runtime_id: result for result in results}
    ordered = tuple(by_target[target] for target in preflight.acting_on)
    ok = bool(ordered) and all(result.ok for result in ordered)
    first = next((r for r in ordered if not r.ok and r.denial_code is not None), None)
    code = preflight.denial_code if first is None else first.denial_code
    reason = preflight.denial_reason if first is None else first.denial_reason
    return DispatchReport(
        api_version=API_VERSION,
        request_id=request.request_id,
        connected_via=preflight.connected_via,
        acting_on=preflight.acting_on,
        dry_run=bool(request.dry_run),
        ok=ok,
        denial_code=None if ok else code,
        denial_reason=None if ok else reason,
        moved=tuple(dict.fromkeys((*moved, *(one for r in ordered for one in r.moved)))),
        preflight=preflight,
        results=ordered,
    )


def _skipped(runtime_id: str, *, dry_run: bool) -> TargetResult:
    return TargetResult(
        runtime_id=runtime_id,
        status=ResultStatus.SKIPPED,
        ok=dry_run,
        denial_reason=None if dry_run else _SKIPPED_BY_ABORT,
    )


def _moved(runtime_id: str) -> TargetResult:
    return TargetResult(
        runtime_id=runtime_id,
        status=ResultStatus.DENIED,
        ok=False,
        denial_code=DenialCode.CONFLICT,
        denial_reason="the decision is no longer the one expected; preflight shows the new one",
    )
