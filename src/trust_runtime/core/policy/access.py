"""Checks 8 and 12 to 16: may this caller do this to that target (contract 8.2, 9.2)."""

from typing import Final

from trust_runtime.contracts.actions import ActionType
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import site_in_actor, site_of
from trust_runtime.contracts.policy import Profile, Role, allows, lower
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.config.patch import role_needed
from trust_runtime.core.policy import grants
from trust_runtime.core.policy.case import Case, Finding, denied, passed, skipped
from trust_runtime.core.policy.payload import patch_of
from trust_runtime.core.trust import trust_remedy

ACROSS_SITES: Final = Role.ENGINEER
"""No caller counts for more at a runtime of another site (contract 5.5)."""


def role_required(case: Case) -> Role | None:
    """Return the least role for the case's action, or None when it has no known action."""
    match case.action:
        case ActionType.STATUS_READ:
            return Role.VIEWER
        case ActionType.CFG_APPLY:
            patch = patch_of(case.request.payload)
            return role_needed(patch) if isinstance(patch, dict) else Role.ENGINEER
        case ActionType.CMD_INVOKE:
            verb = Role.OPERATOR if case.verb is None else case.verb.role
            return verb if allows(verb, Role.OPERATOR) else Role.OPERATOR
        case None:
            return None


def check_role(case: Case) -> Finding:
    """Deny a caller whose role is too low; across sites a role counts as engineer at most."""
    needed = role_required(case)
    if needed is None:
        return skipped("role", "no known action")
    across = case.target is not None and site_of(case.target) != case.facts.site
    role = lower(case.caller.role, ACROSS_SITES) if across else case.caller.role
    if allows(role, needed):
        return passed("role", f"requires role {needed}")
    code = DenialCode.PERMISSION_DENIED
    if case.action is ActionType.CFG_APPLY:
        code = DenialCode.ACL_DENIED_CFG_WRITE
    detail, remedy = f"requires role {needed}, caller has {role}", f"obtain role {needed}"
    if not allows(ACROSS_SITES, needed) and across:
        detail = f"requires role {needed}, across sites every caller counts as {ACROSS_SITES}"
        remedy = f"obtain role {needed} at a runtime of the target's own site"
    return denied("role", code, detail=detail, remedy=remedy)


def check_actor_scope(case: Case) -> Finding:
    """Deny an actor of a site the caller's token does not cover."""
    scope = case.caller.scope
    if scope is None:
        return skipped("actor_scope", "this caller may name any actor")
    site = site_in_actor(case.request.actor)
    if site is None or site in scope:
        return passed("actor_scope", "actor is within the caller's sites")
    return denied(
        "actor_scope",
        DenialCode.PERMISSION_DENIED,
        detail=f"actor's site {site} is outside the caller's sites",
        remedy="use an actor of the token's site",
    )


def check_cross_site(case: Case) -> Finding:
    """Deny a write into another site that no outbound rule allows."""
    name = "cross_site"
    if not case.is_write:
        return skipped(name, "read action")
    if case.target is None:
        return skipped(name, "no target")
    if site_of(case.target) == case.facts.site:
        return skipped(name, "same site")
    if _outbound_rule_matches(case):
        return passed(name, "an allow_write rule of the origin matches")
    return denied(
        name,
        DenialCode.PERMISSION_DENIED,
        detail=f"cross-site write action {case.request.action_type} to {case.target}"
        " matches no rule of runtime_cloud.wan.allow_write",
        remedy=f"add an allow_write rule at the origin: {_rule_text(case)}",
    )


def check_wan_allowlist(case: Case) -> Finding:
    """Deny, in profile wan, any remote write that no outbound rule allows."""
    name = "wan_allowlist"
    if case.facts.profile is not Profile.WAN:
        return skipped(name, f"profile {case.facts.profile}")
    if not case.is_write or case.target is None or case.is_local:
        return skipped(name, "no remote write")
    if _outbound_rule_matches(case):
        return passed(name, "an allow_write rule of the origin matches")
    return denied(
        name,
        DenialCode.PERMISSION_DENIED,
        detail=f"remote write {case.request.action_type} to {case.target}"
        " matches no rule of runtime_cloud.wan.allow_write",
        remedy=f"add an allow_write rule at the origin: {_rule_text(case)}",
    )


def check_trust(case: Case) -> Finding:
    """Deny writes to a target that was seen and is untrusted, and to a doubled one everything."""
    name = "trust"
    reason = case.facts.own_trust_reason
    if reason is not None and case.is_write:
        return denied(
            name,
            DenialCode.PERMISSION_DENIED,
            detail=f"{case.facts.own} itself is untrusted: {reason}",
            remedy="stop the other process with this id, or repair the identity",
        )
    peer = case.peer
    if case.is_local or peer is None or peer.trust_reason is TrustReason.NEVER_SEEN:
        return skipped(name, "local target" if case.is_local else "target was never seen")
    if peer.trust_reason is None:
        return passed(name, "target is trusted")
    doubled = peer.trust_reason is TrustReason.DUPLICATE_INSTANCE
    if not (case.is_write or doubled or case.facts.profile is not Profile.DEV):
        return passed(name, f"read of an untrusted target ({peer.trust_reason})")
    return denied(
        name,
        DenialCode.PERMISSION_DENIED,
        detail=f"{case.target} is untrusted: {peer.trust_reason}",
        remedy=f"stop all but one process with the id {case.target}"
        if doubled
        else trust_remedy(case.facts.profile),
    )


def check_target_policy(case: Case) -> Finding:
    """Deny a write the target's own last word says it would refuse."""
    name = "target_policy"
    if not case.is_write or case.is_local or case.target is None:
        return skipped(name, "no remote write")
    peer, own, action = case.peer, case.facts.own, case.request.action_type
    if peer is None or peer.trust_reason is TrustReason.NEVER_SEEN:
        return skipped(name, "target was never seen")
    # Whether a write from the own site needs a rule there is the target's profile to say.
    in_wan = (peer.profile or case.facts.profile) is Profile.WAN
    if site_of(case.target) == case.facts.site and not in_wan:
        return skipped(name, "same site")
    if grants.accepts(peer.accepts, action, own):
        return passed(name, "an inbound rule of the target matches")
    if peer.accepts_cut:
        return skipped(name, "the target announces only a part of its rules")
    rule = grants.inbound_rule(action, target=case.target, origin=own)
    return denied(
        name,
        DenialCode.PERMISSION_DENIED,
        detail=f"{case.target} accepts no {action} from {own}",
        remedy=f"add the inbound rule at the target: {grants.rule_text(rule)}",
    )


def _outbound_rule_matches(case: Case) -> bool:
    return case.target is not None and grants.lets_out(
        case.facts.allow_write, case.request.action_type, target=case.target, origin=case.facts.own
    )


def _rule_text(case: Case) -> str:
    target, own = case.target, case.facts.own
    assert target is not None  # noqa: S101 - only a resolved target is refused for want of a rule
    return grants.rule_text(grants.outbound_rule(case.request.action_type, target, origin=own))
