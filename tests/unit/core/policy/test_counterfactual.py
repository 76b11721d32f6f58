"""`core.policy.counterfactual`: enough, nothing too much, and honest where nothing helps (B2)."""

import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import (
    CALLER,
    COMMAND,
    FACTS,
    FAR,
    FAR_GHOST,
    GHOST,
    NEAR,
    OWN,
    READ,
    SITE_B,
    WRITE,
    Question,
    rule,
    with_peer,
)
from decision_strategies import questions, with_caller, with_facts
from trust_runtime.contracts.actions import VERBS, ActionRequest
from trust_runtime.contracts.counterfactual import Change, ChangeKind, WouldAllow
from trust_runtime.contracts.decisions import CheckOutcome, Preflight, TargetState
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName, site_of
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, Role
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.config.allow_rules import read_rules
from trust_runtime.core.policy.case import PeerFacts
from trust_runtime.core.policy.counterfactual import what_would_allow
from trust_runtime.core.policy.grants import rule_text
from trust_runtime.core.policy.inbound import accepted_writes
from trust_runtime.core.policy.preflight import decide

WAN = structs.replace(FACTS, profile=Profile.WAN)
SHUTDOWN = structs.replace(COMMAND, payload={"command": "shutdown", "params": {"confirm": True}})
NEVER_HEARD = PeerFacts(target_state=TargetState.OFFLINE, trust_reason=TrustReason.NEVER_SEEN)


def to(request: ActionRequest, *targets: str) -> ActionRequest:
    return structs.replace(request, target_runtimes=list(targets))


def wanted(preflight: Preflight) -> WouldAllow:
    assert preflight.would_allow is not None
    return preflight.would_allow


def after(question: Question, changes: Sequence[Change]) -> Question:
    """Return the question after changes were really made, each as its members say."""
    for change in changes:
        question = _after(question, change)
    return question


def _after(question: Question, change: Change) -> Question:
    at = None if change.at is None else RuntimeId(change.at)
    match change.kind:
        case ChangeKind.REQUEST:
            assert change.member is not None
            request = structs.replace(question.request, **{change.member: change.value})
            return question._replace(request=request)
        case ChangeKind.ROLE:
            return with_caller(question, role=change.grant)
        case ChangeKind.RULE:
            assert change.rule is not None
            assert at is not None
            return ruled(question, at, change.rule)
        case ChangeKind.CONFIG:
            return configured(question, at, change)
        case ChangeKind.TRUST:
            return trusted(question, at, change)
        case ChangeKind.REPAIR:
            return repaired(question, at, change)


def configured(question: Question, at: RuntimeId | None, change: Change) -> Question:
    path, facts = f"runtime.{change.key}", question.facts
    if "profile" in change.checks:
        return with_facts(
            question, unmet=tuple(one for one in facts.unmet if one.partition("=")[0] != path)
        )
    if "target_secure" in change.checks:
        assert at is not None
        rest = tuple(one for one in facts.peers[at].without_tls if one != path)
        return peered(question, at, without_tls=rest)
    assert (change.key, change.value) == ("control.debug_enabled", True)
    if at == facts.own:
        return with_facts(question, debug_enabled=True)
    return peered(question, at, debug_enabled=True)


def trusted(question: Question, at: RuntimeId | None, change: Change) -> Question:
    facts = question.facts
    if "profile" in change.checks:
        rest = tuple(one for one in facts.unmet if f"({one})" not in change.text)
        return with_facts(question, unmet=rest)
    if "import-bundle" not in change.text:
        return retrusted(question, at)
    for one, peer in facts.peers.items():
        named = f"bundle of {site_of(one)} at {at}:" in change.text
        if named and peer.trust_reason is TrustReason.CHAIN_INVALID:
            question = peered(question, one, trust_reason=None)
    return question


def retrusted(question: Question, at: RuntimeId | None) -> Question:
    if at == question.facts.own:
        return with_facts(question, own_trust_reason=None)
    return peered(question, at, trust_reason=None)


def repaired(question: Question, at: RuntimeId | None, change: Change) -> Question:
    if "audit_store" in change.checks:
        return with_facts(question, store_fault=None)
    if "trust" in change.checks:
        return retrusted(question, at)
    if "clock" in change.text:
        return peered(question, at, clock_skew_ms=0)
    return peered(question, at, target_state=TargetState.REACHABLE)


