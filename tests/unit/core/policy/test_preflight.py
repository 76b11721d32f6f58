"""`core.policy.preflight`: one decision per target, and what always holds of it (contract 8)."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
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
    NEAR,
    ONLINE,
    OWN,
    READ,
    SITE_B,
    WRITE,
    Question,
    many_questions,
    rule,
    with_peer,
)
from decision_strategies import (
    WORSENING,
    any_json,
    payloads,
    questions,
    with_caller,
    with_facts,
    worsenings,
)
from trust_runtime.contracts.actions import TARGETS_MAX, ActionRequest, OnDenied
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.decisions import Check, CheckOutcome, Preflight, TargetDecision
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.policy import Profile, Role
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.naming import resolve
from trust_runtime.core.policy.case import PeerFacts
from trust_runtime.core.policy.preflight import decide, denies_all, remedy_of

ORDER = {
    "request_id": {DenialCode.CONTRACT_VIOLATION},
    "actor": {DenialCode.CONTRACT_VIOLATION},
    "api_version": {DenialCode.CONTRACT_VIOLATION},
    "connected_via": {DenialCode.CONTRACT_VIOLATION},
    "targets": {DenialCode.CONTRACT_VIOLATION},
    "action_type": {DenialCode.CONTRACT_VIOLATION},
    "target_id": {DenialCode.CONTRACT_VIOLATION},
    "role": {DenialCode.ACL_DENIED_CFG_WRITE, DenialCode.PERMISSION_DENIED},
    "payload": {DenialCode.CONTRACT_VIOLATION, DenialCode.NOT_CONFIGURED},
    "audit_store": {DenialCode.TRANSPORT_FAILURE},
    "profile": {DenialCode.NOT_CONFIGURED},
    "target_secure": {DenialCode.NOT_CONFIGURED},
    "actor_scope": {DenialCode.PERMISSION_DENIED},
    "cross_site": {DenialCode.PERMISSION_DENIED},
    "wan_allowlist": {DenialCode.PERMISSION_DENIED},
    "trust": {DenialCode.PERMISSION_DENIED},
    "target_policy": {DenialCode.PERMISSION_DENIED},
    "debug_gate": {DenialCode.NOT_CONFIGURED},
    "ha": set(),
    "fresh": {DenialCode.STALE_DATA},
    "reachable": {DenialCode.TARGET_UNREACHABLE},
}
"""Every check in the order of contract 8.2, with the codes it may give."""

PRESENCE_CHECKS = ("fresh", "reachable")
REPEATING = ("api_version", "connected_via", "action_type", "target_id", "payload")
"""Checks whose details repeat what the caller wrote."""

BAD, NO = DenialCode.CONTRACT_VIOLATION, DenialCode.PERMISSION_DENIED
UNSET, FULL = DenialCode.NOT_CONFIGURED, DenialCode.TRANSPORT_FAILURE
UNMET = "runtime.web.tls=true"
MANY, MORE = settings(max_examples=50), settings(max_examples=150)
SEEDS = ("0", "1", "4242")
FOLDERS = (Path(__file__).parents[3], Path(__file__).parents[4] / "src")


def ask(question: Question) -> Preflight:
    return decide(*question)


def to(request: ActionRequest, *targets: str) -> ActionRequest:
    return structs.replace(request, target_runtimes=list(targets))


def denials(decision: TargetDecision) -> list[Check]:
    return [check for check in decision.checks if check.outcome is CheckOutcome.DENY]


def by_target(preflight: Preflight) -> dict[str, TargetDecision]:
    return {decision.runtime_id: decision for decision in preflight.decisions}


# The answer, by example.


def test_an_allowed_read() -> None:
    preflight = decide(READ, CALLER, FACTS)
    assert (preflight.allowed, preflight.denial_code, preflight.denial_reason) == (True, None, None)
    assert (preflight.api_version, preflight.request_id) == ("1.0", "request-1")
    assert (preflight.connected_via, preflight.acting_on) == (OWN, (NEAR,))
    (decision,) = preflight.decisions
    assert [check.check for check in decision.checks] == list(ORDER)
    assert "denial_code" not in json.loads(encode_json(preflight))


def test_the_summary_is_that_of_the_first_denied_target() -> None:
    preflight = decide(to(READ, NEAR, "press-9", "a/b/c"), CALLER, FACTS)
    allowed = [decision.allowed for decision in preflight.decisions]
    assert (preflight.allowed, allowed) == (False, [True, False, False])
    assert preflight.denial_code is DenialCode.TARGET_UNREACHABLE
    assert preflight.denial_reason == preflight.decisions[1].denial_reason
    assert preflight.decisions[2].runtime_id == "a/b/c"
    assert preflight.decisions[2].denial_code is BAD


@pytest.mark.parametrize(
    ("count", "decided"),
    [
        pytest.param(0, 0, id="none"),
        pytest.param(1, 1, id="one"),
        pytest.param(TARGETS_MAX, TARGETS_MAX, id="as many as allowed"),
        pytest.param(TARGETS_MAX + 1, 0, id="one too many"),
    ],
)
def test_without_a_usable_list_there_are_no_decisions(count: int, decided: int) -> None:
    peers = {RuntimeId(f"press-{number}"): ONLINE for number in range(2, count + 2)}
    facts = structs.replace(FACTS, peers=peers)
    preflight = decide(to(READ, *peers), CALLER, facts)
    assert len(preflight.decisions) == len(preflight.acting_on) == decided
    assert preflight.allowed is (decided > 0)
    assert preflight.denial_code is (None if decided else BAD)


def test_too_many_spellings_of_one_target_are_too_many() -> None:
    preflight = decide(to(READ, *[NEAR] * (TARGETS_MAX + 1)), CALLER, FACTS)
    assert (preflight.decisions, preflight.denial_code) == ((), BAD)


def test_spellings_of_one_target_collapse_at_the_place_of_the_first() -> None:
    texts = ["default-site/press-2", FAR, NEAR, "press-2", OWN, FAR]
    assert decide(to(READ, *texts), CALLER, FACTS).acting_on == (NEAR, FAR, OWN)


@pytest.mark.parametrize(
    "texts", [["oven-1", "default-site/oven-1"], ["default-site/oven-1", "oven-1"]]
)
def test_a_doubtful_name_is_denied_also_beside_the_id_it_looks_like(texts: list[str]) -> None:
    """`oven-1` is ambiguous at site-b, and at the same time the canonical id of one of the two."""
    facts = structs.replace(
        FACTS,
        own=RuntimeId("site-b/press-1"),
        site=SiteName("site-b"),
        peers={RuntimeId("oven-1"): ONLINE, RuntimeId("site-b/oven-1"): ONLINE},
    )
    request = structs.replace(to(READ, *texts), connected_via="site-b/press-1")
    (decision,) = decide(request, CALLER, facts).decisions
    assert (decision.runtime_id, decision.denial_code) == ("oven-1", BAD)


@pytest.mark.parametrize("texts", [[OWN, NEAR], [NEAR, OWN]])
def test_a_value_is_judged_by_the_origin_for_the_origin_alone(texts: list[str]) -> None:
    request = structs.replace(to(WRITE, *texts), payload={"log.level": "loud"})
    decisions = by_target(decide(request, CALLER, FACTS))
    assert (decisions[OWN].denial_code, decisions[NEAR].denial_code) == (BAD, None)


# Order: each row adds one fact that denies earlier than those of the rows before it.

WORSE: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], DenialCode]] = [
    ("reachable", {}, {}, {"peers": {}}, DenialCode.TARGET_UNREACHABLE),
    ("cross_site", {}, {"allow_write": ()}, {}, NO),
    ("actor_scope", {"scope": (SITE_B,)}, {}, {}, NO),
    ("audit_store", {}, {"store_fault": "the disk is full"}, {}, FULL),
    ("role", {"role": Role.VIEWER}, {}, {}, DenialCode.ACL_DENIED_CFG_WRITE),
]


def test_the_first_denying_check_gives_the_code() -> None:
    facts = structs.replace(FACTS, allow_write=(rule("*", "*"),))
    request = structs.replace(to(WRITE, FAR), actor="spiffe://trust/site-c/anna")
    caller = CALLER
    assert decide(request, caller, facts).allowed
    for name, of_caller, of_facts, more, code in WORSE:
        caller = structs.replace(caller, **of_caller)
        facts = structs.replace(facts, **{**of_facts, **more})
        (decision,) = decide(request, caller, facts).decisions
        assert denials(decision)[0].check == name
        assert decision.denial_code is code
        assert decision.denial_reason == denials(decision)[0].detail
    for member, code in [("payload", DenialCode.ACL_DENIED_CFG_WRITE), ("request_id", BAD)]:
        request = structs.replace(request, **{member: ""})
        assert decide(request, caller, facts).denial_code is code


def test_an_unmet_profile_gives_its_code_to_everything() -> None:
    facts = structs.replace(FACTS, unmet=(UNMET,), store_fault="full")
    request = structs.replace(to(WRITE, FAR, "a/b/c"), request_id="", payload=[])
    preflight = decide(request, structs.replace(CALLER, role=Role.VIEWER), facts)
    codes = [preflight.denial_code, *(d.denial_code for d in preflight.decisions)]
    assert codes == [UNSET] * 3
    assert UNMET in (preflight.denial_reason or "")
    empty = decide(to(request), CALLER, facts)
    assert (empty.denial_code, empty.decisions) == (UNSET, ())


@pytest.mark.parametrize("request_", [WRITE, COMMAND], ids=["cfg_apply", "cmd_invoke"])
@pytest.mark.parametrize("state", [*WORSENING, None], ids=str)
def test_a_forbidden_write_is_forbidden_also_when_the_target_is_down(
    request_: ActionRequest, state: Any
) -> None:
    peers: dict[RuntimeId, PeerFacts] = {}
    if state is not None:
        peers = {FAR: structs.replace(ONLINE, target_state=state)}
    facts = structs.replace(FACTS, peers=peers)
    (decision,) = decide(to(request_, FAR), CALLER, facts).decisions
    assert decision.denial_code is NO
    assert denials(decision)[0].check == "cross_site"
    permitted = structs.replace(facts, allow_write=(rule("*", "site-b/*"),))
    (decision,) = decide(to(request_, FAR), CALLER, permitted).decisions
    assert decision.denial_code is not NO


@pytest.mark.parametrize("state", WORSENING, ids=str)
@pytest.mark.parametrize(
    ("target", "of_peer", "of_facts", "check"),
    [
        pytest.param(NEAR, {"trust_reason": TrustReason.EXPIRED}, {}, "trust", id="untrusted"),
        pytest.param(
            *(FAR, {"accepts": ()}, {"allow_write": (rule("*", "*"),)}, "target_policy"),
            id="not accepted",
        ),
        pytest.param(NEAR, {}, {"profile": Profile.WAN}, "wan_allowlist", id="no rule in wan"),
        pytest.param(
            NEAR, {}, {"own_trust_reason": TrustReason.EXPIRED}, "trust", id="untrusted origin"
        ),
    ],
)
def test_policy_denies_in_every_state_of_the_target(
    target: RuntimeId,
    of_peer: dict[str, Any],
    of_facts: dict[str, Any],
    *,
    check: str,
    state: Any,
) -> None:
    facts = structs.replace(with_peer(target, target_state=state, **of_peer), **of_facts)
    (decision,) = decide(to(WRITE, target), CALLER, facts).decisions
    assert (decision.denial_code, denials(decision)[0].check) == (NO, check)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({}, None, id="a good request"),
        pytest.param({"target_runtimes": ["a/b/c"]}, None, id="a bad target is one target's"),
        pytest.param({"payload": []}, None, id="a bad payload is one target's"),
        pytest.param({"request_id": ""}, BAD, id="request_id"),
        pytest.param({"actor": ""}, BAD, id="actor"),
        pytest.param({"api_version": "2.0"}, BAD, id="api_version"),
        pytest.param({"connected_via": "press-2"}, BAD, id="connected_via"),
        pytest.param({"target_runtimes": []}, BAD, id="targets"),
        pytest.param({"action_type": "reboot"}, BAD, id="action_type"),
    ],
)
def test_what_denies_the_whole_request(changes: dict[str, Any], code: DenialCode | None) -> None:
    request = structs.replace(WRITE, **changes)
    denial = denies_all(request, CALLER, FACTS)
    assert (denial and denial.code) is code
    unmet = denies_all(request, CALLER, structs.replace(FACTS, unmet=(UNMET,)))
    assert unmet is not None
    assert unmet.code is UNSET
    full = denies_all(request, CALLER, structs.replace(FACTS, store_fault="full"))
    assert full == denial


# What always holds.


@MANY
@given(question=questions())
def test_allowed_means_that_every_check_of_every_target_allows(question: Question) -> None:
    preflight = ask(question)
    allowed = [decision.allowed for decision in preflight.decisions]
    assert preflight.allowed is (bool(allowed) and all(allowed))
    assert preflight.allowed is (preflight.denial_code is None)
    assert (preflight.denial_code is None) is (preflight.denial_reason is None)
    for decision in preflight.decisions:
        assert decision.allowed is not bool(denials(decision))
        assert decision.allowed is (decision.denial_code is None)


@MANY
@given(question=questions())
def test_the_code_is_that_of_the_first_denying_check(question: Question) -> None:
    preflight = ask(question)
    for decision in preflight.decisions:
        assert [check.check for check in decision.checks] == list(ORDER)
        for check in decision.checks:
            denies = check.outcome is CheckOutcome.DENY
            assert bool(check.remedy and check.remedy.strip()) is denies
            assert check.detail.strip()
        found = sorted(denials(decision), key=lambda check: check.check != "profile")
        if found:
            assert decision.denial_reason == found[0].detail
            assert decision.denial_code in ORDER[found[0].check]
    refused = [decision for decision in preflight.decisions if not decision.allowed]
    if refused:
        assert preflight.denial_code is refused[0].denial_code
        assert preflight.denial_reason == refused[0].denial_reason


@MANY
@given(question=questions())
def test_one_decision_per_distinct_target_in_the_order_of_the_first(question: Question) -> None:
    known = [question.facts.own, *question.facts.peers]
    wanted: list[str] = []
    for text in question.request.target_runtimes:
        target = resolve(text, own_site=question.facts.site, known=known)
        wanted.append(text if isinstance(target, Denial) else target)
    preflight = ask(question)
    assert preflight.acting_on == tuple(dict.fromkeys(wanted))
    assert preflight.acting_on == tuple(d.runtime_id for d in preflight.decisions)


@MORE
@given(question=questions(), data=st.data())
def test_nothing_worse_turns_a_denial_into_an_allowance(
    question: Question, data: st.DataObject
) -> None:
    before = by_target(ask(question))
    worse = data.draw(worsenings(question))
    worse = data.draw(st.just(worse) | worsenings(worse))
    after = by_target(ask(worse))
    assert list(after) == list(before)
    for target, decision in after.items():
        assert not decision.allowed or before[target].allowed


@MORE
@given(question=questions(), state=st.sampled_from(WORSENING))
def test_presence_changes_no_decision_of_policy(question: Question, state: Any) -> None:
    peers = {
        name: structs.replace(peer, target_state=state)
        for name, peer in question.facts.peers.items()
        if peer.trust_reason is not TrustReason.NEVER_SEEN
    }
    after = by_target(ask(with_facts(question, peers={**question.facts.peers, **peers})))
    for target, decision in by_target(ask(question)).items():
        policy = [c for c in decision.checks if c.check not in PRESENCE_CHECKS]
        assert [c for c in after[target].checks if c.check not in PRESENCE_CHECKS] == policy
        if any(check.outcome is CheckOutcome.DENY for check in policy):
            assert after[target].denial_code is decision.denial_code
            assert after[target].denial_reason == decision.denial_reason


@MANY
@given(question=questions(), data=st.data())
def test_no_target_changes_the_decision_on_another(question: Question, data: st.DataObject) -> None:
    texts = question.request.target_runtimes
    together = by_target(ask(question))
    turned = to(question.request, *data.draw(st.permutations(texts)))
    assert by_target(ask(question._replace(request=turned))) == together
    known = [question.facts.own, *question.facts.peers]
    for text in texts:
        target = resolve(text, own_site=question.facts.site, known=known)
        (alone,) = decide(to(question.request, text), question.caller, question.facts).decisions
        if isinstance(target, Denial) or text == target:
            assert together[alone.runtime_id] == alone


@MANY
@given(question=questions(), data=st.data())
def test_the_order_in_which_peers_were_met_does_not_matter(
    question: Question, data: st.DataObject
) -> None:
    peers = dict(data.draw(st.permutations(list(question.facts.peers.items()))))
    again = ask(with_facts(question, peers=peers))
    assert encode_json(again) == encode_json(ask(question))


@MANY
@given(question=questions())
def test_an_unmet_profile_is_named_first_whatever_else_is_wrong(question: Question) -> None:
    preflight = ask(with_facts(question, unmet=(UNMET, "identity")))
    codes = {preflight.denial_code, *(d.denial_code for d in preflight.decisions)}
    assert codes == {UNSET}
    assert UNMET in (preflight.denial_reason or "")


@MANY
@given(question=questions(payloads(any_json) | any_json))
def test_no_payload_keeps_a_decision_from_being_taken(question: Question) -> None:
    preflight = ask(question)
    assert json.loads(encode_json(preflight))["request_id"] == question.request.request_id
    assert encode_json(ask(question)) == encode_json(preflight)


@MANY
@given(question=questions())
def test_no_text_tells_an_age(question: Question) -> None:
    """The numbers with a unit are the skew of the snapshot and the bound it is held against."""
    skews = {peer.clock_skew_ms for peer in question.facts.peers.values()}
    for decision in ask(question).decisions:
        texts = [c.detail + (c.remedy or "") for c in decision.checks if c.check not in REPEATING]
        for number in re.findall(r"(-?\d+)\s*(?:ns|us|ms|s|min|h|sec\w*|minutes?)\b", str(texts)):
            assert int(number) in skews | {5_000}
        assert "ago" not in str(texts).split()


# The digest.


def digest_by_contract(question: Question, preflight: Preflight) -> str:
    """Return the digest of contract 8.5, made with the standard library alone."""
    decisions = []
    for decision in preflight.decisions:
        shown: dict[str, Any] = {
            "runtime_id": decision.runtime_id,
            "allowed": decision.allowed,
            "target_state": decision.target_state.value,
            "checks": [
                {"check": check.check, "outcome": check.outcome.value} for check in decision.checks
            ],
        }
        if decision.denial_code is not None:
            shown["denial_code"] = decision.denial_code.value
        decisions.append(shown)
    content = {
        "api_major": 1,
        "connected_via": question.facts.own,
        "role": question.caller.role.value,
        "actor": question.request.actor,
        "action_type": question.request.action_type,
        "payload": question.request.payload,
        "decisions": decisions,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@MANY
@given(question=questions())
def test_the_digest_is_that_of_the_contract(question: Question) -> None:
    preflight = ask(question)
    assert preflight.decision_digest == digest_by_contract(question, preflight)


@MANY
@given(question=questions(), request_id=st.sampled_from(["request-2", "x" * 128]))
def test_the_digest_does_not_depend_on_how_the_decision_is_used(
    question: Question, request_id: str
) -> None:
    first = structs.replace(question.request, request_id="request-1")
    second = structs.replace(
        first,
        request_id=request_id,
        dry_run=not first.dry_run,
        on_denied=OnDenied.ABORT if first.on_denied is OnDenied.CONTINUE else OnDenied.CONTINUE,
        query_budget_ms=(first.query_budget_ms or 0) + 1,
        expected_decision_digest="sha256:ff",
    )
    before, after = ask(question._replace(request=first)), ask(question._replace(request=second))
    assert after == structs.replace(before, request_id=request_id)


BASE = Question(READ, CALLER, FACTS)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(with_caller(BASE, role=Role.ENGINEER), id="role"),
        pytest.param(BASE._replace(request=structs.replace(READ, payload={"a": 1})), id="payload"),
        pytest.param(BASE._replace(request=structs.replace(READ, payload=None)), id="no payload"),
        pytest.param(BASE._replace(request=structs.replace(READ, actor="local://b")), id="actor"),
        pytest.param(
            BASE._replace(request=structs.replace(READ, action_type="cfg_apply")), id="action"
        ),
        pytest.param(BASE._replace(request=to(READ, FAR)), id="target"),
        pytest.param(BASE._replace(request=to(READ, NEAR, FAR)), id="one more target"),
        pytest.param(
            BASE._replace(facts=with_peer(NEAR, target_state=WORSENING[1])), id="target state"
        ),
        pytest.param(
            BASE._replace(facts=with_peer(NEAR, clock_skew_ms=5_001)), id="outcome of a check"
        ),
        pytest.param(with_facts(BASE, own=RuntimeId("press-3")), id="origin"),
    ],
)
def test_the_digest_depends_on_what_was_decided(other: Question) -> None:
    assert ask(other).decision_digest != ask(BASE).decision_digest


def test_the_digest_does_not_depend_on_texts_or_unused_facts() -> None:
    others = [
        BASE._replace(facts=with_peer(NEAR, clock_skew_ms=4_999)),
        BASE._replace(facts=with_peer(FAR, target_state=WORSENING[3])),
        with_facts(BASE, allow_write=(rule("*", "*"),)),
        BASE._replace(request=to(READ, "default-site/press-2", NEAR)),
        BASE._replace(request=structs.replace(READ, api_version="1.7")),
    ]
    assert {ask(other).decision_digest for other in others} == {ask(BASE).decision_digest}


# The same bytes, everywhere.


def decided_elsewhere(seed: str) -> bytes:
    """Return what another process, with that hash seed, decides on many questions."""
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(map(str, FOLDERS))}
    process = Path(__file__).with_name("deciding_process.py")
    done = subprocess.run(
        [sys.executable, str(process)], env=environment, capture_output=True, check=True, timeout=60
    )
    return done.stdout


def test_every_process_decides_the_same_bytes_under_every_hash_seed() -> None:
    here = b"".join(encode_json(ask(question)) + b"\n" for question in many_questions())
    assert here.count(b"\n") > 1_000
    assert b'"allowed":true,"decision_digest"' in here
    for seed in SEEDS:
        assert decided_elsewhere(seed) == here


def test_the_samples_meet_every_check_that_can_deny() -> None:
    """Else equal bytes would say nothing about the texts of a check."""
    denying = {
        check.check
        for question in many_questions()
        for decision in ask(question).decisions
        for check in denials(decision)
    }
    # In this version no debug verb is built, and nothing asks for TLS or redundancy.
    assert set(ORDER) - denying == {"targets", "target_secure", "debug_gate", "ha"}


def test_a_large_request_gets_a_small_answer() -> None:
    """What the caller wrote is repeated for each of 256 targets, so it is cut."""
    targets = [f"press-{number}" for number in range(TARGETS_MAX)]
    for request in (
        structs.replace(to(READ, *targets), api_version="1" * 200_000),
        structs.replace(to(READ, *targets), action_type="x" * 200_000),
        structs.replace(to(READ, *targets), connected_via="x" * 200_000),
        structs.replace(to(WRITE, *targets), payload={"x" * 200_000: 1}),
        structs.replace(to(WRITE, *targets), payload={f"no.such.{n}": n for n in range(4_000)}),
        structs.replace(to(COMMAND, *targets), payload={"command": "status" * 30_000}),
    ):
        assert len(encode_json(decide(request, CALLER, FACTS))) < 2_000_000


@given(questions())
def test_the_remedy_is_that_of_the_check_that_gives_the_code(question: Question) -> None:
    preflight = decide(*question)
    denied = [d for d in preflight.decisions if not d.allowed]
    remedy = remedy_of(preflight)
    assert (remedy is None) == (not denied)
    if denied:
        told = [c.remedy for c in denied[0].checks if c.detail == denied[0].denial_reason]
        assert remedy in told


@given(questions())
@settings(max_examples=150)
def test_company_of_other_targets_changes_no_decision(question: Question) -> None:
    """What is found once for many targets must be what is found for each of them alone."""
    texts = question.request.target_runtimes
    if not 1 <= len(texts) <= TARGETS_MAX:
        return
    alone = [
        decide(
            structs.replace(question.request, target_runtimes=[text]),
            question.caller,
            question.facts,
        ).decisions[0]
        for text in texts
    ]
    for decision in decide(*question).decisions:
        assert decision in alone
