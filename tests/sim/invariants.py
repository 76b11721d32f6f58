"""What always holds, as checks of plain facts: whoever can gather the facts can use them.

Each check yields the violations it finds; none knows whether the facts come from a simulation, a
property test or live processes. The names of the rules stand in ARCHITECTURE.md, "What always
holds", by their numbers there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sim.history import Acked, Dispatch, Effect
from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditRecord,
    ChainHead,
    Outcome,
    Phase,
    Verdict,
)
from trust_runtime.contracts.config import ConfigRevision
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.results import ResultStatus, TargetResult
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.audit_chain import verify_records

ANSWER_GRACE_MS: Final = 250
"""How long after its budget a dispatch may still take, plus what its disk needs."""
DEATH_MS: Final = 2_500
"""How long a dead or frozen runtime may still be shown online."""
PARTING_MS: Final = 500
"""The same after a death that was told over the links."""
ALIVE_MS: Final = 1_500
"""How long two healthy runtimes may need to see each other over a link that holds."""

_OUTCOME: Final = {
    ResultStatus.EXECUTED: Outcome.EXECUTED,
    ResultStatus.DENIED: Outcome.DENIED,
    ResultStatus.SKIPPED: Outcome.SKIPPED,
    ResultStatus.TIMEOUT: Outcome.TIMEOUT,
    ResultStatus.FAILED: Outcome.FAILED,
}
_WRITES: Final = ("cfg_apply", "cmd_invoke")


class Violation(NamedTuple):
    """Something that must never happen."""

    rule: str
    """Name of the invariant."""
    detail: str
    """What happened."""


class Sighting(NamedTuple):
    """How one runtime sees another at one moment, and what is true."""

    observer: str
    target: str
    lifecycle: Lifecycle
    observer_ms: float
    """For how long the observer has been up and has not stood still."""
    down_ms: float | None
    """For how long the target has been dead or frozen; None: it is up."""
    told: bool
    """Its process died while the link to the observer was well, so its links told of it."""
    link_ms: float | None
    """For how long both have been up with a link that lost nothing; None: they have none."""


def check_once(effects: Sequence[Effect]) -> Iterator[Violation]:
    """A request of one origin takes effect at most once at a target (7)."""
    counts = Counter((e.target, e.origin, e.request_id) for e in effects if e.kind == "verb")
    for (target, origin, request_id), count in counts.items():
        if count > 1:
            yield Violation("once", f"{request_id} of {origin} ran {count} times at {target}")


def check_in_time(
    effect: Effect, attempts: Sequence[Dispatch], *, tolerance_ms: float
) -> Iterator[Violation]:
    """Nothing starts after its deadline (7); `attempts` are the dispatches of that request."""
    known = [attempt.deadline_ns for attempt in attempts if attempt.begun_ns <= effect.at_ns]
    if not known:
        yield Violation("asked", f"{effect.request_id} at {effect.target} was asked by nobody")
        return
    late_ms = (effect.at_ns - max(known)) / NS_PER_MS
    if late_ms > tolerance_ms:
        yield Violation("late", f"{effect.request_id} at {effect.target} began {late_ms} ms late")


def check_decided(effect: Effect, durable: Sequence[AuditRecord]) -> Iterator[Violation]:
    """No effect of a verb begins before its decision is on disk (8)."""
    found = [r for r in durable if r.audit_id == effect.audit_id and r.phase is Phase.DECISION]
    if effect.kind == "verb" and [r.decision for r in found] != [Verdict.ALLOWED]:
        yield Violation("decided", f"{effect.request_id} began at {effect.target} undecided")


def check_allowed(
    effect: Effect, allowed_across: Sequence[tuple[str, str]], *, sites: Mapping[str, str]
) -> Iterator[Violation]:
    """A write crosses sites only where both ends allow it (2)."""
    across = sites[effect.origin] != sites[effect.target]
    if across and (effect.origin, effect.target) not in allowed_across:
        yield Violation("across", f"{effect.origin} wrote to {effect.target} without a rule")


def check_total(dispatch: Dispatch, *, took_ms: float | None) -> Iterator[Violation]:
    """As many results as distinct targets, in time; ok only when all are (6)."""
    report = dispatch.report
    assert report is not None
    told = tuple(result.runtime_id for result in report.results)
    if told != dispatch.targets:
        yield Violation("total", f"{report.request_id}: results {told}, not {dispatch.targets}")
    if report.ok != all(result.ok for result in report.results):
        yield Violation("total", f"{report.request_id}: ok is {report.ok}")
    for result in report.results:
        if result.ok != (result.status is ResultStatus.EXECUTED) and not report.dry_run:
            yield Violation("total", f"{report.request_id}: {result.status} is ok={result.ok}")
    if took_ms is not None and took_ms > dispatch.budget_ms + ANSWER_GRACE_MS:
        yield Violation("total", f"{report.request_id}: {took_ms} of {dispatch.budget_ms} ms")


def check_acknowledged(
    dispatch: Dispatch, durable: Mapping[str, Sequence[AuditRecord]], *, store_works: bool
) -> Iterator[Violation]:
    """What a client was told of is on disk at that moment, at both ends (8).

    Args:
        dispatch: with its report, which was returned just now.
        durable: the records of each runtime that is looked at.
        store_works: whether the origin can keep records; what is refused for lack of that has none.
    """
    assert dispatch.report is not None
    for result in dispatch.report.results:
        refused = result.status in (ResultStatus.DENIED, ResultStatus.FAILED)
        # A store that failed a moment ago may work again by now.
        failed = not store_works or result.denial_code is DenialCode.TRANSPORT_FAILURE
        if not (refused and failed):
            yield from _unrecorded(dispatch, result, durable[dispatch.origin])
        if result.status is ResultStatus.EXECUTED and not dispatch.report.dry_run:
            yield from _unproven(dispatch, result, durable[result.runtime_id])


def _unrecorded(
    dispatch: Dispatch, result: TargetResult, origin_records: Sequence[AuditRecord]
) -> Iterator[Violation]:
    wanted = _OUTCOME[result.status]
    if result.replayed:
        wanted = Outcome.REPLAYED
    elif dispatch.request.dry_run and result.ok:
        wanted = Outcome.DECIDED
    request_id = dispatch.request.request_id
    outcomes = [
        r.outcome
        for r in origin_records
        if r.request_id == request_id and r.target == result.runtime_id and r.outcome is not None
    ]
    if wanted not in outcomes:
        text = f"{request_id}: told {result.status} of {result.runtime_id}"
        yield Violation("recorded", f"{text}, recorded {outcomes} at {dispatch.origin}")


def _unproven(
    dispatch: Dispatch, result: TargetResult, target_records: Sequence[AuditRecord]
) -> Iterator[Violation]:
    is_write = dispatch.request.action_type in _WRITES
    wanted = (Phase.DECISION, Phase.OUTCOME) if is_write else (Phase.SINGLE,)
    found = [
        (r.phase, r.decision, r.outcome)
        for r in target_records
        if r.audit_id == result.audit_id and r.phase in wanted
    ]
    outcome = (wanted[-1], Verdict.ALLOWED, Outcome.EXECUTED)
    due = [(Phase.DECISION, Verdict.ALLOWED, None), outcome] if is_write else [outcome]
    if found != due:
        said = [(str(phase), str(told)) for phase, _, told in found]
        text = f"{dispatch.request.request_id}: executed at {result.runtime_id}"
        yield Violation("acknowledged", f"{text}, whose records say {said}")


def check_chain(
    owner: str, head_before: ChainHead, records: Sequence[AuditRecord]
) -> Iterator[Violation]:
    """The chain has no gap and every hash fits (9)."""
    _, problem = verify_records(head_before, records)
    if problem is not None:
        yield Violation("chain", f"{owner}: record {problem.seq}: {problem.detail}")


def check_head_known(
    owner: str, known: ChainHead, records: Sequence[AuditRecord]
) -> Iterator[Violation]:
    """A head that somebody saw never changes and never shrinks (9)."""
    if known == EMPTY_CHAIN:
        return
    if known.seq > len(records) or records[known.seq - 1].hash != known.hash:
        yield Violation("head", f"{owner}: record {known.seq} was seen and is not there")


def check_closed(owner: str, records: Sequence[AuditRecord], *, upto: int) -> Iterator[Violation]:
    """A decision made before a start has an outcome after it (8).

    Args:
        owner: whose records these are.
        records: its whole chain.
        upto: the newest sequence number there was when the process started.
    """
    closed = {record.audit_id for record in records if record.phase is Phase.OUTCOME}
    for record in records[:upto]:
        if record.phase is Phase.DECISION and record.audit_id not in closed:
            yield Violation("closed", f"{owner}: {record.audit_id} has no outcome")


def check_revisions(
    owner: str, revisions: Sequence[ConfigRevision], acked: Sequence[Acked]
) -> Iterator[Violation]:
    """Revisions have no gap, each request made one, and none that was told of is lost (7)."""
    numbers = [revision.revision for revision in revisions]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Violation("revisions", f"{owner} has revisions {numbers}")
    requests = Counter((r.identity, r.request_id) for r in revisions if r.request_id is not None)
    for (identity, request_id), count in requests.items():
        if count > 1:
            yield Violation("once", f"{request_id} of {identity} made {count} revisions at {owner}")
    kept = {revision.revision: revision.audit_id for revision in revisions}
    for one in acked:
        if one.target == owner and kept.get(one.revision) != one.audit_id:
            text = f"{owner}: revision {one.revision} of {one.audit_id} was acknowledged"
            yield Violation("revisions", f"{text}, now it is {kept.get(one.revision)}")


def check_seen(sighting: Sighting) -> Iterator[Violation]:
    """The dead are not shown online, and the living are not shown dead (13)."""
    pair = f"{sighting.observer} shows {sighting.target} {sighting.lifecycle}"
    online = sighting.lifecycle is Lifecycle.ONLINE
    if sighting.down_ms is not None:
        bound_ms = PARTING_MS if sighting.told else DEATH_MS
        if online and min(sighting.down_ms, sighting.observer_ms) > bound_ms:
            yield Violation("ghost", f"{pair}, which has been down for {sighting.down_ms} ms")
    elif sighting.link_ms is not None and not online and sighting.link_ms > ALIVE_MS:
        yield Violation("false death", f"{pair}, linked for {sighting.link_ms} ms")