def ruled(question: Question, at: RuntimeId, new: AllowRule) -> Question:
    """Return the question after a rule was typed into the configuration of a runtime."""
    typed: list[Any] = [tomllib.loads(f"rule = {rule_text(new)}")["rule"]]
    rules = read_rules(typed, site_of(at))
    facts = question.facts
    if at == facts.own:
        return with_facts(question, allow_write=(*facts.allow_write, *rules))
    accepts = (*facts.peers[at].accepts, *accepted_writes(at, rules))
    return peered(question, at, accepts=accepts)


def peered(question: Question, peer: RuntimeId | None, **changes: Any) -> Question:
    assert peer is not None
    known = question.facts.peers.get(peer, NEVER_HEARD)
    peers = {**question.facts.peers, peer: structs.replace(known, **changes)}
    return with_facts(question, peers=peers)


def narrower(change: Change) -> list[Change]:
    """Return changes that look like a rule and are not enough."""
    if change.rule is None:
        return []
    other = "cmd_invoke" if change.rule.action == "cfg_apply" else "cfg_apply"
    members = [{"action": other}, {"target": "nobody"}, {"origin": "nobody"}]
    return [structs.replace(change, rule=structs.replace(change.rule, **m)) for m in members]


@settings(max_examples=400)
@given(question=questions())
def test_the_changes_are_enough_and_none_can_be_left_out(question: Question) -> None:
    preflight = decide(*question)
    if preflight.allowed:
        assert preflight.would_allow is None
        return
    found = wanted(preflight)
    if not found.possible:
        assert found.never
        assert (found.changes, found.unknown) == ((), ())
        return
    assert found.never == ()
    assert found.changes
    assert decide(*after(question, found.changes)).allowed
    for index, change in enumerate(found.changes):
        others = [*found.changes[:index], *found.changes[index + 1 :]]
        assert not decide(*after(question, others)).allowed
        for less in narrower(change):
            assert not decide(*after(question, [*others, less])).allowed


@settings(max_examples=200)
@given(question=questions())
def test_every_denying_check_is_answered_and_no_other(question: Question) -> None:
    preflight = decide(*question)
    if preflight.allowed or not preflight.decisions:
        return
    found = wanted(preflight)
    denying = {
        check.check
        for decision in preflight.decisions
        for check in decision.checks
        if check.outcome is CheckOutcome.DENY
    }
    answered = {name for change in found.changes for name in change.checks}
    if found.possible:
        # A clock that is off shows only once its owner is back, and so does a second meaning.
        assert answered - {"fresh", "target_id"} == denying - {"fresh"}
        assert denying <= answered
    else:
        assert {obstacle.check for obstacle in found.never} <= denying


@given(question=questions(), role=st.sampled_from(Role))
def test_where_nothing_can_allow_it_no_right_and_no_rule_does(
    question: Question, role: Role
) -> None:
    preflight = decide(*question)
    if preflight.allowed or wanted(preflight).possible:
        return
    granted = with_caller(question, role=role, scope=None)
    granted = with_facts(granted, allow_write=(rule("*", "*"),), unmet=(), store_fault=None)
    assert not decide(*granted).allowed


