"""Decide whether an action is allowed, per target, with every check that led to it.

Pure: the same request, caller and facts give the same bytes, at any hour, in any process
(contract 8.2, invariant 5).
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from msgspec import Raw

from trust_runtime.contracts.actions import TARGETS_MAX, ActionRequest, ActionType, VerbSpec
from trust_runtime.contracts.codec import canonical_json, digest
from trust_runtime.contracts.counterfactual import WouldAllow
from trust_runtime.contracts.decisions import Check, CheckOutcome, Preflight, TargetDecision
from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.naming import resolve
from trust_runtime.core.policy import access, conditions, contract
from trust_runtime.core.policy.case import Case, DecisionFacts, Finding
from trust_runtime.core.policy.counterfactual import what_would_allow
from trust_runtime.core.policy.payload import check_payload, verb_asked

Rule = Callable[[Case], Finding]

GLOBAL_RULES: Final[tuple[Rule, ...]] = (
    contract.check_request_id,
    contract.check_actor,
    contract.check_api_version,
    contract.check_connected_via,
    contract.check_targets,
    contract.check_action_type,
)
"""Checks 1 to 6: the same for every target; a denial here denies all, whatever `on_denied`."""

RULES: Final[tuple[Rule, ...]] = (
    *GLOBAL_RULES,
    contract.check_target_id,
    access.check_role,
    check_payload,
    conditions.check_audit_store,
    conditions.check_profile,
    conditions.check_target_secure,
    access.check_actor_scope,
    access.check_cross_site,
    access.check_wan_allowlist,
    access.check_trust,
    access.check_target_policy,
    conditions.check_debug_gate,
    conditions.check_ha,
    conditions.check_fresh,
    conditions.check_reachable,
)
"""All checks, in the order that gives the code. Policy stands before reachability."""

_WHOLE: Final = (*GLOBAL_RULES, conditions.check_profile)
"""What denies all targets whatever `on_denied` says."""

_ALIKE: Final = frozenset(
    {
        *GLOBAL_RULES,
        check_payload,
        conditions.check_audit_store,
        conditions.check_profile,
        access.check_actor_scope,
    }
)
"""Rules that see of the target at most whether it is the deciding runtime itself.

