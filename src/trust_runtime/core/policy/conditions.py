"""Checks 10, 11 and 17 to 20: is everything in place for it (contract 8.2)."""

from typing import Final, assert_never

from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.units import CLOCK_SKEW_MS_MAX
from trust_runtime.core.policy.case import Case, Finding, denied, passed, skipped
from trust_runtime.core.preconditions import remedy_of_key

_DEBUG_REMEDY: Final = "set control.debug_enabled on the target"


def check_audit_store(case: Case) -> Finding:
    """Deny everything while no decision can be recorded (contract 10.1, ruling 41)."""
    if case.facts.store_fault is None:
        return passed("audit_store", "records are durable")
    return denied(
        "audit_store",
        DenialCode.TRANSPORT_FAILURE,
        detail=case.facts.store_fault,
        remedy="free the disk, or repair with trust-runtime run --reset-state",
    )


def check_profile(case: Case) -> Finding:
    """Deny everything while a precondition of the profile is unmet."""
    if not case.facts.unmet:
        return passed("profile", f"profile {case.facts.profile} is satisfied")
    key = case.facts.unmet[0]
    return denied(
        "profile",
        DenialCode.NOT_CONFIGURED,
        detail=f"profile {case.facts.profile} needs {key}",
        remedy=remedy_of_key(key),
    )


def check_target_secure(case: Case) -> Finding:
    """Deny, in profiles that demand TLS, a known target whose last word is that it has none."""
    name = "target_secure"
    if case.facts.profile is Profile.DEV:
        return skipped(name, f"profile {case.facts.profile}")
    if case.is_local or case.target is None:
        return skipped(name, "no remote target")
    if case.peer is None or case.peer.trust_reason is TrustReason.NEVER_SEEN:
        return skipped(name, "target was never seen")
    if not case.peer.without_tls:
        return passed(name, "target reports TLS")
    keys = " and ".join(case.peer.without_tls)
    return denied(
        name,
        DenialCode.NOT_CONFIGURED,
        detail=f"profile {case.facts.profile} needs {keys} of {case.target}",
        remedy=f"set {keys} on the target, then restart it",
    )


def check_debug_gate(case: Case) -> Finding:
    """Deny a debug-gated verb at a target whose debug gate is closed."""
    name = "debug_gate"
    if case.verb is None or not case.verb.debug:
        return skipped(name, "no debug verb")
    enabled = case.facts.debug_enabled if case.is_local else None
    if case.peer is not None:
        enabled = case.peer.debug_enabled
    if enabled is False:
        return denied(
            name,
            DenialCode.NOT_CONFIGURED,
            detail=f"{case.target} has debugging off",
            remedy=_DEBUG_REMEDY,
        )
    return skipped(name, "unknown") if enabled is None else passed(name, "debugging is on")


def check_ha(case: Case) -> Finding:
    """Skip: no runtime of this version is in a redundancy group."""
    return skipped("ha", f"{case.target or case.target_text} is in no HA group")


def check_fresh(case: Case) -> Finding:
    """Deny a target that is known but not fresh, or whose clock is too far off."""
    name = "fresh"
    state = target_state(case)
    peer = case.peer
    if state in (TargetState.STALE, TargetState.PARTITIONED):
        return denied(
            name,
            DenialCode.STALE_DATA,
            detail=f"{case.target} is {state}",
            remedy="wait for the target to return, or check its link",
        )
    if state is not TargetState.REACHABLE or peer is None:
        return skipped(name, state)
    skew = peer.clock_skew_ms
    if skew is not None and abs(skew) > CLOCK_SKEW_MS_MAX:
        return denied(
            name,
            DenialCode.STALE_DATA,
            detail=f"clock of {case.target} differs by {skew} ms, more than {CLOCK_SKEW_MS_MAX} ms",
            remedy="set the clock",
        )
    return passed(name, "online")


def check_reachable(case: Case) -> Finding:
    """Deny a target nobody can reach."""
    name = "reachable"
    state = target_state(case)
    match state:
        case TargetState.LOCAL:
            return skipped(name, "local target")
        case TargetState.REACHABLE:
            return passed(name, "online")
        case TargetState.STALE | TargetState.PARTITIONED:
            return skipped(name, f"target is {state}")
        case TargetState.OFFLINE:
            detail = f"{case.target} is offline"
            remedy = "start the target, check discovery and mesh.connect"
        case TargetState.UNKNOWN if case.target is None:
            return skipped(name, "no target")
        case TargetState.UNKNOWN:
            detail = f"no signed message of {case.target} was ever received"
            remedy = f"start {case.target}, or check discovery and mesh.connect"
        case _:
            assert_never(state)
    return denied(name, DenialCode.TARGET_UNREACHABLE, detail=detail, remedy=remedy)


def target_state(case: Case) -> TargetState:
    """Return how reachable the case's target is."""
    if case.target is None:
        return TargetState.UNKNOWN
    if case.is_local:
        return TargetState.LOCAL
    return TargetState.UNKNOWN if case.peer is None else case.peer.target_state
