"""From a dispatch to the row its origin keeps, and from a ledger's word to the truth (6.9)."""

from collections.abc import Collection, Sequence

from msgspec import structs

from trust_runtime.contracts.action_rows import (
    ActionRow,
    KeptRow,
    RefusedReuse,
    RowReport,
    RowResult,
    RowState,
)
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ledger import LedgerAnswer, LedgerState
from trust_runtime.contracts.results import DispatchReport, ResultStatus, TargetResult
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.dispatch import conclude
from trust_runtime.core.ledger import request_digest

RESTARTED = "the origin restarted before the answer came; the outcome is not known here"


def running_row(
    request: ActionRequest, preflight: Preflight, *, settled: Sequence[TargetResult], now_ns: int
) -> KeptRow:
    """Return the row of a dispatch that is on its way.

    Args:
        request: as given.
        preflight: what was decided.
        settled: results of targets that are not called; all others are still out.
        now_ns: wall clock.
    """
    known = {result.runtime_id: result for result in settled}
    results = tuple(
        _shown(known[target]) if target in known else RowResult(runtime_id=target)
        for target in preflight.acting_on
    )
    report = RowReport(
        api_version=API_VERSION,
        request_id=request.request_id,
        connected_via=preflight.connected_via,
        acting_on=preflight.acting_on,
        dry_run=bool(request.dry_run),
        preflight=preflight,
        results=results,
    )
    return KeptRow(
        request_id=request.request_id,
        row=ActionRow(
            api_version=API_VERSION,
            request_id=request.request_id,
            state=RowState.RUNNING,
            actor=request.actor,
            action_type=request.action_type,
            created_at_ns=now_ns,
            report=report,
        ),
        digest=request_digest(request.action_type, request.payload),
        iat_s=now_ns // 10**9,
        unsettled=tuple(target for target in preflight.acting_on if target not in known),
    )


def done_row(
    row: KeptRow, report: DispatchReport, *, unknown: Collection[str], now_ns: int
) -> KeptRow:
    """Return the row of a dispatch that has been answered.

    Args:
        row: it while it ran.
        report: the answer.
        unknown: targets whose own word is missing, whatever the result says of them.
        now_ns: wall clock.
    """
    results = tuple(_shown(result) for result in report.results)
    return structs.replace(
        row,
        row=structs.replace(
            row.row,
            state=RowState.DONE,
            finished_at_ns=now_ns,
            report=_summed(structs.replace(row.row.report, results=results, moved=report.moved)),
        ),
        unsettled=tuple(target for target in row.row.report.acting_on if target in unknown),
    )


def inherit(row: KeptRow, before: KeptRow | None) -> KeptRow:
    """Return `row` with the targets that a former dispatch of the same request left unsettled.

    Another dispatch under the same id shows the newest answer; what became of the former one at
    a target that did not say so now is still asked for. Another request settles nothing.
    """
    if before is None or before.digest != row.digest:
        return row
    left = {
        result.runtime_id
        for result in row.row.report.results
        if result.runtime_id in before.unsettled and not _says_outcome(result)
    }
    return structs.replace(
        row,
        iat_s=min(row.iat_s, before.iat_s) if left else row.iat_s,
        unsettled=tuple(
            target
            for target in row.row.report.acting_on
            if target in left or target in row.unsettled
        ),
    )


def over(row: KeptRow, before: KeptRow | None) -> KeptRow:
    """Return `row` as it is kept in the place of `before`, with what it may have to give back."""
    is_final = row.row.state is RowState.DONE and not row.unsettled
    if before is None or is_final:
        return row
    former = before.former or before
    if former.digest == row.digest:
        return row
    return structs.replace(row, former=structs.replace(former, former=None))


def is_refused(row: KeptRow) -> bool:
    """Tell whether a dispatch is known to have had no effect: everybody refused."""
    report = row.row.report
    return (
        row.row.state is RowState.DONE
        and not row.unsettled
        and report.ok is False
        and all(r.status in (ResultStatus.DENIED, ResultStatus.SKIPPED) for r in report.results)
    )


