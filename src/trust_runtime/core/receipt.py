"""Is a sealed receipt for this request, now, and what has moved since it was made (B1). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.presence import BeaconStatus
from trust_runtime.contracts.receipt import (
    MovedFact,
    Receipt,
    ReceiptClaims,
    SealedFacts,
    SealedTarget,
    SeenBy,
    TargetFacts,
)
from trust_runtime.contracts.units import CLOCK_SKEW_MS_MAX, MS_PER_S
from trust_runtime.core.policy.case import DecisionFacts

_AGAIN = "run preflight again, and dispatch with its receipt"
_SHOWN_AS: Mapping[str, str] = {"policy_digest": "policy", "decision_digest": "decision"}


def target_facts(status: BeaconStatus | None) -> TargetFacts | None:
    """Return what a runtime says of itself that a receipt holds fast; None when it never spoke."""
    if status is None:
        return None
    policy = (status.profile, status.accepts, status.accepts_cut, status.debug_enabled)
    return TargetFacts(
        boot_id=status.boot_id,
        config_revision=status.config.desired_revision,
        config_etag=status.config.desired_etag,
        policy_digest=digest(policy),
    )


def sealed_facts(
    request: ActionRequest,
    caller: Caller,
    preflight: Preflight,
    *,
    facts: DecisionFacts,
    words: Mapping[str, BeaconStatus | None],
) -> SealedFacts:
    """Return what a receipt for `request` vouches for.

    Args:
        request: as given.
        caller: who was authenticated.
        preflight: the decision on it.
        facts: what that decision was taken on.
        words: the last word of each target, the origin's own for itself.
    """
    policy = (facts.profile, facts.site, facts.unmet, facts.allow_write)
    return SealedFacts(
        origin=facts.own,
        request_id=request.request_id,
        request_digest=_request_digest(request, preflight),
        decision_digest=preflight.decision_digest,
        role=caller.role,
        policy_digest=digest(policy),
        targets=tuple(
            SealedTarget(
                runtime_id=decision.runtime_id,
                target_state=decision.target_state,
                known=target_facts(words.get(decision.runtime_id)),
            )
            for decision in preflight.decisions
        ),
    )


def facts_digest(facts: SealedFacts) -> str:
    """Return the fingerprint that a seal is over."""
    return digest(facts)


def receipt_denial(
    receipt: Receipt, claims: ReceiptClaims, now: SealedFacts, *, now_s: int
) -> Denial | None:
    """Return why an authentic seal is no good for this request, or None.

    Args:
        receipt: as presented.
        claims: what this runtime once signed.
        now: what a receipt for the request would say at this moment.
        now_s: seconds since the epoch.
    """
    own = spiffe_id(RuntimeId(now.origin))
    if (claims.iss, claims.aud) != (own, own) or receipt.facts.origin != now.origin:
        return deny(
            DenialCode.PERMISSION_DENIED,
            f"the receipt was made by {receipt.facts.origin}, not by {now.origin}",
            "dispatch where the preflight was made",
        )
    if claims.digest != facts_digest(receipt.facts):
        return deny(
            DenialCode.PERMISSION_DENIED, "the facts of the receipt are not those sealed", _AGAIN
        )
    if now_s >= claims.exp:
        return deny(DenialCode.CONFLICT, "the receipt has expired", _AGAIN)
    if now_s < claims.iat - CLOCK_SKEW_MS_MAX // MS_PER_S:
        return deny(DenialCode.CONFLICT, "the receipt was made at a time still to come", _AGAIN)
    if receipt.facts.request_digest != now.request_digest:
        return deny(
            DenialCode.CONFLICT,
            f"the receipt is for another request than this one: {receipt.facts.request_id}",
            "send the request of the preflight, unchanged, or run preflight again",
        )
    return None


def moved_at_origin(before: SealedFacts, now: SealedFacts) -> tuple[MovedFact, ...]:
    """Return every fact that the origin sees changed; both are about the same request."""
    origin = now.origin
    found = [*_moved(origin, _whole(before), _whole(now), seen_by=SeenBy.ORIGIN)]
    for old, new in zip(before.targets, now.targets, strict=True):
        found += _moved(new.runtime_id, _of_target(old), _of_target(new), seen_by=SeenBy.ORIGIN)
    return tuple(found)


def moved_at_target(
    own: RuntimeId, expected: TargetFacts, now: TargetFacts | None
) -> tuple[MovedFact, ...]:
    """Return every fact of its own that a target sees changed."""
    found = {} if now is None else structs.asdict(now)
    return tuple(_moved(own, structs.asdict(expected), found, seen_by=SeenBy.TARGET))


def moved_denial(moved: tuple[MovedFact, ...], request_id: str) -> Denial:
    """Return the refusal of a dispatch whose receipt no longer holds."""
    names = ", ".join(dict.fromkeys(f"{one.fact} of {one.runtime_id}" for one in moved))
    return deny(
        DenialCode.CONFLICT,
        f"moved since the receipt was made: {names}",
        f"{_AGAIN}; if this request was sent before, its records tell what became of it:"
        f" GET audit?request_id={request_id}",
    )


def _request_digest(request: ActionRequest, preflight: Preflight) -> str:
    return digest(
        {
            "request_id": request.request_id,
            "actor": request.actor,
            "action_type": request.action_type,
            "payload": request.payload,
            "targets": preflight.acting_on,
        }
    )


def _whole(facts: SealedFacts) -> dict[str, Any]:
    return {
        "decision_digest": facts.decision_digest,
        "role": facts.role,
        "policy_digest": facts.policy_digest,
    }


def _of_target(target: SealedTarget) -> dict[str, Any]:
    known = {} if target.known is None else structs.asdict(target.known)
    return {"target_state": target.target_state, **known}


def _moved(
    runtime_id: str, before: Mapping[str, Any], now: Mapping[str, Any], *, seen_by: SeenBy
) -> Iterator[MovedFact]:
    for name in dict.fromkeys((*before, *now)):
        old, new = before.get(name), now.get(name)
        if old != new:
            yield MovedFact(
                runtime_id=runtime_id,
                fact=_SHOWN_AS.get(name, name),
                expected=None if old is None else str(old),
                found=None if new is None else str(new),
                seen_by=seen_by,
            )
