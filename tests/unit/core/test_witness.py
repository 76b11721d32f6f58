"""`core.witness`: a log that was cut or rewritten contradicts what others hold of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.audit import ChainHead, ChainProblem, ChainReport, WitnessedHead
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.witness import (
    FleetAudit,
    HeldHeads,
    RuntimeStanding,
    Standing,
    Unasked,
)
from trust_runtime.core.witness import compare_fleet, confirm, contradiction

A, B, C = (RuntimeId(f"runtime-{name}") for name in "abc")


def head(seq: int, text: str = "a") -> ChainHead:
    return ChainHead(seq=seq, hash=text * 64)


@pytest.mark.parametrize(
    ("before", "now", "is_contradiction"),
    [
        pytest.param(head(5), head(5), False, id="the same"),
        pytest.param(head(5), head(6, "b"), False, id="one longer"),
        pytest.param(head(5), head(4), True, id="one shorter"),
        pytest.param(head(5), head(5, "b"), True, id="as long, but another"),
        pytest.param(head(0, "0"), head(0, "0"), False, id="both empty"),
    ],
)
def test_a_chain_only_grows(before: ChainHead, now: ChainHead, is_contradiction: bool) -> None:  # noqa: FBT001 - a column
    assert (contradiction(before, now) is not None) is is_contradiction


def test_the_owner_must_still_have_the_record() -> None:
    assert confirm(head(5), head(5).hash) is None
    assert "gone" in (confirm(head(5), None) or "")
    assert "another hash" in (confirm(head(5), head(5, "b").hash) or "")


def answer(newest: ChainHead, *held: WitnessedHead, problem: str | None = None) -> HeldHeads:
    found = None if problem is None else ChainProblem(seq=3, detail=problem)
    report = ChainReport(runtime_id="", records=newest.seq, head=newest, problem=found)
    return HeldHeads(report=report, held=held)


def holds(owner: RuntimeId, its: ChainHead, noted: str | None = None) -> WitnessedHead:
    return WitnessedHead(runtime_id=owner, head=its, seen_at_ns=1, contradiction=noted)


def of(audit: FleetAudit, runtime_id: RuntimeId) -> RuntimeStanding:
    (found,) = [one for one in audit.runtimes if one.runtime_id == runtime_id]
    return found


def test_a_fleet_that_agrees_is_ok_and_names_its_witnesses() -> None:
    answers = {
        A: answer(head(9), holds(B, head(4))),
        B: answer(head(4), holds(A, head(7, "7"))),
    }
    audit = compare_fleet(A, answers, {head(7, "7"): True})
    assert audit.ok
    assert of(audit, A).witnesses == (B,)
    assert of(audit, B).head == head(4)


@pytest.mark.parametrize(
    ("answers", "hashes", "said"),
    [
        ({A: answer(head(1)), B: answer(head(4), problem="hash")}, {}, "record 3: hash"),
        (
            {A: answer(head(1), holds(B, head(5))), B: answer(head(4))},
            {head(5): False},
            "ends at record 4",
        ),
        ({A: answer(head(1), holds(B, head(4, "b"))), B: answer(head(4))}, {}, "another hash"),
        (
            {A: answer(head(1), holds(B, head(3, "b"))), B: answer(head(4))},
            {head(3, "b"): False},
            "record 3",
        ),
        ({A: answer(head(1), holds(B, head(4), "it was cut")), B: answer(head(4))}, {}, "was cut"),
    ],
)
def test_whatever_contradicts_is_named(
    answers: dict[RuntimeId, HeldHeads | Unasked], hashes: dict[ChainHead, bool], said: str
) -> None:
    audit = compare_fleet(A, answers, hashes)
    assert not audit.ok
    assert of(audit, B).standing is Standing.CONTRADICTED
    assert said in (of(audit, B).detail or "")
    assert of(audit, A).standing is Standing.OK


def test_a_log_that_went_on_after_it_was_told_is_no_contradiction() -> None:
    answers = {A: answer(head(1), holds(B, head(5, "5"))), B: answer(head(4))}
    audit = compare_fleet(A, answers, {head(5, "5"): True})
    assert audit.ok


@pytest.mark.parametrize("seq", [3, 5])
def test_a_head_its_owner_does_not_answer_for_is_not_verified(seq: int) -> None:
    audit = compare_fleet(A, {A: answer(head(1), holds(B, head(seq))), B: answer(head(4))}, {})
    assert not audit.ok
    assert of(audit, B).standing is Standing.NOT_VERIFIED
    assert f"did not answer for record {seq}, which {A}" in (of(audit, B).detail or "")


def test_an_empty_log_is_continued_by_every_other() -> None:
    empty = head(0, "0")
    audit = compare_fleet(A, {A: answer(head(1), holds(B, empty)), B: answer(head(4))}, {})
    assert audit.ok
    assert compare_fleet(A, {A: answer(head(1), holds(B, empty)), B: answer(empty)}, {}).ok


UNASKED = Unasked(reason="it is offline", remedy="start it")


def test_who_cannot_be_asked_is_not_verified_and_not_ok() -> None:
    audit = compare_fleet(A, {A: answer(head(1), holds(B, head(4))), B: UNASKED}, {})
    assert not audit.ok
    line = of(audit, B)
    assert (line.standing, line.head) == (Standing.NOT_VERIFIED, None)
    assert (line.detail, line.remedy) == ("it could not be asked: it is offline", "start it")
    noted = compare_fleet(A, {A: answer(head(1), holds(B, head(4), "cut")), B: UNASKED}, {})
    assert of(noted, B).standing is Standing.CONTRADICTED


@given(
    length=st.integers(1, 50),
    cut=st.integers(1, 50),
    regrown=st.integers(0, 60),
    seen=st.integers(1, 50),
)
def test_a_cut_log_never_passes_for_the_old_one(
    length: int, cut: int, regrown: int, seen: int
) -> None:
    """Whatever was cut away and written anew, head or confirmation tells, if the cut was seen."""
    held = head(min(seen, length))
    kept = max(0, length - cut)
    old = dict.fromkeys(range(1, kept + 1), "a" * 64)
    log = {**old, **dict.fromkeys(range(kept + 1, kept + regrown + 1), "c" * 64)}
    newest = kept + regrown
    now = ChainHead(seq=newest, hash=log.get(newest, "0" * 64))
    found = contradiction(held, now) or confirm(held, log.get(held.seq))
    assert (found is not None) is (held.seq > kept)