LET_OUT = 'add {action = "cfg_apply", target = "site-b/oven-1"} to '
LET_IN = (
    'add {action = "cfg_apply", target = "site-b/oven-1", from = "default-site/press-1"} to'
    " runtime_cloud.wan.allow_write at site-b/oven-1; needs admin there"
)
OUT_HERE = LET_OUT + "runtime_cloud.wan.allow_write at press-1; needs admin there"
VIEWER = Caller(identity="token://anna", role=Role.VIEWER)
EXPIRED = "renew the certificate of press-2: trust-runtime pki renew; whoever runs the machine may"
CERTIFICATE = (
    "give press-1 a certificate of its site: trust-runtime pki issue (identity);"
    " whoever runs the machine may"
)
BUNDLE = (
    "import the bundle of site-b at press-1: trust-runtime pki import-bundle --site site-b;"
    " whoever runs the machine may"
)


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        pytest.param(Question(to(WRITE, FAR), CALLER, FACTS), [OUT_HERE], id="a rule here"),
        pytest.param(
            Question(to(WRITE, FAR), CALLER, structs.replace(with_peer(FAR, accepts=()))),
            [OUT_HERE, LET_IN],
            id="a rule at each end",
        ),
        pytest.param(
            Question(to(WRITE, FAR), CALLER, WAN), [OUT_HERE], id="one rule answers two checks"
        ),
        pytest.param(
            Question(to(WRITE, NEAR, GHOST), VIEWER, FACTS),
            [
                "give token://anna role engineer at press-1; needs admin there",
                "start press-9, where it is heard; whoever runs the machine may",
            ],
            id="one role for all targets",
        ),
        pytest.param(
            Question(READ, CALLER, structs.replace(FACTS, unmet=("runtime.web.auth='token'",
                     "runtime.control.auth_token", "runtime.mesh.tls=true", "identity"))),
            [
                'set web.auth = "token" at press-1; needs admin there',
                "set control.auth_token to a value of your own at press-1; needs admin there",
                "set mesh.tls = true at press-1; needs admin there",
                CERTIFICATE,
            ],
            id="every missing precondition",
        ),
        pytest.param(
            Question(READ, CALLER, structs.replace(
                with_peer(NEAR, without_tls=("runtime.web.tls", "runtime.mesh.tls")),
                profile=Profile.PLANT)),
            [
                "set web.tls = true at press-2; needs admin there",
                "set mesh.tls = true at press-2; needs admin there",
            ],
            id="a target without TLS",
        ),
        pytest.param(
            Question(READ, CALLER, with_peer(
                NEAR, target_state=TargetState.STALE, clock_skew_ms=9_000)),
            [
                "bring press-2 back, or mend its link; whoever runs the machine may",
                "set the clock of press-2, or of press-1; whoever runs the machine may",
            ],
            id="a clock that shows only later",
        ),
        pytest.param(
            Question(WRITE, CALLER, with_peer(NEAR, trust_reason=TrustReason.EXPIRED)),
            [EXPIRED],
            id="an expired certificate",
        ),
        pytest.param(
            Question(to(WRITE, FAR), CALLER, structs.replace(
                with_peer(FAR, trust_reason=TrustReason.CHAIN_INVALID),
                allow_write=(rule("*", "*"),))),
            [BUNDLE],
            id="a bundle that is not here",
        ),
        pytest.param(
            Question(structs.replace(READ, api_version="2.0", connected_via="elsewhere"),
                     CALLER, FACTS),
            [
                'send api_version "1.0"; the caller may',
                'send connected_via "press-1"; the caller may',
            ],
            id="what the caller can mend",
        ),
        pytest.param(
            Question(structs.replace(READ, actor="spiffe://trust/site-c/anna"),
                     structs.replace(CALLER, scope=(SITE_B, DEFAULT_SITE)), FACTS),
            ['send actor "spiffe://trust/site-b/anna"; the caller may'],
            id="an actor out of scope",
        ),
        pytest.param(
            Question(READ, CALLER, structs.replace(FACTS, store_fault="the disk is full")),
            ["give press-1 a store that works (the disk is full); whoever runs the machine may"],
            id="no store",
        ),
    ],
)  # fmt: skip
def test_what_is_told(question: Question, texts: list[str]) -> None:
    found = wanted(decide(*question))
    assert [change.text for change in found.changes] == texts
    assert decide(*after(question, found.changes)).allowed


def test_a_name_that_a_start_makes_doubtful_is_sent_long() -> None:
    facts = structs.replace(
        FACTS, own=RuntimeId("site-a/press-1"), site=SiteName("site-a"), allow_write=()
    )
    request = structs.replace(to(READ, "site-a/press-2", "press-2"), connected_via=facts.own)
    found = wanted(decide(request, CALLER, facts))
    assert [change.value for change in found.changes] == [
        None,
        ["site-a/press-2", "default-site/press-2"],
    ]
    assert decide(*after(Question(request, CALLER, facts), found.changes)).allowed


