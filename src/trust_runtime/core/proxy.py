"""From a proxied verb to the action that decides it, and from its result to an answer (14.3)."""

from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.actions import (
    VERB_READS,
    VERBS,
    ActionRequest,
    ActionType,
    VerbRead,
    VerbSpec,
)
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.proxies import ProxyRequest
from trust_runtime.contracts.results import (
    ControlReply,
    DispatchReport,
    ResultStatus,
)
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.naming import resolve
from trust_runtime.core.policy.case import DecisionFacts
from trust_runtime.core.policy.contract import is_actor, is_request_id, is_supported
from trust_runtime.core.policy.preflight import remedy_of

_CONFIG_SET: Final = "config.set"
_NO_DECISION: Final = frozenset(
    {
        DenialCode.TIMEOUT,
        DenialCode.CONFLICT,
        DenialCode.REVISION_CONFLICT,
        DenialCode.OVERLOADED,
        DenialCode.TRANSPORT_FAILURE,
    }
)
"""What a target refuses with before, or beside, its decision; each has a status of its own."""


def form_denial(wanted: ProxyRequest, facts: DecisionFacts) -> Denial | None:
    """Return the first thing that keeps a request from being one, in the contract's order."""
    if not is_supported(wanted.api_version):
        return _violation(
            f"api_version {wanted.api_version!r} is not supported", "send api_version 1.0"
        )
    if not is_actor(wanted.actor):
        return _violation("actor is blank", "name the actor")
    if not wanted.target_runtime.strip():
        return _violation("target_runtime is blank", "name the runtime")
    target = resolve(wanted.target_runtime, own_site=facts.site, known={facts.own, *facts.peers})
    if isinstance(target, Denial):
        return target
    verb = wanted.control_request.type
    if verb not in VERBS:
        hint = nearest(verb, list(VERBS))
        said = f"verb {verb!r} is unknown{hint}" if verb.strip() else "the verb is blank"
        return _violation(said, "name a verb of the reference in control_request.type")
    if VERBS[verb].local_only:
        return _violation(f"{verb} is local only", "use the control socket of the target")
    request_id = wanted.control_request.request_id
    if request_id is not None and not is_request_id(request_id):
        return _violation(
            "request_id is out of form", "send a unique request_id of 1..128 characters"
        )
    return None


def action_of(verb: VerbSpec) -> ActionType:
    """Return the action whose rules decide a verb."""
    if verb.name == _CONFIG_SET:
        return ActionType.CFG_APPLY
    return ActionType.STATUS_READ if verb.name in VERB_READS else ActionType.CMD_INVOKE


def to_request(wanted: ProxyRequest, *, own: RuntimeId, request_id: str) -> ActionRequest:
    """Return the action a well-formed proxy request is decided and executed as."""
    verb = VERBS[wanted.control_request.type]
    params = wanted.control_request.params
    action = action_of(verb)
    payload: dict[str, Any] = {"params": params}
    if action is not ActionType.CFG_APPLY:
        payload["command"] = verb.name
    if wanted.ha is not None:
        payload["ha"] = wanted.ha
    members: dict[str, Any] = {
        "api_version": API_VERSION,
        "request_id": request_id,
        "connected_via": own,
        "target_runtimes": [wanted.target_runtime],
        "actor": wanted.actor,
        "action_type": action,
        "query_budget_ms": wanted.query_budget_ms,
        "payload": payload,
    }
    if action is ActionType.STATUS_READ:
        return VerbRead(verb=verb.name, **members)
    return ActionRequest(**members)


def answer_of(report: DispatchReport, *, reply_id: int) -> ControlReply | Unanswered:
    """Return the control reply a dispatch to one target amounts to, or why there is none.

    A verb that ran and failed is an answer of the target; a refusal or a silence is none.
    """
    [result] = report.results
    if result.response is not None:
        return structs.replace(
            result.response,
            id=reply_id,
            request_id=report.request_id,
            audit_id=result.audit_id,
        )
    code = result.denial_code or DenialCode.TRANSPORT_FAILURE
    reason = result.denial_reason or "the target gave no reason"
    decided = report.preflight
    remedy = result.remedy if decided.allowed else remedy_of(decided)
    return Unanswered(
        denial=deny(code, reason, remedy, retry_after_ms=result.retry_after_ms),
        refused=result.status is ResultStatus.DENIED
        and (not decided.allowed or code not in _NO_DECISION),
        preflight=decided,
        audit_id=result.audit_id,
    )


def _violation(reason: str, remedy: str) -> Denial:
    return deny(DenialCode.CONTRACT_VIOLATION, reason, remedy)
