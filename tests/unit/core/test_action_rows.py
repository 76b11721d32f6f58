"""`core.action_rows`: contract 6.9."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from action_row_samples import (
    COMMAND,
    DONE_NS,
    NOW_NS,
    allowed,
    done,
    executed,
    gone,
    lost,
    refused,
    reported,
    running,
)
from trust_runtime.contracts.action_rows import KeptRow, RowState
from trust_runtime.contracts.codec import canonical_json, decode_json, to_plain
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ledger import LedgerAnswer, LedgerState
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply, TargetResult
from trust_runtime.core.action_rows import (
    RESTARTED,
    done_row,
    inherit,
    interrupted,
    is_refused,
    note_reuse,
    over,
    running_row,
    settle,
)

P2, P3 = "press-2", "press-3"
REPLY = TargetReply(
    status=ResultStatus.EXECUTED,
    audit_id="audit-press-2",
    response=ControlReply(id=1, ok=True, result={"stopping": True}),
)
BROKEN = TargetReply(
    status=ResultStatus.FAILED,
    denial_code=DenialCode.TRANSPORT_FAILURE,
    denial_reason="interrupted by a restart; effect unknown",
    audit_id="audit-press-2",
)


def answer(row: KeptRow, reply: TargetReply | None, **changes: object) -> LedgerAnswer:
    state = LedgerState.RUNNING if reply is None else LedgerState.DONE
    told = LedgerAnswer(state=state, digest=row.digest, reply=reply, low_water_s=0)
    return structs.replace(told, **changes)


def unheard(low_water_s: int = 0) -> LedgerAnswer:
    return LedgerAnswer(low_water_s=low_water_s)


def shown(row: KeptRow, target: str) -> tuple[object, ...]:
    [result] = [r for r in row.row.report.results if r.runtime_id == target]
    return result.status, result.ok, result.denial_code


def test_a_target_that_is_still_out_has_no_status() -> None:
    row = running(P2, P3, settled=(executed(P3),))
    assert row.row.state is RowState.RUNNING
    assert row.row.finished_at_ns is None
    assert to_plain(row.row.report.results) == ({"runtime_id": P2}, to_plain(executed(P3)))
    assert "ok" not in to_plain(row.row.report)
    assert row.unsettled == (P2,)
    assert (row.row.actor, row.row.action_type) == (COMMAND.actor, "cmd_invoke")
    assert row.iat_s == NOW_NS // 10**9


def test_an_answered_dispatch_shows_its_answer_as_it_was_given() -> None:
    answered = reported(executed(P2), lost(P3))
    row = done_row(running(P2, P3), answered, unknown=[P3], now_ns=DONE_NS)
    assert to_plain(row.row.report) == to_plain(answered)
    assert (row.row.state, row.row.created_at_ns, row.row.finished_at_ns) == (
        *(RowState.DONE, NOW_NS),
        DONE_NS,
    )
    assert row.unsettled == (P3,)


def test_a_row_survives_its_storage() -> None:
    row = done(executed(P2), lost(P3), unknown=(P3,))
    assert decode_json(canonical_json(row), KeptRow) == row


def test_the_truth_replaces_a_timeout_and_the_report_follows() -> None:
    row = done(executed(P3), lost(P2), unknown=(P2,))
    assert (row.row.report.ok, row.row.report.denial_code) == (False, DenialCode.TIMEOUT)
    after = settle(row, P2, answer(row, REPLY), may_still_begin=True)
    assert shown(after, P2) == (ResultStatus.EXECUTED, True, None)
    assert (after.row.report.ok, after.row.report.denial_code) == (True, None)
    assert after.row.report.denial_reason is None
    assert after.row.report.results[1].response == REPLY.response
    assert after.unsettled == ()
    assert shown(after, P3) == shown(row, P3)


def test_an_effect_that_the_target_does_not_know_either_is_said() -> None:
    row = done(lost(P2), unknown=(P2,))
    after = settle(row, P2, answer(row, BROKEN), may_still_begin=True)
    assert shown(after, P2) == (ResultStatus.FAILED, False, DenialCode.TRANSPORT_FAILURE)
    assert after.row.report.denial_reason == BROKEN.denial_reason
    assert after.unsettled == ()


@pytest.mark.parametrize(
    ("told", "may_still_begin"),
    [
        pytest.param(answer(done(lost(P2)), None), True, id="it runs"),
        pytest.param(answer(done(lost(P2)), None), False, id="it runs for long"),
        pytest.param(unheard(), True, id="it may still arrive"),
    ],
)
def test_what_is_not_known_yet_is_asked_for_again(
    told: LedgerAnswer, *, may_still_begin: bool
) -> None:
    row = done(lost(P2), unknown=(P2,))
    assert settle(row, P2, told, may_still_begin=may_still_begin) is row


@pytest.mark.parametrize("result", [lost(P2), gone(P2)])
def test_what_never_began_stays_what_it_was_and_says_so(result: TargetResult) -> None:
    row = done(result, unknown=(P2,))
    after = settle(row, P2, unheard(), may_still_begin=False)
    assert shown(after, P2) == shown(row, P2)
    assert "has not executed it" in (after.row.report.denial_reason or "")
    assert after.unsettled == ()


@pytest.mark.parametrize(("low_water_s", "forgotten"), [(0, False), (1, True)])
def test_a_ledger_that_has_forgotten_cannot_deny_it(low_water_s: int, *, forgotten: bool) -> None:
    row = done(lost(P2), unknown=(P2,))
    told = unheard(row.iat_s + low_water_s)
    after = settle(row, P2, told, may_still_begin=False)
    assert ("forgotten" in (after.row.report.denial_reason or "")) is forgotten


@pytest.mark.parametrize("reply", [REPLY, None])
def test_another_request_under_the_id_means_that_this_one_was_refused(
    reply: TargetReply | None,
) -> None:
    row = done(lost(P2), unknown=(P2,))
    told = answer(row, reply, digest="sha256:of another")
    after = settle(row, P2, told, may_still_begin=True)
    assert shown(after, P2) == (ResultStatus.DENIED, False, DenialCode.CONFLICT)
    assert after.unsettled == ()


def test_a_later_refusal_keeps_its_own_reason_when_nothing_began() -> None:
    row = done(refused(P2), unknown=(P2,))
    after = settle(row, P2, unheard(), may_still_begin=False)
    assert after.row.report == row.row.report
    assert after.unsettled == ()


def test_only_what_is_unsettled_is_ever_replaced() -> None:
    row = done(executed(P2), lost(P3), unknown=(P3,))
    assert settle(row, P2, answer(row, BROKEN), may_still_begin=False) is row


def test_what_a_restart_found_running_is_unknown_and_asked_for() -> None:
    row = running(P2, P3, settled=(refused(P3),))
    after = interrupted(row, now_ns=DONE_NS)
    assert after.row.state is RowState.DONE
    assert after.row.finished_at_ns == DONE_NS
    assert shown(after, P2) == (ResultStatus.TIMEOUT, False, DenialCode.TIMEOUT)
    assert after.row.report.denial_reason == RESTARTED
    assert shown(after, P3) == (ResultStatus.DENIED, False, DenialCode.CONFLICT)
    assert after.unsettled == (P2,)
    assert interrupted(after, now_ns=0) is after


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        pytest.param(done(lost(P2), unknown=(P2,)), done(refused(P2)), (P2,), id="refused now"),
        pytest.param(done(lost(P2), unknown=(P2,)), done(executed(P2)), (), id="answered now"),
        pytest.param(done(lost(P2), unknown=(P2,)), running(P2), (P2,), id="on its way"),
        pytest.param(running(P2), done(refused(P2)), (P2,), id="the former still runs"),
        pytest.param(done(executed(P2)), done(refused(P2)), (), id="nothing was open"),
        pytest.param(
            done(lost(P3), unknown=(P3,)), done(refused(P2)), (), id="another target was open"
        ),
        pytest.param(None, done(lost(P2), unknown=(P2,)), (P2,), id="nothing before"),
    ],
)
def test_what_a_former_dispatch_left_open_stays_open_until_the_target_speaks(
    before: KeptRow | None, after: KeptRow, left: tuple[str, ...]
) -> None:
    assert inherit(after, before).unsettled == left


def test_another_request_inherits_nothing() -> None:
    before = done(lost(P2), unknown=(P2,))
    other = structs.replace(COMMAND, payload={"command": "other"})
    assert inherit(done(refused(P2), request=other), before).unsettled == ()


def test_the_older_time_counts_for_what_is_inherited() -> None:
    before = structs.replace(done(lost(P2), unknown=(P2,)), iat_s=5)
    assert inherit(done(refused(P2)), before).iat_s == 5
    assert inherit(done(executed(P2)), before).iat_s == NOW_NS // 10**9


RESULTS = st.sampled_from([executed, lost, gone, refused])


@given(st.lists(RESULTS, min_size=1, max_size=4), st.data())
def test_settling_everything_leaves_a_consistent_report(
    made: list[object], data: st.DataObject
) -> None:
    results = [kind(f"press-{n}") for n, kind in enumerate(made)]  # type: ignore[operator] # one of four functions
    unknown = [r.runtime_id for r in results if r.status is not ResultStatus.EXECUTED]
    row = done(*results, unknown=tuple(unknown))
    for target in data.draw(st.permutations(unknown)):
        told = data.draw(st.sampled_from([answer(row, REPLY), answer(row, BROKEN), unheard()]))
        row = settle(row, target, told, may_still_begin=False)
    report = row.row.report
    assert row.unsettled == ()
    assert tuple(r.runtime_id for r in report.results) == report.acting_on
    assert report.ok is all(r.ok for r in report.results)
    assert (report.denial_code is None) is report.ok


def test_no_target_gives_an_answer_that_is_not_ok() -> None:
    preflight = allowed()
    request = structs.replace(COMMAND, target_runtimes=[])
    row = running_row(request, preflight, settled=(), now_ns=NOW_NS)
    assert (
        done_row(row, reported(request=request), unknown=(), now_ns=NOW_NS).row.report.ok is False
    )


OTHER = structs.replace(COMMAND, payload={"command": "restart"})


def test_a_row_that_is_open_keeps_that_of_another_request_until_it_is_known() -> None:
    first = done(executed("press-2"))
    reuse = running("press-2", request=OTHER)
    kept = over(reuse, first)
    assert kept == structs.replace(reuse, former=first)
    # Of whatever comes in its place it is the same one that may be shown again.
    assert over(done(lost("press-2"), unknown=("press-2",), request=OTHER), kept).former == first
    third = running("press-2", request=structs.replace(COMMAND, payload={"command": "start"}))
    assert over(third, kept).former == first
    assert over(running("press-2"), kept).former is None
    for final in (done(executed("press-2"), request=OTHER), done(refused("press-2"))):
        assert over(final, kept) == final
    assert over(reuse, None) == reuse


@pytest.mark.parametrize(
    ("results", "unknown", "is_so"),
    [
        ([refused("press-2")], (), True),
        ([refused("press-2"), refused("press-3")], (), True),
        ([refused("press-2")], ("press-2",), False),
        ([refused("press-2"), executed("press-3")], (), False),
        ([lost("press-2")], (), False),
        ([gone("press-2")], (), False),
        ([executed("press-2")], (), False),
    ],
)
def test_refused_is_what_is_known_to_have_had_no_effect(
    results: list[TargetResult], unknown: tuple[str, ...], *, is_so: bool
) -> None:
    assert is_refused(done(*results, unknown=unknown)) is is_so
    assert not is_refused(running("press-2"))


def test_a_reuse_is_noted_and_counted_beside_what_it_was_of() -> None:
    first, reuse = done(executed("press-2")), done(refused("press-2"), request=OTHER)
    noted = note_reuse(note_reuse(first, reuse), reuse)
    said = noted.row.refused_reuse
    assert said is not None
    assert (said.count, said.at_ns) == (2, reuse.row.created_at_ns)
    assert (said.denial_code, said.audit_ids) == (DenialCode.CONFLICT, ("audit-press-2",))
    assert structs.replace(noted, row=structs.replace(noted.row, refused_reuse=None)) == first


def test_a_restart_interrupts_the_row_that_may_be_shown_again_too() -> None:
    kept = over(running("press-2", request=OTHER), running("press-2"))
    found = interrupted(kept, now_ns=DONE_NS)
    assert found.former is not None
    assert found.former.row.state is RowState.DONE
