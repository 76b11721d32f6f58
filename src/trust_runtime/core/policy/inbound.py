"""The target's own decision: both ends decide (contract 8.3, 9.2)."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from trust_runtime.contracts.actions import ActionRequest, ActionType
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId, site_of
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, lower
from trust_runtime.contracts.presence import AcceptedWrite, TrustReason
from trust_runtime.core.config.keys import spec_of_key
from trust_runtime.core.policy import access, conditions, contract, grants
from trust_runtime.core.policy.case import Case, DecisionFacts, Finding, denied, passed, skipped
from trust_runtime.core.policy.patterns import pattern_matches
from trust_runtime.core.policy.payload import check_payload, patch_of, verb_asked
from trust_runtime.core.policy.preflight import first_denial
from trust_runtime.core.trust import trust_remedy

ANNOUNCED_BYTES_MAX: Final = 4_096
"""Half of what a receiver takes of a beacon: a longer one would make its sender look silent."""


def counted(caller: Caller, *, origin: RuntimeId, own: RuntimeId) -> Caller:
    """Return a caller with the role that counts here: across sites engineer at most."""
    if site_of(origin) == site_of(own):
        return caller
    return Caller(identity=caller.identity, role=lower(caller.role, access.ACROSS_SITES))


def decide_inbound(
    request: ActionRequest,
    caller: Caller,
    facts: DecisionFacts,
    *,
    origin: RuntimeId,
    form_only: bool = False,
) -> Denial | None:
    """Return why this runtime refuses an action another one sent, or None.

    Args:
        request: the action, addressed to this runtime alone.
        caller: identity of the origin, with the role it claims for its own caller.
        facts: what this runtime knows.
        origin: the authenticated origin.
        form_only: leave the values of configuration keys to the agent, which compares revisions
            before it looks at them (6.11).
    """
    caller = counted(caller, origin=origin, own=facts.own)
    known_action = request.action_type in set(ActionType)
    action = ActionType(request.action_type) if known_action else None
    case = Case(
        request=request,
        caller=caller,
        facts=facts,
        action=action,
        target_text=facts.own,
        target=facts.own,
        naming=None,
        verb=verb_asked(request),
    )
    payload = check_payload(case, form_only=form_only)
    denial = first_denial([payload, *_findings(case, origin)])
    if denial is not None and denial is payload.denial and _names_unknown_key(case):
        return deny(DenialCode.SCHEMA_MISMATCH, denial.reason)
    return denial


def accepted_writes(own: RuntimeId, rules: Iterable[AllowRule]) -> tuple[AcceptedWrite, ...]:
    """Return the inbound rules that match the own id."""
    return tuple(
        AcceptedWrite(action=rule.action, origin=rule.origin)
        for rule in rules
        if pattern_matches(rule.target, own)
    )


class Announced(NamedTuple):
    """What a beacon tells of the inbound rules."""

    rules: tuple[AcceptedWrite, ...]
    """Those it has room for, each once."""

    cut: bool
    """Whether there are more."""


def announced_writes(own: RuntimeId, rules: Iterable[AllowRule]) -> Announced:
    """Return the inbound rules that match the own id, as far as a beacon has room for them."""
    kept: list[AcceptedWrite] = []
    left = ANNOUNCED_BYTES_MAX
    for rule in dict.fromkeys(accepted_writes(own, rules)):
        left -= len(encode_json(rule)) + 1
        if left < 0:
            return Announced(rules=tuple(kept), cut=True)
        kept.append(rule)
    return Announced(rules=tuple(kept), cut=False)


def _findings(case: Case, origin: RuntimeId) -> Sequence[Finding]:
    return (
        contract.check_action_type(case),
        access.check_role(case),
        conditions.check_audit_store(case),
        conditions.check_profile(case),
        _check_origin_trust(case, origin),
        _check_inbound_rule(case, origin),
        conditions.check_debug_gate(case),
        conditions.check_ha(case),
    )


def _check_origin_trust(case: Case, origin: RuntimeId) -> Finding:
    name = "trust"
    own_reason = case.facts.own_trust_reason
    if own_reason is not None and case.is_write:
        return denied(
            name,
            DenialCode.PERMISSION_DENIED,
            detail=f"{case.facts.own} itself is untrusted: {own_reason}",
            remedy="stop the other process with this id, or repair the identity",
        )
    peer = case.facts.peers.get(origin)
    reason = None if peer is None else peer.trust_reason
    if reason is None or reason is TrustReason.NEVER_SEEN:
        return passed(name, f"{origin} is trusted")
    doubled = reason is TrustReason.DUPLICATE_INSTANCE
    if not (case.is_write or doubled or case.facts.profile is not Profile.DEV):
        return passed(name, f"read by an untrusted origin ({reason})")
    return denied(
        name,
        DenialCode.PERMISSION_DENIED,
        detail=f"{origin} is untrusted here: {reason}",
        remedy=trust_remedy(case.facts.profile),
    )


def _check_inbound_rule(case: Case, origin: RuntimeId) -> Finding:
    own, action = case.facts.own, case.request.action_type
    across = site_of(origin) != case.facts.site
    name = "cross_site" if across else "wan_allowlist"
    if not case.is_write:
        return skipped(name, "read action")
    if not across and case.facts.profile is not Profile.WAN:
        return skipped(name, "same site")
    if grants.accepts(accepted_writes(own, case.facts.allow_write), action, origin):
        return passed(name, "an inbound rule matches")
    what = "cross-site write action" if across else "remote write"
    rule = grants.inbound_rule(action, target=own, origin=origin)
    return denied(
        name,
        DenialCode.PERMISSION_DENIED,
        detail=f"{what} {action} from {origin} matches no inbound rule of {own}",
        remedy=f"add an allow_write rule at the target: {grants.rule_text(rule)}",
    )


def _names_unknown_key(case: Case) -> bool:
    """Tell whether the patch has a key the origin accepted and this target does not know."""
    patch = patch_of(case.request.payload) if case.action is ActionType.CFG_APPLY else None
    return isinstance(patch, dict) and any(spec_of_key(key) is None for key in patch)
