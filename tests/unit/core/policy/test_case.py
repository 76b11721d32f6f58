"""`core.policy.case`: what a case says of itself, and what a finding shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_samples import COMMAND, FACTS, FAR, GHOST, NEAR, OWN, READ, WRITE, case_of
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.decisions import CheckOutcome
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.core.policy.case import (
    DETAIL_LENGTH_MAX,
    ConfigFacts,
    DecisionFacts,
    PeerFacts,
    denied,
    passed,
    skipped,
)

CODE = DenialCode.STALE_DATA


@pytest.mark.parametrize(
    ("request_", "is_write"), [(READ, False), (WRITE, True), (COMMAND, True)], ids=str
)
def test_only_reading_the_status_is_no_write(request_: ActionRequest, *, is_write: bool) -> None:
    assert case_of(request_).is_write is is_write


@pytest.mark.parametrize(
    ("target", "is_local", "known"),
    [
        pytest.param(OWN, True, False, id="the deciding runtime"),
        pytest.param("default-site/press-1", True, False, id="its long spelling"),
        pytest.param(NEAR, False, True, id="a peer"),
        pytest.param(FAR, False, True, id="a peer of another site"),
        pytest.param(GHOST, False, False, id="nobody known"),
        pytest.param("a/b/c", False, False, id="no id"),
    ],
)
def test_where_a_target_is(target: str, *, is_local: bool, known: bool) -> None:
    case = case_of(target=target)
    assert case.is_local is is_local
    assert case.peer is (FACTS.peers[case.target] if known and case.target else None)


def test_a_finding_shows_a_remedy_only_when_it_denies() -> None:
    assert passed("fresh", "online").as_check().remedy is None
    assert skipped("fresh", "local").as_check().remedy is None
    finding = denied("fresh", CODE, detail="it is stale", remedy="wait")
    assert finding.denial == deny(CODE, "it is stale", "wait")
    check = finding.as_check()
    assert (check.check, check.outcome, check.detail) == ("fresh", CheckOutcome.DENY, "it is stale")
    assert check.remedy == "wait"


@pytest.mark.parametrize(
    ("length", "is_cut"), [(DETAIL_LENGTH_MAX, False), (DETAIL_LENGTH_MAX + 1, True)]
)
def test_a_detail_is_cut_beyond_its_limit(length: int, *, is_cut: bool) -> None:
    finding = denied("payload", CODE, detail="x" * length, remedy="send less")
    assert len(finding.detail) == DETAIL_LENGTH_MAX
    assert finding.detail.endswith("...") is is_cut


@given(detail=st.text(max_size=3 * DETAIL_LENGTH_MAX))
def test_reason_and_detail_are_one_text_of_bounded_length(detail: str) -> None:
    finding = denied("payload", CODE, detail=detail, remedy="send less")
    assert finding.denial is not None
    assert finding.denial.reason == finding.detail
    assert len(finding.detail) <= DETAIL_LENGTH_MAX
    assert detail.startswith(finding.detail.removesuffix("..."))


def test_no_fact_is_a_time_or_an_age() -> None:
    """Else the passing of time alone would change the bytes of a decision."""
    fields = [*DecisionFacts.__struct_fields__, *PeerFacts.__struct_fields__]
    fields += ConfigFacts.__struct_fields__
    words = {word for field in fields for word in field.split("_")}
    assert not words & {"at", "ns", "age", "now", "seen", "since", "time"}
