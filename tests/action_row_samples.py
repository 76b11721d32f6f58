"""Rows of dispatches, as short as a test wants to say them."""

from typing import Any

from msgspec import structs

from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.decisions import Preflight, TargetDecision, TargetState
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.results import (
    ControlReply,
    DispatchReport,
    ResultStatus,
    TargetResult,
)
from trust_runtime.core.action_rows import done_row, running_row
from trust_runtime.core.dispatch import failed, out_of_time, report

NOW_NS = 1_700_000_000_000_000_000
DONE_NS = NOW_NS + 1_000
COMMAND = ActionRequest(
    api_version="1.0",
    request_id="request-1",
    connected_via="press-1",
    target_runtimes=["press-2", "press-3"],
    actor="spiffe://trust/default-site/anna",
    action_type="cmd_invoke",
    payload={"command": "shutdown", "params": {"confirm": True}},
)


def allowed(*targets: str) -> Preflight:
    """Return a decision that allows everything."""
    return Preflight(
        api_version="1.0",
        request_id="request-1",
        connected_via="press-1",
        acting_on=targets,
        allowed=True,
        decision_digest="sha256:aa",
        decisions=tuple(
            TargetDecision(
                runtime_id=target, allowed=True, target_state=TargetState.REACHABLE, checks=()
            )
            for target in targets
        ),
    )


def executed(target: str) -> TargetResult:
    """Return the result of a target that did it."""
    return TargetResult(
        runtime_id=target,
        status=ResultStatus.EXECUTED,
        ok=True,
        audit_id=f"audit-{target}",
        response=ControlReply(id=1, ok=True, result={"of": target}),
    )


def lost(target: str) -> TargetResult:
    """Return the result of a target that did not answer in time."""
    return structs.replace(out_of_time(target), audit_id=f"audit-{target}")


def gone(target: str) -> TargetResult:
    """Return the result of a target that nobody answered for."""
    result = failed(target, DenialCode.TARGET_UNREACHABLE, f"nobody answers for {target}")
    return structs.replace(result, audit_id=f"audit-{target}")


def refused(target: str) -> TargetResult:
    """Return the result of a target that refused."""
    return TargetResult(
        runtime_id=target,
        status=ResultStatus.DENIED,
        ok=False,
        denial_code=DenialCode.CONFLICT,
        denial_reason="still running",
        audit_id=f"audit-{target}",
    )


def reported(*results: TargetResult, request: ActionRequest = COMMAND) -> DispatchReport:
    """Return the answer of a dispatch that had these results."""
    return report(request, allowed(*(result.runtime_id for result in results)), results)


def running(
    *targets: str, settled: tuple[TargetResult, ...] = (), request: ActionRequest = COMMAND
) -> KeptRow:
    """Return a row of a dispatch on its way."""
    return running_row(request, allowed(*targets), settled=settled, now_ns=NOW_NS)


def done(
    *results: TargetResult, unknown: tuple[str, ...] = (), request: ActionRequest = COMMAND
) -> KeptRow:
    """Return a row of a dispatch that was answered."""
    row = running(*(result.runtime_id for result in results), request=request)
    return done_row(row, reported(*results, request=request), unknown=unknown, now_ns=DONE_NS)


def named(number: int, **changes: Any) -> KeptRow:
    """Return the row of request `number`, which has nothing that is not settled."""
    request = structs.replace(COMMAND, request_id=f"request-{number}")
    row = done(executed("press-2"), request=request)
    if "created_at_ns" in changes:
        shown = structs.replace(row.row, created_at_ns=changes.pop("created_at_ns"))
        row = structs.replace(row, row=shown)
    return structs.replace(row, **changes)
