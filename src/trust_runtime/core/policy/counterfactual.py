"""The smallest change that would allow a denied decision, and who may make it (B2).

Every denying check must be answered, and each change answers checks that nothing else does: so the
set is complete, and no member of it can be left out. Each change is the narrowest of its kind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.counterfactual import Change, ChangeKind, Obstacle, WouldAllow
from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.ids import RuntimeId, site_in_actor, site_of, spelled_in
from trust_runtime.contracts.policy import AllowRule, Profile, Role, allows
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.units import API_VERSION, CLOCK_SKEW_MS_MAX
from trust_runtime.core.config.keys import key_of_path
from trust_runtime.core.policy import access, grants
from trust_runtime.core.policy.case import Case, Finding

ALLOW_WRITE: Final = "runtime_cloud.wan.allow_write"

Answers = Iterator[Change | Obstacle]
Answer = Callable[[Case, Finding], Answers]


def what_would_allow(judged: Sequence[tuple[Case, Sequence[Finding]]]) -> WouldAllow:
    """Return what would have to change for a denied request.

    Args:
        judged: each case with all its findings; of a request without targets one case without
            target, with the findings that concern the whole request.
    """
    changes: dict[str, Change] = {}
    never: dict[Obstacle, None] = {}
    for answer in _answers(judged):
        if isinstance(answer, Obstacle):
            never[answer] = None
        else:
            changes[answer.text] = _joined(changes.get(answer.text), answer)
    if never:
        return WouldAllow(possible=False, never=tuple(never))
    for change in _send_long_names([case for case, _ in judged]):
        changes[change.text] = change
    unknown = dict.fromkeys(text for case, _ in judged for text in _unheard(case))
    return WouldAllow(possible=True, changes=tuple(changes.values()), unknown=tuple(unknown))


def _answers(judged: Sequence[tuple[Case, Sequence[Finding]]]) -> Answers:
    for case, findings in judged:
        for finding in findings:
            if finding.denial is not None:
                yield from _ANSWERS.get(finding.name, _correct)(case, finding)


def _joined(before: Change | None, now: Change) -> Change:
    if before is None:
        return now
    checks = dict.fromkeys((*before.checks, *now.checks))
    return structs.replace(before, checks=tuple(checks))


def _correct(case: Case, finding: Finding) -> Answers:
    """Say that the request itself is wrong: whoever grants what, it stays so."""
    assert finding.denial is not None  # noqa: S101 - only denials are answered
    whole = finding.name in _OF_THE_REQUEST
    yield Obstacle(
        check=finding.name,
        runtime_id=None if whole else case.target or case.target_text or None,
        reason=f"the request itself must change: {finding.denial.remedy}",
    )


def _send_version(_: Case, finding: Finding) -> Answers:
    yield _in_request(finding, "api_version", API_VERSION)


def _send_connected_via(case: Case, finding: Finding) -> Answers:
    yield _in_request(finding, "connected_via", case.facts.own)


def _claim_other_actor(case: Case, finding: Finding) -> Answers:
    scope = case.caller.scope
    name = case.request.actor.rpartition("/")[2]
    value = f"spiffe://trust/{scope[0]}/{name}" if scope else f"token://{name}"
    assert site_in_actor(case.request.actor) is not None  # noqa: S101 - it was found out of scope
    yield _in_request(finding, "actor", value)


def _send_long_names(cases: Sequence[Case]) -> Iterator[Change]:
    """Yield what keeps a bare name clear once a runtime that was never heard is started."""
    if not cases:
        return
    facts = cases[0].facts
    heard = {facts.own, *facts.peers, *(c.target for c in cases)}
    for text in (case.target_text for case in cases):
        if "/" not in text and {text, f"{facts.site}/{text}"} <= heard:
            names = [spelled_in(facts.site, c.target) for c in cases if c.target is not None]
            yield Change(
                kind=ChangeKind.REQUEST,
                checks=("target_id",),
                text=f"send target_runtimes {', '.join(names)}, as {text} will mean two;"
                " the caller may",
                member="target_runtimes",
                value=names,
            )
            return


def _in_request(finding: Finding, member: str, value: str) -> Change:
    return Change(
        kind=ChangeKind.REQUEST,
        checks=(finding.name,),
        text=f'send {member} "{value}"; the caller may',
        member=member,
        value=value,
    )


def _grant_role(case: Case, finding: Finding) -> Answers:
    needed, own = access.role_required(case), case.facts.own
    assert needed is not None  # noqa: S101 - without a known action no role is asked for
    across = case.target is not None and site_of(case.target) != case.facts.site
    if across and not allows(access.ACROSS_SITES, needed):
        assert case.target is not None  # noqa: S101 - across sites there is one
        yield Obstacle(
            check=finding.name,
            runtime_id=case.target,
            reason=f"it needs role {needed}, and across sites nobody counts for more than"
            f" {access.ACROSS_SITES}: have an {needed} of {site_of(case.target)} ask at a runtime"
            " of that site",
        )
        return
    yield Change(
        kind=ChangeKind.ROLE,
        checks=(finding.name,),
        at=own,
        role=Role.ADMIN,
        text=f"give {case.caller.identity} role {needed} at {own}; needs admin there",
        grant=needed,
    )


def _meet_profile(case: Case, finding: Finding) -> Answers:
    for unmet in case.facts.unmet:
        path, _, text = unmet.partition("=")
        if path.startswith("runtime."):
            yield _set_key(finding, case.facts.own, path, value=_value_in(text))
        else:
            how = f"give {case.facts.own} a certificate of its site: trust-runtime pki issue"
            yield _at_machine(ChangeKind.TRUST, finding, case.facts.own, how=f"{how} ({unmet})")


def _secure_target(case: Case, finding: Finding) -> Answers:
    assert case.target is not None and case.peer is not None  # noqa: S101, PT018 - it was heard
    for path in case.peer.without_tls:
        yield _set_key(finding, case.target, path, value=True)


def _open_debug_gate(case: Case, finding: Finding) -> Answers:
    assert case.target is not None  # noqa: S101 - somebody said that it is closed
    path = "runtime.control.debug_enabled"
    yield _set_key(finding, case.target, path, value=True, role=Role.ENGINEER)


def _set_key(
    finding: Finding, at: RuntimeId, path: str, *, value: Any, role: Role = Role.ADMIN
) -> Change:
    key = key_of_path(path)
    shown = {None: "to a value of your own", True: "= true"}.get(value, f'= "{value}"')
    return Change(
        kind=ChangeKind.CONFIG,
        checks=(finding.name,),
        at=at,
        role=role,
        text=f"set {key} {shown} at {at}; needs {role} there",
        key=key,
        value=value,
    )


def _value_in(text: str) -> Any:
    """Return the value an unmet precondition names, None when it names none."""
    return True if text == "true" else text.strip("'\"") or None


def _let_out(case: Case, finding: Finding) -> Answers:
    own, target = case.facts.own, case.target
    assert target is not None  # noqa: S101 - only a resolved target lacks a rule
    rule = grants.outbound_rule(case.request.action_type, target, origin=own)
    yield _add_rule(finding, own, rule)


def _let_in(case: Case, finding: Finding) -> Answers:
    target = case.target
    assert target is not None  # noqa: S101 - only a resolved target lacks a rule
    action = case.request.action_type
    rule = grants.inbound_rule(action, target=target, origin=case.facts.own)
    yield _add_rule(finding, target, rule)


def _add_rule(finding: Finding, at: RuntimeId, rule: AllowRule) -> Change:
    return Change(
        kind=ChangeKind.RULE,
        checks=(finding.name,),
        at=at,
        role=Role.ADMIN,
        text=f"add {grants.rule_text(rule)} to {ALLOW_WRITE} at {at}; needs admin there",
        key=ALLOW_WRITE,
        rule=rule,
    )


def _trust(case: Case, finding: Finding) -> Answers:
    own, reason = case.facts.own, case.facts.own_trust_reason
    if reason is not None and case.is_write:
        yield _trust_again(finding, own, reason, by=own)
        # What the own state hides of the target is denied as well.
        case = structs.replace(case, facts=structs.replace(case.facts, own_trust_reason=None))
        if access.check_trust(case).denial is None:
            return
    assert case.target is not None and case.peer is not None  # noqa: S101, PT018 - it was seen
    assert case.peer.trust_reason is not None  # noqa: S101 - it is what denies
    yield _trust_again(finding, case.target, case.peer.trust_reason, by=own)


def _trust_again(
    finding: Finding, who: RuntimeId, reason: TrustReason, *, by: RuntimeId
) -> Change | Obstacle:
    match reason:
        case TrustReason.DUPLICATE_INSTANCE:
            how = f"stop all but one process with the id {who}"
            return _at_machine(ChangeKind.REPAIR, finding, who, how=how)
        case TrustReason.EXPIRED:
            how = f"renew the certificate of {who}: trust-runtime pki renew"
            return _at_machine(ChangeKind.TRUST, finding, who, how=how)
        case TrustReason.CHAIN_INVALID if who != by:
            site = site_of(who)
            how = f"import the bundle of {site} at {by}: trust-runtime pki import-bundle"
            return _at_machine(ChangeKind.TRUST, finding, by, how=f"{how} --site {site}")
    return Obstacle(
        check=finding.name,
        runtime_id=who,
        reason=f"{reason}: what signs as {who} is not known to be {who}; no role, rule or setting"
        " allows it: find out whose key that is first",
    )


def _mend_store(case: Case, finding: Finding) -> Answers:
    how = f"give {case.facts.own} a store that works ({case.facts.store_fault})"
    yield _at_machine(ChangeKind.REPAIR, finding, case.facts.own, how=how)


def _refresh(case: Case, finding: Finding) -> Answers:
    target, peer = case.target, case.peer
    assert target is not None  # noqa: S101 - what has no id is not looked for
    if peer is None or peer.target_state in (TargetState.OFFLINE, TargetState.UNKNOWN):
        how = f"start {target}, where it is heard"
        yield _at_machine(ChangeKind.REPAIR, finding, target, how=how)
    elif peer.target_state is not TargetState.REACHABLE:
        how = f"bring {target} back, or mend its link"
        yield _at_machine(ChangeKind.REPAIR, finding, target, how=how)
    if peer is not None and abs(peer.clock_skew_ms or 0) > CLOCK_SKEW_MS_MAX:
        how = f"set the clock of {target}, or of {case.facts.own}"
        yield structs.replace(
            _at_machine(ChangeKind.REPAIR, finding, target, how=how), checks=("fresh",)
        )


def _at_machine(kind: ChangeKind, finding: Finding, at: RuntimeId, *, how: str) -> Change:
    return Change(
        kind=kind,
        checks=(finding.name,),
        at=at,
        text=f"{how}; whoever runs the machine may",
    )


def _unheard(case: Case) -> Iterator[str]:
    """Yield what is not known of a target that has the last word on a write."""
    target, peer, own = case.target, case.peer, case.facts.own
    if target is None or case.is_local or not case.is_write:
        return
    if site_of(target) == case.facts.site and case.facts.profile is not Profile.WAN:
        return
    if peer is None or peer.trust_reason is TrustReason.NEVER_SEEN:
        said = f"{target} was never heard"
    elif peer.accepts_cut and not grants.accepts(peer.accepts, case.request.action_type, own):
        said = f"{target} announces only a part of its rules"
    else:
        return
    rule = grants.inbound_rule(case.request.action_type, target=target, origin=own)
    yield f"{said}: it needs an inbound rule of its own, at the narrowest {grants.rule_text(rule)}"


_OF_THE_REQUEST: Final = frozenset({"request_id", "actor", "targets", "action_type", "payload"})
_ANSWERS: Final[Mapping[str, Answer]] = {
    "api_version": _send_version,
    "connected_via": _send_connected_via,
    "role": _grant_role,
    "audit_store": _mend_store,
    "profile": _meet_profile,
    "target_secure": _secure_target,
    "actor_scope": _claim_other_actor,
    "cross_site": _let_out,
    "wan_allowlist": _let_out,
    "trust": _trust,
    "target_policy": _let_in,
    "debug_gate": _open_debug_gate,
    "fresh": _refresh,
    "reachable": _refresh,
}
"""How each denying check is answered; every other one is a fault of the request."""
