"""`core.receipt`: for this request, now, and every fact that moved, no more and no less (B1)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import CALLER, FACTS, FAR, NEAR, OWN, WRITE, Question, rule
from decision_strategies import exact_json, questions
from trust_runtime.contracts.actions import ActionRequest, OnDenied
from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import BootId, RuntimeId, spiffe_id
from trust_runtime.contracts.policy import Caller, Profile, Role
from trust_runtime.contracts.presence import (
    AcceptedWrite,
    BeaconStatus,
    ConfigReport,
    MeshReport,
)
from trust_runtime.contracts.receipt import (
    MovedFact,
    Receipt,
    ReceiptClaims,
    SealedFacts,
    SealedTarget,
    SeenBy,
    TargetFacts,
)
from trust_runtime.core.policy.case import DecisionFacts
from trust_runtime.core.policy.preflight import decide
from trust_runtime.core.receipt import (
    facts_digest,
    moved_at_origin,
    moved_at_target,
    moved_denial,
    receipt_denial,
    sealed_facts,
    target_facts,
)

NOW_S = 1_790_000_000
WORD = BeaconStatus(
    lifecycle="running",
    period_ms=1_000,
    seq=7,
    boot_id=BootId("boot-1"),
    version="1",
    api_version="1.0",
    uptime_ms=1,
    health="healthy",
    engine_state="absent",
    profile="dev",
    control_mode="production",
    debug_enabled=False,
    config=ConfigReport(
        state="in_sync", desired_revision=3, reported_revision=3, desired_etag="e3", schema="s"
    ),
    mesh=MeshReport(port=1, tls=False, role="peer"),
    host_key="host",
    audit_head=EMPTY_CHAIN,
)


def sealed(
    request: ActionRequest = WRITE,
    caller: Caller = CALLER,
    facts: DecisionFacts = FACTS,
    **words: BeaconStatus | None,
) -> SealedFacts:
    said: dict[str, BeaconStatus | None] = {NEAR: WORD}
    said |= {name.replace("_", "-"): word for name, word in words.items()}
    preflight = decide(request, caller, facts)
    return sealed_facts(request, caller, preflight, facts=facts, words=said)


def claims_of(facts: SealedFacts, **changes: Any) -> ReceiptClaims:
    own = spiffe_id(RuntimeId(facts.origin))
    made = ReceiptClaims(
        iss=own, aud=own, digest=facts_digest(facts), jti="j", iat=NOW_S, exp=NOW_S + 300
    )
    return structs.replace(made, **changes)


texts = st.text("ab", max_size=2)
known = st.none() | st.builds(
    TargetFacts,
    boot_id=texts.map(BootId),
    config_revision=st.integers(0, 2),
    config_etag=texts,
    policy_digest=texts,
)
whole = st.builds(
    SealedFacts,
    origin=st.just(OWN),
    request_id=st.just("request-1"),
    request_digest=st.just("r"),
    decision_digest=texts,
    role=texts,
    policy_digest=texts,
    targets=st.tuples(
        *(
            st.builds(SealedTarget, runtime_id=st.just(one), target_state=texts, known=known)
            for one in (OWN, NEAR, FAR)
        )
    ),
)


def flat(facts: SealedFacts) -> dict[tuple[str, str], Any]:
    """Return every fact by whose and which, as the answer names it."""
    found: dict[tuple[str, str], Any] = {
        (facts.origin, "decision"): facts.decision_digest,
        (facts.origin, "role"): facts.role,
        (facts.origin, "policy of the origin"): facts.policy_digest,
    }
    for one in facts.targets:
        found[one.runtime_id, "target_state"] = one.target_state
        for name in ("boot_id", "config_revision", "config_etag"):
            found[one.runtime_id, name] = None if one.known is None else getattr(one.known, name)
        found[one.runtime_id, "policy"] = None if one.known is None else one.known.policy_digest
    return found


@given(before=whole, now=whole)
def test_exactly_what_moved_is_listed(before: SealedFacts, now: SealedFacts) -> None:
    old, new = flat(before), flat(now)
    wanted = sorted(
        (who, what.removesuffix(" of the origin"))
        for (who, what), value in old.items()
        if new[who, what] != value
    )
    moved = moved_at_origin(before, now)
    assert sorted((one.runtime_id, one.fact) for one in moved) == wanted
    assert all(one.seen_by is SeenBy.ORIGIN and one.expected != one.found for one in moved)


@given(facts=whole)
def test_nothing_moves_by_itself(facts: SealedFacts) -> None:
    assert moved_at_origin(facts, facts) == ()


@given(before=known, now=known)
def test_a_target_lists_what_it_finds_otherwise(
    before: TargetFacts | None, now: TargetFacts | None
) -> None:
    if before is None:
        return
    moved = moved_at_target(NEAR, before, now)
    assert (moved == ()) is (before == now)
    assert len(moved) <= 4
    assert all((one.runtime_id, one.seen_by) == (NEAR, SeenBy.TARGET) for one in moved)
    if now is not None:
        assert moved_at_target(NEAR, now, before) == tuple(
            structs.replace(one, expected=one.found, found=one.expected) for one in moved
        )


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        pytest.param({"seq": 8, "uptime_ms": 9, "health": "degraded"}, [], id="a later beacon"),
        pytest.param({"boot_id": BootId("boot-2")}, ["boot_id"], id="restarted"),
        pytest.param({"profile": "wan"}, ["policy"], id="profile"),
        pytest.param({"debug_enabled": True}, ["policy"], id="debug gate"),
        pytest.param(
            {"accepts": (AcceptedWrite(action="*", origin="*"),)}, ["policy"], id="inbound rule"
        ),
        pytest.param({"accepts_cut": True}, ["policy"], id="more rules than told"),
        pytest.param(
            {"config": structs.replace(WORD.config, desired_revision=4)},
            ["config_revision"],
            id="configured",
        ),
        pytest.param(
            {"config": structs.replace(WORD.config, desired_etag="e4")},
            ["config_etag"],
            id="another document",
        ),
        pytest.param(
            {"config": structs.replace(WORD.config, state="pending", reported_revision=2)},
            [],
            id="still applying",
        ),
    ],
)
def test_which_words_of_a_target_are_held_fast(changes: dict[str, Any], moved: list[str]) -> None:
    before, now = target_facts(WORD), target_facts(structs.replace(WORD, **changes))
    assert before is not None
    assert [one.fact for one in moved_at_target(NEAR, before, now)] == moved
    found = moved_at_origin(sealed(), sealed(press_2=structs.replace(WORD, **changes)))
    assert [one.fact for one in found] == moved


@pytest.mark.parametrize(
    ("caller", "facts", "wanted"),
    [
        pytest.param(CALLER, structs.replace(FACTS, profile=Profile.PLANT), "policy", id="profile"),
        pytest.param(
            CALLER, structs.replace(FACTS, allow_write=(rule("*", "*"),)), "policy", id="rules"
        ),
        pytest.param(
            CALLER, structs.replace(FACTS, unmet=("identity",)), "policy", id="preconditions"
        ),
        pytest.param(structs.replace(CALLER, role=Role.VIEWER), FACTS, "role", id="role"),
    ],
)
def test_what_the_origin_holds_fast_of_itself(
    caller: Caller, facts: DecisionFacts, wanted: str
) -> None:
    moved = moved_at_origin(sealed(), sealed(WRITE, caller, facts))
    assert wanted in [one.fact for one in moved if one.runtime_id == OWN]


def test_who_never_spoke_is_not_known() -> None:
    assert target_facts(None) is None
    (first,), (now,) = sealed(press_2=None).targets, sealed().targets
    assert (first.known, now.known) == (None, target_facts(WORD))


@given(question=questions(), payload=exact_json, other=st.text(min_size=1, max_size=5))
def test_a_receipt_is_for_one_request(question: Question, payload: Any, other: str) -> None:
    request, caller, facts = question

    def digest_of(**changes: Any) -> str:
        changed = structs.replace(request, **changes)
        preflight = decide(changed, caller, facts)
        found = sealed_facts(changed, caller, preflight, facts=facts, words={})
        return found.request_digest

    same = digest_of()
    assert same == digest_of(
        dry_run=True,
        on_denied=OnDenied.CONTINUE,
        query_budget_ms=1,
        want_receipt=True,
        expected_decision_digest="x",
    )
    for member in ("request_id", "actor", "action_type"):
        changed = getattr(request, member) + other
        assert digest_of(**{member: changed}) != same
    assert digest_of(target_runtimes=[*request.target_runtimes, "site-b/one-more"]) != same
    if payload != request.payload or type(payload) is not type(request.payload):
        assert (digest_of(payload=payload) == same) is (payload == request.payload)


RECEIPT = Receipt(facts=sealed(), seal="seal")
CONFLICT, NO = DenialCode.CONFLICT, DenialCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("claims", "receipt", "request_", "code", "words"),
    [
        pytest.param({}, RECEIPT, WRITE, None, "", id="good"),
        pytest.param({"exp": NOW_S + 1}, RECEIPT, WRITE, None, "", id="its last second"),
        pytest.param({"exp": NOW_S}, RECEIPT, WRITE, CONFLICT, "has expired", id="expired"),
        pytest.param({"iat": NOW_S + 5}, RECEIPT, WRITE, None, "", id="a clock a little off"),
        pytest.param({"iat": NOW_S + 6}, RECEIPT, WRITE, CONFLICT, "still to come", id="early"),
        pytest.param({"aud": "spiffe://trust/x/y"}, RECEIPT, WRITE, NO, "", id="for another one"),
        pytest.param({"iss": "spiffe://trust/x/y"}, RECEIPT, WRITE, NO, "", id="by another one"),
        pytest.param({"digest": "sha256:0"}, RECEIPT, WRITE, NO, "not those sealed", id="forged"),
        pytest.param(
            *({}, Receipt(facts=structs.replace(sealed(), origin="press-7"), seal="seal"), WRITE),
            *(NO, "made by press-7, not by press-1"),
            id="another origin in the facts",
        ),
        pytest.param(
            *({}, Receipt(facts=structs.replace(sealed(), role="viewer"), seal="seal"), WRITE),
            *(NO, "not those sealed"),
            id="facts altered",
        ),
        pytest.param(
            *({}, RECEIPT, structs.replace(WRITE, request_id="request-2"), CONFLICT),
            "another request",
            id="another request",
        ),
    ],
)
def test_when_a_receipt_is_no_good(
    claims: dict[str, Any],
    receipt: Receipt,
    *,
    request_: ActionRequest,
    code: DenialCode | None,
    words: str,
) -> None:
    made = claims_of(RECEIPT.facts, **claims)
    denial = receipt_denial(receipt, made, sealed(request_), now_s=NOW_S)
    assert (None if denial is None else denial.code) is code
    if denial is not None:
        assert words in denial.reason


def test_the_refusal_names_each_fact_once() -> None:
    one = MovedFact(runtime_id=NEAR, fact="policy", found="x", seen_by=SeenBy.ORIGIN)
    two = structs.replace(one, seen_by=SeenBy.TARGET)
    three = structs.replace(one, fact="boot_id")
    denial = moved_denial((one, two, three), "request-1")
    assert denial.code is CONFLICT
    assert denial.reason == (
        "moved since the receipt was made: policy of press-2, boot_id of press-2"
    )
    assert "audit?request_id=request-1" in denial.remedy