One finding serves all targets of a request: it is made once, however many there are.
"""

_SINGLE: Final = tuple((place, rule) for place, rule in enumerate(RULES) if rule not in _ALIKE)
"""The other rules, with their place in `RULES`: asked for each target."""

_PROFILE: Final = "profile"
_ACTIONS: Final = frozenset(ActionType)


class _Asked(NamedTuple):
    """What is the same for all targets of a request."""

    request: ActionRequest
    caller: Caller
    facts: DecisionFacts
    action: ActionType | None
    verb: VerbSpec | None
    known: AbstractSet[RuntimeId]


_Found = tuple[list[Finding], list[Check]]
"""What every rule says, in the order of `RULES`: as the decision reads it, as it is shown."""


def decide(request: ActionRequest, caller: Caller, facts: DecisionFacts) -> Preflight:
    """Return the decision on every distinct target of `request`."""
    asked = _asked(request, caller, facts)
    cases = _cases(asked)
    shared: dict[bool, _Found] = {}
    found = [_found(case, shared) for case in cases]
    denials = [first_denial(findings) for findings, _ in found]
    decisions = tuple(
        _decision(case, checks, denial)
        for case, (_, checks), denial in zip(cases, found, denials, strict=True)
    )
    summary = _summary(request, caller, facts, denials=denials)
    return Preflight(
        api_version=API_VERSION,
        request_id=request.request_id,
        connected_via=facts.own,
        acting_on=tuple(decision.runtime_id for decision in decisions),
        allowed=summary is None,
        denial_code=None if summary is None else summary.code,
        denial_reason=None if summary is None else summary.reason,
        decision_digest=_digest(request, caller, facts, decisions=decisions),
        decisions=decisions,
        would_allow=None if summary is None else _would_allow(asked, cases, found),
    )


def _would_allow(asked: _Asked, cases: Sequence[Case], found: Sequence[_Found]) -> WouldAllow:
    if cases:
        judged = [(case, findings) for case, (findings, _) in zip(cases, found, strict=True)]
        return what_would_allow(judged)
    whole = _case(asked, "")
    return what_would_allow([(whole, [rule(whole) for rule in _WHOLE])])


def first_denial(findings: Sequence[Finding]) -> Denial | None:
    """Return the denial that gives the code: a failing profile, else the first in order."""
    denials = [f for f in findings if f.denial is not None]
    if not denials:
        return None
    profile = [f for f in denials if f.name == _PROFILE]
    return [*profile, *denials][0].denial


def remedy_of(preflight: Preflight) -> str | None:
    """Return what to do about the first denied decision, or None when nothing denies."""
    for decision in preflight.decisions:
        denying = [check for check in decision.checks if check.outcome is CheckOutcome.DENY]
        for check in (*(c for c in denying if c.check == _PROFILE), *denying):
            return check.remedy
    return None


def denies_all(request: ActionRequest, caller: Caller, facts: DecisionFacts) -> Denial | None:
    """Return the denial that concerns the whole request and not single targets, or None."""
    case = _case(_asked(request, caller, facts), "")
    return first_denial([rule(case) for rule in _WHOLE])


def _cases(asked: _Asked) -> list[Case]:
    if len(asked.request.target_runtimes) > TARGETS_MAX:
        return []
    cases: dict[str, Case] = {}
    for text in asked.request.target_runtimes:
        case = _case(asked, text)
        shown = _shown_id(case)
        # `default-site/x` may mean the id `x` while `x` itself is ambiguous: the doubt wins.
        if shown not in cases or case.naming is not None:
            cases[shown] = case
    return list(cases.values())


def _shown_id(case: Case) -> str:
    """Return what names the target in every answer: its canonical id, or the text as given."""
    return case.target_text if case.target is None else case.target


def _found(case: Case, shared: dict[bool, _Found]) -> _Found:
    """Return what every rule says; `shared` keeps what is alike, by whether the target is local."""
    if case.is_local not in shared:
        first = [rule(case) for rule in RULES]
        shared[case.is_local] = first, [finding.as_check() for finding in first]
        return shared[case.is_local]
    alike = shared[case.is_local]
    findings, checks = alike[0].copy(), alike[1].copy()
    for place, rule in _SINGLE:
        findings[place] = finding = rule(case)
        checks[place] = finding.as_check()
    return findings, checks


def _asked(request: ActionRequest, caller: Caller, facts: DecisionFacts) -> _Asked:
    known_action = request.action_type in _ACTIONS
    return _Asked(
        request=request,
        caller=caller,
        facts=facts,
        action=ActionType(request.action_type) if known_action else None,
        verb=verb_asked(request),
        known={facts.own, *facts.peers},
    )


def _case(asked: _Asked, text: str) -> Case:
    target = resolve(text, own_site=asked.facts.site, known=asked.known)
    return Case(
        request=asked.request,
        caller=asked.caller,
        facts=asked.facts,
        action=asked.action,
        target_text=text,
        target=None if isinstance(target, Denial) else target,
        naming=target if isinstance(target, Denial) else None,
        verb=asked.verb,
    )


def _decision(case: Case, checks: Sequence[Check], denial: Denial | None) -> TargetDecision:
    return TargetDecision(
        runtime_id=_shown_id(case),
        allowed=denial is None,
        target_state=conditions.target_state(case),
        denial_code=None if denial is None else denial.code,
        denial_reason=None if denial is None else denial.reason,
        checks=tuple(checks),
    )


def _summary(
    request: ActionRequest,
    caller: Caller,
    facts: DecisionFacts,
    *,
    denials: Sequence[Denial | None],
) -> Denial | None:
    if not denials:
        return denies_all(request, caller, facts)
    return next((denial for denial in denials if denial is not None), None)


def _digest(
    request: ActionRequest,
    caller: Caller,
    facts: DecisionFacts,
    *,
    decisions: Sequence[TargetDecision],
) -> str:
    """Return the fingerprint of what was decided; texts and budgets are no part of it (8.5)."""
    checks: dict[str, Raw] = {}
    return digest(
        {
            "api_major": 1,
            "connected_via": facts.own,
            "role": caller.role,
            "actor": request.actor,
            "action_type": request.action_type,
            "payload": request.payload,
            "decisions": [_digested(decision, checks) for decision in decisions],
        }
    )


def _digested(decision: TargetDecision, checks: dict[str, Raw]) -> dict[str, object]:
    """Return what the fingerprint covers of one target.

    `checks` keeps the bytes of the checks by their outcomes, which most targets have in common:
    the names are those of `RULES`, in that order, for all of them.
    """
    outcomes = " ".join([c.outcome for c in decision.checks])
    if outcomes not in checks:
        shown = [{"check": c.check, "outcome": c.outcome} for c in decision.checks]
        checks[outcomes] = Raw(canonical_json(shown))
    content: dict[str, object] = {
        "runtime_id": decision.runtime_id,
        "allowed": decision.allowed,
        "target_state": decision.target_state,
        "checks": checks[outcomes],
    }
    if decision.denial_code is not None:
        content["denial_code"] = decision.denial_code
    return content