def note_reuse(former: KeptRow, refused: KeptRow) -> KeptRow:
    """Return the row of a dispatch with another request under its id that was refused."""
    before, report = former.row.refused_reuse, refused.row.report
    reuse = RefusedReuse(
        count=1 if before is None else before.count + 1,
        at_ns=refused.row.created_at_ns,
        actor=refused.row.actor,
        action_type=refused.row.action_type,
        denial_code=report.denial_code,
        denial_reason=report.denial_reason,
        audit_ids=tuple(r.audit_id for r in report.results if r.audit_id is not None),
    )
    return structs.replace(
        former, row=structs.replace(former.row, refused_reuse=reuse), former=None
    )


def interrupted(row: KeptRow, *, now_ns: int) -> KeptRow:
    """Return a row that was found running at a start: what was out is not known, and asked for."""
    if row.former is not None:
        row = structs.replace(row, former=interrupted(row.former, now_ns=now_ns))
    if row.row.state is RowState.DONE:
        return row
    results = tuple(
        result
        if result.status is not None
        else RowResult(
            runtime_id=result.runtime_id,
            status=ResultStatus.TIMEOUT,
            ok=False,
            denial_code=DenialCode.TIMEOUT,
            denial_reason=RESTARTED,
            audit_id=result.audit_id,
        )
        for result in row.row.report.results
    )
    return structs.replace(
        row,
        row=structs.replace(
            row.row,
            state=RowState.DONE,
            finished_at_ns=now_ns,
            report=_summed(structs.replace(row.row.report, results=results)),
        ),
    )


def settle(row: KeptRow, target: str, told: LedgerAnswer, *, may_still_begin: bool) -> KeptRow:
    """Return the row after the ledger of a target was asked; the same row: ask again.

    Args:
        row: of the dispatch.
        target: whose ledger it is.
        told: what it says.
        may_still_begin: an execution that its ledger does not know of yet is still possible.
    """
    if target not in row.unsettled:
        return row
    result = next(r for r in row.row.report.results if r.runtime_id == target)
    truth = _truth(row, result, told, may_still_begin=may_still_begin)
    if truth is None:
        return row
    results = tuple(truth if r is result else r for r in row.row.report.results)
    report = _summed(structs.replace(row.row.report, results=results))
    return structs.replace(
        row,
        row=structs.replace(row.row, report=report),
        unsettled=tuple(other for other in row.unsettled if other != target),
    )


def _truth(
    row: KeptRow, result: RowResult, told: LedgerAnswer, *, may_still_begin: bool
) -> RowResult | None:
    """Return what became of a request at one target, or None when that is not known yet."""
    target = result.runtime_id
    if told.state is not None and told.digest != row.digest:
        return structs.replace(
            result,
            status=ResultStatus.DENIED,
            ok=False,
            denial_code=DenialCode.CONFLICT,
            denial_reason=f"the ledger of {target} has another request under this request_id",
        )
    if told.state is LedgerState.DONE and told.reply is not None:
        truth = _shown(conclude(target, told.reply))
        return structs.replace(truth, audit_id=truth.audit_id or result.audit_id)
    if told.state is not None or may_still_begin:
        return None
    if result.status not in (ResultStatus.TIMEOUT, ResultStatus.FAILED):
        return result  # A later dispatch was refused, and says why; there is nothing to add.
    if row.iat_s < told.low_water_s:
        reason = f"the ledger of {target} has forgotten requests of that age"
    else:
        reason = f"{target} has not executed it, and it is too late for that now"
    return structs.replace(result, denial_reason=reason)


def _says_outcome(result: RowResult) -> bool:
    """Tell whether a result holds the target's word about the execution itself."""
    return result.status is ResultStatus.EXECUTED or result.response is not None or result.replayed


def _summed(report: RowReport) -> RowReport:
    """Return the report with its first lines as its results make them."""
    ok = bool(report.results) and all(result.ok for result in report.results)
    first = next((r for r in report.results if not r.ok and r.denial_code is not None), None)
    code = report.preflight.denial_code if first is None else first.denial_code
    reason = report.preflight.denial_reason if first is None else first.denial_reason
    return structs.replace(
        report,
        ok=ok,
        denial_code=None if ok else code,
        denial_reason=None if ok else reason,
    )


def _shown(result: TargetResult) -> RowResult:
    return RowResult(**{name: getattr(result, name) for name in result.__struct_fields__})