def test_one_rule_names_both_checks_it_answers() -> None:
    (change,) = wanted(decide(to(WRITE, FAR), CALLER, WAN)).changes
    assert change.checks == ("cross_site", "wan_allowlist")
    assert (change.kind, change.at, change.role) == (ChangeKind.RULE, OWN, Role.ADMIN)
    assert change.key == "runtime_cloud.wan.allow_write"
    assert change.rule == AllowRule(action="cfg_apply", target=FAR)


def test_a_debug_gate_needs_an_engineer_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "pause", structs.replace(VERBS["pause"], built=True))
    question = Question(
        structs.replace(COMMAND, payload={"command": "pause"}),
        CALLER,
        with_peer(NEAR, debug_enabled=False),
    )
    found = wanted(decide(*question))
    assert [change.text for change in found.changes] == [
        "set control.debug_enabled = true at press-2; needs engineer there"
    ]
    assert decide(*after(question, found.changes)).allowed


@pytest.mark.parametrize(
    ("question", "check", "about", "words"),
    [
        pytest.param(
            Question(WRITE, CALLER, with_peer(NEAR, trust_reason=TrustReason.IDENTITY_CHANGED)),
            *("trust", NEAR, "no role, rule or setting allows it"),
            id="another key",
        ),
        pytest.param(
            Question(WRITE, CALLER, with_peer(NEAR, trust_reason=TrustReason.SIGNATURE_INVALID)),
            *("trust", NEAR, "find out whose key that is first"),
            id="a bad signature",
        ),
        pytest.param(
            Question(to(SHUTDOWN, FAR), CALLER, FACTS),
            *("role", FAR, "have an admin of site-b ask at a runtime of that site"),
            id="an admin's verb across sites",
        ),
        pytest.param(
            Question(structs.replace(WRITE, payload={"log.levle": 1}), CALLER, FACTS),
            *("payload", None, "the request itself must change"),
            id="a payload that fits nothing",
        ),
        pytest.param(
            Question(to(WRITE, "a/b/c"), CALLER, FACTS),
            *("target_id", "a/b/c", "write the canonical id"),
            id="no target",
        ),
        pytest.param(
            Question(to(READ), CALLER, FACTS), "targets", None, "name 1..256", id="no targets"
        ),
        pytest.param(
            Question(structs.replace(READ, action_type="reboot"), CALLER, FACTS),
            *("action_type", None, "use cfg_apply"),
            id="no action",
        ),
    ],
)
def test_where_nothing_can_allow_it_it_is_said(
    question: Question, check: str, about: str | None, words: str
) -> None:
    found = wanted(decide(*question))
    assert (found.possible, found.changes) == (False, ())
    (obstacle,) = [one for one in found.never if one.check == check]
    assert obstacle.runtime_id == about
    assert words in obstacle.reason


@pytest.mark.parametrize(
    ("question", "said"),
    [
        pytest.param(
            Question(to(WRITE, FAR_GHOST), CALLER, FACTS), "was never heard", id="never heard"
        ),
        pytest.param(
            Question(to(WRITE, FAR), CALLER, with_peer(FAR, accepts=(), accepts_cut=True)),
            "announces only a part of its rules",
            id="rules cut off",
        ),
        pytest.param(Question(to(READ, FAR_GHOST), CALLER, FACTS), None, id="a read"),
        pytest.param(Question(to(WRITE, GHOST), CALLER, FACTS), None, id="the own site"),
        pytest.param(Question(to(WRITE, GHOST), CALLER, WAN), "was never heard", id="in wan"),
        pytest.param(Question(to(WRITE, FAR), CALLER, FACTS), None, id="heard"),
    ],
)
def test_what_only_the_target_knows_is_said_to_be_unknown(
    question: Question, said: str | None
) -> None:
    found = wanted(decide(*question))
    assert found.possible
    if said is None:
        assert found.unknown == ()
    else:
        (text,) = found.unknown
        assert said in text
        assert "an inbound rule of its own" in text


def test_the_same_answer_is_given_to_equal_questions() -> None:
    facts = structs.replace(FACTS, peers=dict(reversed(list(FACTS.peers.items()))))
    request = to(WRITE, FAR, NEAR, GHOST, FAR_GHOST)
    assert decide(request, VIEWER, FACTS) == decide(request, VIEWER, facts)


def test_what_is_not_denied_needs_no_change() -> None:
    assert what_would_allow([]) == WouldAllow(possible=True)
