"""The checks themselves: each accepts what is well and names what is not."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec import structs

from port_contracts.store_samples import DECISION, OUTCOME, REVISION, draft
from sim.history import Acked, Dispatch, Effect
from sim.invariants import (
    ALIVE_MS,
    ANSWER_GRACE_MS,
    DEATH_MS,
    PARTING_MS,
    Sighting,
    Violation,
    check_acknowledged,
    check_allowed,
    check_chain,
    check_closed,
    check_decided,
    check_head_known,
    check_in_time,
    check_once,
    check_revisions,
    check_seen,
    check_total,
)
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditDraft,
    AuditRecord,
    ChainHead,
    Outcome,
    Phase,
    Verdict,
)
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.results import DispatchReport, ResultStatus, TargetResult
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.audit_chain import link

REQUEST = ActionRequest(
    api_version="1.0",
    request_id="request-1",
    connected_via="press-1",
    target_runtimes=["press-2"],
    actor="operator",
    action_type="cmd_invoke",
    query_budget_ms=100,
)
EFFECT = Effect(
    target="press-2",
    origin="press-1",
    request_id="request-1",
    audit_id="audit-1",
    digest="sha256:aa",
    kind="verb",
    at_ns=50 * NS_PER_MS,
)
EXECUTED = TargetResult(
    runtime_id="press-2", status=ResultStatus.EXECUTED, ok=True, audit_id="audit-1"
)


def rules(found: Iterator[Violation]) -> list[str]:
    return [violation.rule for violation in found]


def chain(*drafts: AuditDraft) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    head = EMPTY_CHAIN
    for one in drafts:
        records.append(link(head, one))
        head = ChainHead(seq=records[-1].seq, hash=records[-1].hash)
    return records


def dispatch(*results: TargetResult, **changes: Any) -> Dispatch:
    preflight = Preflight(
        api_version="1.0",
        request_id="request-1",
        connected_via="press-1",
        acting_on=(),
        decisions=(),
        allowed=True,
        decision_digest="",
    )
    report = DispatchReport(
        api_version="1.0",
        request_id="request-1",
        connected_via="press-1",
        acting_on=("press-2",),
        dry_run=False,
        ok=all(result.ok for result in results),
        preflight=preflight,
        results=results,
    )
    made = Dispatch(
        origin="press-1",
        request=REQUEST,
        targets=("press-2",),
        begun_ns=0,
        budget_ms=100,
        report=report,
        ended_ns=NS_PER_MS,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_verb_runs_once() -> None:
    elsewhere = [Effect(**{**vars(EFFECT), name: "x"}) for name in ("target", "request_id")]
    assert rules(check_once([EFFECT, *elsewhere])) == []
    assert rules(check_once([EFFECT, EFFECT, *elsewhere])) == ["once"]


@pytest.mark.parametrize(("late_ms", "found"), [(0, []), (60, []), (60.001, ["late"])])
def test_nothing_begins_after_its_deadline(late_ms: float, found: list[str]) -> None:
    attempt = dispatch(begun_ns=0, budget_ms=100)
    effect = Effect(**{**vars(EFFECT), "at_ns": round((100 + late_ms) * NS_PER_MS)})
    assert rules(check_in_time(effect, [attempt], tolerance_ms=60)) == found


def test_the_latest_attempt_before_an_effect_counts_and_none_is_a_violation() -> None:
    first, second = dispatch(), dispatch(begun_ns=300 * NS_PER_MS)
    effect = Effect(**{**vars(EFFECT), "at_ns": 350 * NS_PER_MS})
    assert rules(check_in_time(effect, [first, second], tolerance_ms=0)) == []
    assert rules(check_in_time(effect, [first], tolerance_ms=0)) == ["late"]
    assert rules(check_in_time(EFFECT, [second], tolerance_ms=0)) == ["asked"]


def test_a_verb_needs_its_decision_on_disk() -> None:
    assert rules(check_decided(EFFECT, chain(draft(2), DECISION))) == []
    denied = structs.replace(DECISION, decision=Verdict.DENIED)
    for records in ([], chain(draft(1)), chain(denied)):
        assert rules(check_decided(EFFECT, records)) == ["decided"]


def test_sites_are_crossed_by_rule_alone() -> None:
    sites = {"press-1": "a", "press-2": "b"}
    assert rules(check_allowed(EFFECT, [("press-1", "press-2")], sites=sites)) == []
    assert rules(check_allowed(EFFECT, [("press-2", "press-1")], sites=sites)) == ["across"]
    assert rules(check_allowed(EFFECT, [], sites={"press-1": "a", "press-2": "a"})) == []


@pytest.mark.parametrize(
    ("results", "found"),
    [
        ([EXECUTED], []),
        ([], ["total"]),
        ([EXECUTED, EXECUTED], ["total"]),
        ([structs.replace(EXECUTED, runtime_id="press-3")], ["total"]),
        ([structs.replace(EXECUTED, status=ResultStatus.TIMEOUT)], ["total"]),
        ([structs.replace(EXECUTED, ok=False)], ["total"]),
    ],
)
def test_one_result_per_target(results: list[TargetResult], found: list[str]) -> None:
    assert rules(check_total(dispatch(*results), took_ms=None)) == found


@pytest.mark.parametrize(("over_ms", "found"), [(0, []), (0.5, ["total"])])
def test_an_answer_comes_in_time(over_ms: float, found: list[str]) -> None:
    took_ms = 100 + ANSWER_GRACE_MS + over_ms
    assert rules(check_total(dispatch(EXECUTED), took_ms=took_ms)) == found


HELD = chain(DECISION, OUTCOME)


@pytest.mark.parametrize(
    ("origin", "target", "found"),
    [
        (HELD, HELD, []),
        ([], HELD, ["recorded"]),
        (HELD[:1], HELD, ["recorded"]),
        (HELD, HELD[:1], ["acknowledged"]),
        (HELD, [], ["acknowledged"]),
        (
            HELD,
            chain(DECISION, structs.replace(OUTCOME, outcome=Outcome.UNKNOWN)),
            ["acknowledged"],
        ),
        (HELD, chain(DECISION, OUTCOME, structs.replace(DECISION, phase=Phase.SINGLE)), []),
    ],
)
def test_what_was_told_is_on_disk_at_both_ends(
    origin: Sequence[AuditRecord], target: Sequence[AuditRecord], found: list[str]
) -> None:
    durable = {"press-1": origin, "press-2": target}
    assert rules(check_acknowledged(dispatch(EXECUTED), durable, store_works=True)) == found


def test_what_a_broken_store_refused_has_no_record() -> None:
    denied = structs.replace(EXECUTED, status=ResultStatus.DENIED, ok=False)
    durable: dict[str, list[AuditRecord]] = {"press-1": [], "press-2": []}
    assert rules(check_acknowledged(dispatch(denied), durable, store_works=False)) == []
    assert rules(check_acknowledged(dispatch(denied), durable, store_works=True)) == ["recorded"]


def test_a_chain_has_no_gap_and_what_was_seen_of_it_stays() -> None:
    records = chain(draft(1), draft(2), draft(3))
    assert rules(check_chain("press-1", EMPTY_CHAIN, records)) == []
    assert rules(check_chain("press-1", EMPTY_CHAIN, records[1:])) == ["chain"]
    head = ChainHead(seq=3, hash=records[2].hash)
    assert rules(check_head_known("press-1", head, records)) == []
    assert rules(check_head_known("press-1", EMPTY_CHAIN, [])) == []
    assert rules(check_head_known("press-1", head, records[:2])) == ["head"]
    other = chain(draft(1), draft(2), draft(4))
    assert rules(check_head_known("press-1", head, other)) == ["head"]


def test_what_was_open_at_a_start_is_closed_after_it() -> None:
    records = chain(DECISION, draft(2))
    assert rules(check_closed("press-1", records, upto=0)) == []
    assert rules(check_closed("press-1", records, upto=1)) == ["closed"]
    assert rules(check_closed("press-1", [*records, *HELD[1:]], upto=1)) == []


def test_revisions_are_neither_lost_nor_doubled() -> None:
    first = structs.replace(REVISION, request_id="request-1")
    second = structs.replace(first, revision=2, request_id="request-2", audit_id="audit-2")
    acked = [Acked(target="press-1", revision=2, audit_id="audit-2")]
    assert rules(check_revisions("press-1", [first, second], acked)) == []
    assert rules(check_revisions("press-1", [first], acked)) == ["revisions"]
    assert rules(check_revisions("press-2", [first], acked)) == []
    assert rules(check_revisions("press-1", [second], acked)) == ["revisions"]
    again = structs.replace(second, request_id="request-1")
    assert rules(check_revisions("press-1", [first, again], acked)) == ["once"]
    nameless = [structs.replace(one, request_id=None) for one in (first, second)]
    assert rules(check_revisions("press-1", nameless, acked)) == []


ALIVE = Sighting(
    observer="press-1",
    target="press-2",
    lifecycle=Lifecycle.ONLINE,
    observer_ms=60_000,
    down_ms=None,
    told=False,
    link_ms=60_000,
)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"lifecycle": Lifecycle.STALE}, ["false death"]),
        ({"lifecycle": Lifecycle.OFFLINE, "link_ms": ALIVE_MS + 1}, ["false death"]),
        ({"lifecycle": Lifecycle.OFFLINE, "link_ms": ALIVE_MS}, []),
        ({"lifecycle": Lifecycle.OFFLINE, "link_ms": None}, []),
        ({"down_ms": DEATH_MS}, []),
        ({"down_ms": DEATH_MS + 1}, ["ghost"]),
        ({"down_ms": DEATH_MS + 1, "lifecycle": Lifecycle.STALE}, []),
        ({"down_ms": DEATH_MS + 1, "observer_ms": DEATH_MS}, []),
        ({"down_ms": PARTING_MS, "told": True}, []),
        ({"down_ms": PARTING_MS + 1, "told": True}, ["ghost"]),
    ],
)
def test_the_dead_are_not_shown_online_and_the_living_are(
    changes: dict[str, Any], found: list[str]
) -> None:
    assert rules(check_seen(ALIVE._replace(**changes))) == found
