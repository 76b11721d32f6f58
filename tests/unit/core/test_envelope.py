"""`core.envelope`: contract 5.6."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.envelope import ActionClaims, SignerFacts
from trust_runtime.contracts.ids import BootId, RuntimeId
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S, MonotonicNs, WallNs
from trust_runtime.core.envelope import ReceiptFacts, judge_receipt, time_left_ns

SENT_S = 1_790_000_000
SENT_NS = SENT_S * NS_PER_S
BUDGET_NS = 1_500 * NS_PER_MS
SKEW_NS = 5_000 * NS_PER_MS
UPTIME_NS = 60 * NS_PER_S
APART_NS = 7 * NS_PER_S  # The receiver started 7 s before the origin.
SIGNER = SignerFacts(
    runtime_id=RuntimeId("press-1"), pin="aa", not_before_s=0, not_after_s=2 * SENT_S
)
CLAIMS = ActionClaims(
    iss="spiffe://trust/default-site/press-1",
    aud="spiffe://trust/site-b/oven-1",
    sub="anna",
    role=Role.ENGINEER,
    caller="uid://1000",
    op="cmd_invoke",
    request_id="r-1",
    audit_id="audit-1",
    digest="sha256:aa",
    jti="jti-1",
    iat=SENT_S,
    exp=SENT_S + 2,
    deadline_ns=SENT_NS + BUDGET_NS,
    boot_id=BootId("01a0c419-9557-75f2-b09f-8b71945257ca"),
    deadline_uptime_ns=UPTIME_NS + BUDGET_NS,
)
FACTS = ReceiptFacts(
    own=RuntimeId("site-b/oven-1"),
    body_digest="sha256:aa",
    now_ns=WallNs(SENT_NS),
    offset_ns=0,
    own_ns=MonotonicNs(UPTIME_NS + APART_NS),
    uptime_offset_ns=APART_NS,
    has_effect=True,
    low_water_s=0,
    jti_seen=False,
)
FORGOTTEN = {"low_water_s": SENT_S + 1}
LATE = {"own_ns": FACTS.own_ns + BUDGET_NS}
UNHEARD = {"uptime_offset_ns": None}
SKEWED = {"offset_ns": SKEW_NS + 1}

DENIED, VIOLATION = DenialCode.PERMISSION_DENIED, DenialCode.CONTRACT_VIOLATION
STALE, TIMEOUT, CONFLICT = DenialCode.STALE_DATA, DenialCode.TIMEOUT, DenialCode.CONFLICT


def judged(claims: dict[str, Any], facts: dict[str, Any]) -> Denial | None:
    return judge_receipt(structs.replace(CLAIMS, **claims), SIGNER, structs.replace(FACTS, **facts))


@pytest.mark.parametrize(
    ("claims", "facts", "code", "words"),
    [
        pytest.param({}, {}, None, "", id="all as it should be"),
        pytest.param(
            {"aud": "spiffe://trust/site-b/oven-2"}, {}, DENIED, "oven-2", id="for another"
        ),
        pytest.param({"aud": "spiffe://trust"}, {}, DENIED, "not for", id="for everybody"),
        pytest.param({"aud": "site-b/oven-1"}, {}, DENIED, "not for", id="no SPIFFE id"),
        pytest.param({}, {"own": RuntimeId("oven-1")}, DENIED, "oven-1", id="another site's"),
        pytest.param({"iss": CLAIMS.aud}, {}, DENIED, "not who signed", id="from another"),
        pytest.param({"iss": "press-1"}, {}, DENIED, "not who signed", id="issuer no SPIFFE id"),
        pytest.param({"digest": "sha256:bb"}, {}, VIOLATION, "body", id="another body"),
        pytest.param({}, {"offset_ns": SKEW_NS}, None, "", id="clocks as far apart as allowed"),
        pytest.param({}, SKEWED, STALE, "-5001 ms", id="the origin is behind"),
        pytest.param({}, {"offset_ns": -SKEW_NS - 1}, STALE, "5000 ms", id="the origin is ahead"),
        pytest.param(
            {}, {"offset_ns": -SKEW_NS, "now_ns": SENT_NS - SKEW_NS}, None, "", id="ahead"
        ),
        pytest.param({}, {"low_water_s": SENT_S}, None, "", id="on the low water"),
        pytest.param({}, FORGOTTEN, TIMEOUT, "ledger", id="below the low water"),
        pytest.param({}, UNHEARD, STALE, "not heard yet", id="a write before the first beacon"),
        pytest.param({}, {**UNHEARD, "has_effect": False}, None, "", id="a read before it"),
        pytest.param(
            {}, {"own_ns": FACTS.own_ns + BUDGET_NS - 1}, None, "", id="the last nanosecond"
        ),
        pytest.param({}, {"now_ns": SENT_NS + SKEW_NS}, None, "", id="the wall clock was set"),
        pytest.param({}, LATE, TIMEOUT, "deadline", id="on the deadline"),
        pytest.param({}, {"jti_seen": True}, CONFLICT, "before", id="seen before"),
    ],
)
def test_each_rule(
    claims: dict[str, Any], facts: dict[str, Any], code: DenialCode | None, words: str
) -> None:
    denial = judged(claims, facts)
    assert (None if denial is None else denial.code) == code
    assert denial is None or words in denial.reason


@pytest.mark.parametrize(
    ("now_ns", "accepted"),
    [
        (SENT_NS - SKEW_NS - 1, False),
        (SENT_NS - SKEW_NS, True),
        (SENT_NS, True),
        # `iat` is rounded down: the message may have been sent a second later.
        (SENT_NS + SKEW_NS + NS_PER_S, True),
        (SENT_NS + SKEW_NS + NS_PER_S + 1, False),
    ],
)
def test_without_a_beacon_the_send_time_itself_must_be_near(now_ns: int, *, accepted: bool) -> None:
    denial = judged(
        {"deadline_ns": SENT_NS + 10 * NS_PER_S},
        {**UNHEARD, "has_effect": False, "offset_ns": None, "now_ns": now_ns},
    )
    assert (denial is None) == accepted
    assert denial is None or denial.code is STALE


@pytest.mark.parametrize(("early_ns", "accepted"), [(SKEW_NS, True), (SKEW_NS + 1, False)])
def test_with_a_beacon_a_send_time_still_to_come_is_refused(
    early_ns: int, *, accepted: bool
) -> None:
    denial = judged(
        {"deadline_ns": SENT_NS + 10 * NS_PER_S}, {"offset_ns": 0, "now_ns": SENT_NS - early_ns}
    )
    assert (denial is None) == accepted
    assert denial is None or denial.code is STALE


@pytest.mark.parametrize(("left_s", "accepted"), [(12, True), (13, False)])
def test_no_deadline_is_farther_than_any_origin_waits(left_s: int, *, accepted: bool) -> None:
    denial = judged({"deadline_ns": SENT_NS + left_s * NS_PER_S}, {"offset_ns": None})
    assert (denial is None) == accepted


def test_the_skew_is_named_with_its_sign_and_the_remedy() -> None:
    for offset_ns, told in [(7_000 * NS_PER_MS, "by -7000 ms"), (-7_000 * NS_PER_MS, "by 7000 ms")]:
        denial = judged({}, {"offset_ns": offset_ns})
        assert denial is not None
        assert told in denial.reason
        assert "more than 5000 ms" in denial.reason
        assert denial.remedy == "set the clock"


BROKEN: list[tuple[str, dict[str, Any], DenialCode, str]] = [
    ("claims", {"aud": "spiffe://trust/site-b/oven-2"}, DENIED, "not for"),
    ("claims", {"iss": "spiffe://trust/default-site/x"}, DENIED, "not who signed"),
    ("claims", {"digest": "sha256:bb"}, VIOLATION, "body"),
    ("facts", SKEWED, STALE, "clock"),
    ("facts", FORGOTTEN, TIMEOUT, "ledger"),
    ("facts", LATE, TIMEOUT, "deadline"),
    ("facts", {"jti_seen": True}, CONFLICT, "before"),
]


@given(broken=st.sets(st.integers(0, len(BROKEN) - 1)))
def test_the_first_failing_rule_in_order_gives_the_code(broken: set[int]) -> None:
    changes: dict[str, dict[str, Any]] = {"claims": {}, "facts": {}}
    for index in broken:
        changes[BROKEN[index][0]] |= BROKEN[index][1]
    denial = judged(changes["claims"], changes["facts"])
    if not broken:
        assert denial is None
        return
    _, _, code, words = BROKEN[min(broken)]
    assert denial is not None
    assert denial.code is code
    assert words in denial.reason


@pytest.mark.parametrize(
    ("offset_ns", "now_ns", "left_ns"),
    [
        (0, 99, 1),
        (0, 100, 0),
        (None, 99, 1),
        (None, 101, -1),
        # The receiver's clock is ahead by 50: its 149 is the origin's 99.
        (50, 149, 1),
        (50, 150, 0),
        (-50, 49, 1),
        (-50, 50, 0),
    ],
)
def test_before_the_first_beacon_the_deadline_is_by_the_wall_clocks(
    offset_ns: int | None, now_ns: int, left_ns: int
) -> None:
    claims = structs.replace(CLAIMS, deadline_ns=100)
    facts = structs.replace(
        FACTS, offset_ns=offset_ns, now_ns=WallNs(now_ns), uptime_offset_ns=None
    )
    assert time_left_ns(claims, facts) == left_ns


@given(
    apart_ns=st.integers(-SKEW_NS, SKEW_NS),
    late_ns=st.integers(-BUDGET_NS, BUDGET_NS),
    steps_ns=st.tuples(st.integers(), st.integers()),
    offset_ns=st.none() | st.integers(),
)
def test_no_step_of_a_wall_clock_moves_the_deadline(
    apart_ns: int, late_ns: int, steps_ns: tuple[int, int], offset_ns: int | None
) -> None:
    claims = structs.replace(CLAIMS, deadline_ns=CLAIMS.deadline_ns + steps_ns[0])
    facts = structs.replace(
        FACTS,
        now_ns=WallNs(SENT_NS + steps_ns[1]),
        offset_ns=offset_ns,
        own_ns=MonotonicNs(claims.deadline_uptime_ns + apart_ns + late_ns),
        uptime_offset_ns=apart_ns,
    )
    assert time_left_ns(claims, facts) == -late_ns


@given(
    iat_late_s=st.integers(-9, 9),
    wall_ns=st.integers(-3 * BUDGET_NS, 3 * BUDGET_NS),
    late_ns=st.integers(-3 * BUDGET_NS, 3 * BUDGET_NS),
    offset_ns=st.none() | st.integers(-2 * SKEW_NS, 2 * SKEW_NS),
    heard=st.booleans(),
    low_water_s=st.integers(SENT_S - 9, SENT_S + 9),
    jti_seen=st.booleans(),
)
def test_nothing_is_accepted_late_skewed_forgotten_or_twice(
    iat_late_s: int,
    wall_ns: int,
    late_ns: int,
    offset_ns: int | None,
    low_water_s: int,
    *,
    heard: bool,
    jti_seen: bool,
) -> None:
    claims = structs.replace(CLAIMS, iat=SENT_S + iat_late_s)
    facts = structs.replace(
        FACTS,
        now_ns=WallNs(CLAIMS.deadline_ns + wall_ns),
        offset_ns=offset_ns,
        own_ns=MonotonicNs(claims.deadline_uptime_ns + APART_NS + late_ns),
        uptime_offset_ns=APART_NS if heard else None,
        low_water_s=low_water_s,
        jti_seen=jti_seen,
    )
    if judge_receipt(claims, SIGNER, facts) is None:
        assert heard
        assert late_ns < 0
        assert claims.iat >= low_water_s
        assert not jti_seen
        far_ns = facts.now_ns - claims.iat * NS_PER_S if offset_ns is None else offset_ns
        assert -SKEW_NS <= far_ns <= SKEW_NS + (NS_PER_S if offset_ns is None else 0)
