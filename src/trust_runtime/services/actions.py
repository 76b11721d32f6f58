"""A request at its origin: decide, record, send in parallel, conclude (contract 8.6)."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Struct, structs

from trust_runtime.contracts.actions import (
    QUERY_BUDGET_MS_DEFAULT,
    QUERY_BUDGET_MS_MAX,
    VERB_READ,
    ActionRequest,
    ActionType,
    VerbRead,
)
from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.decisions import Preflight, TargetDecision
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.receipt import MovedFact
from trust_runtime.contracts.results import (
    DispatchReport,
    ResultStatus,
    TargetReply,
    TargetResult,
)
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.core import dispatch as core
from trust_runtime.core.policy.payload import redacted_payload, verb_asked
from trust_runtime.core.policy.preflight import decide, denies_all
from trust_runtime.ports.clock import Clock
from trust_runtime.services.action_rows import ActionRows, Entry
from trust_runtime.services.audit import Audit
from trust_runtime.services.calls import Call, Calls
from trust_runtime.services.execution import Execution
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.histogram import Histogram
from trust_runtime.services.order import Order, now_s
from trust_runtime.services.receipts import Receipts, expected_of
from trust_runtime.services.running import Running

_IN_FLIGHT_MAX: Final = 64
_OUTCOME: Final = {
    ResultStatus.EXECUTED: Outcome.EXECUTED,
    ResultStatus.DENIED: Outcome.DENIED,
    ResultStatus.SKIPPED: Outcome.SKIPPED,
    ResultStatus.TIMEOUT: Outcome.TIMEOUT,
    ResultStatus.FAILED: Outcome.FAILED,
}


class _Run(Struct, frozen=True, kw_only=True):
    """One dispatch on its way."""

    request: ActionRequest
    caller: Caller
    preflight: Preflight
    drafts: dict[str, AuditDraft]
    deadline_ns: MonotonicNs
    moved: tuple[MovedFact, ...] = ()

    @property
    def is_write(self) -> bool:
        return self.request.action_type != ActionType.STATUS_READ


class _Sent(Struct, frozen=True, kw_only=True):
    """What came back from one target."""

    result: TargetResult
    is_known: bool
    """Whether the target itself said what it did."""


class Actions:
    """Preflight and dispatch at the origin.

    Attributes:
        dispatch_seconds: how long dispatches took.
    """

    def __init__(  # noqa: PLR0913 - one port or service each
        self,
        *,
        own: RuntimeId,
        running: Running,
        fleet: Fleet,
        audit: Audit,
        execution: Execution,
        calls: Calls,
        rows: ActionRows,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        self._own = own
        self._running = running
        self._fleet = fleet
        self._audit = audit
        self._execution = execution
        self._calls = calls
        self._rows = rows
        self._receipts = receipts
        self._clock = clock
        self.dispatch_seconds = Histogram()

    async def preflight(self, request: ActionRequest, caller: Caller) -> Preflight:
        """Return the decision; one record per target is durable then."""
        facts = self._fleet.decision_facts()
        preflight = decide(request, caller, facts)
        drafts = [
            structs.replace(draft, action_type="preflight", outcome=Outcome.DECIDED)
            for draft in self._drafts(request, caller, _decisions_or_none(preflight))
        ]
        try:
            await self._audit.append(drafts)
        except StoreFailed:
            return self._decide(request, caller)
        if not (request.want_receipt and preflight.allowed):
            return preflight
        receipt = self._receipts.seal(request, caller, preflight, facts=facts)
        return structs.replace(preflight, receipt=receipt)

    async def dispatch(self, request: ActionRequest, caller: Caller) -> DispatchReport:
        """Decide, execute what is allowed, and return exactly one result per target."""
        began_ns = self._clock.monotonic_ns()
        with self._running.in_flight:
            report = await self._dispatch(request, caller)
        self.dispatch_seconds.observe(self._clock.monotonic_ns() - began_ns)
        return report

    async def _dispatch(self, request: ActionRequest, caller: Caller) -> DispatchReport:
        facts = self._fleet.decision_facts()
        preflight = decide(request, caller, facts)
        budget_ms = _budget_ms(request)
        run = _Run(
            request=request,
            caller=caller,
            preflight=preflight,
            drafts={
                decision.runtime_id: draft
                for decision, draft in zip(
                    preflight.decisions,
                    self._drafts(request, caller, preflight.decisions),
                    strict=True,
                )
            },
            deadline_ns=MonotonicNs(self._clock.monotonic_ns() + budget_ms * NS_PER_MS),
        )
        # Only a denied request can be denied as a whole.
        whole = None if preflight.allowed else self._denies_all(request, caller)
        plan = core.plan_dispatch(request, preflight, budget_ms=budget_ms, whole=whole)
        broken = self._receipts.broken(request, caller, preflight, facts=facts)
        if broken is not None:
            run = structs.replace(run, moved=broken.moved)
            plan = core.plan_refused(preflight, broken.denial, moved=broken.moved)
        try:
            if not plan.send:
                return await self._answer_unsent(run, plan.settled)
            settled = await self._record_settled(run, plan.settled)
            return await self._send_all(run, settled, plan.send)
        except StoreFailed:
            # Nothing was sent. The fault is a fact now, and the decision anew says so.
            preflight = self._decide(request, caller)
            plan = core.plan_dispatch(request, preflight, budget_ms=0, whole=whole)
            return core.report(request, preflight, plan.settled)

    def _denies_all(self, request: ActionRequest, caller: Caller) -> Denial | None:
        return denies_all(request, caller, self._fleet.decision_facts())

    def _decide(self, request: ActionRequest, caller: Caller) -> Preflight:
        return decide(request, caller, self._fleet.decision_facts())

    async def _record_settled(
        self, run: _Run, settled: Sequence[TargetResult]
    ) -> list[TargetResult]:
        """Record the targets that are not called, and return their results with audit ids."""
        await self._audit.append([_settled_draft(run, result) for result in settled])
        return [_with_audit_id(result, run.drafts[result.runtime_id]) for result in settled]

    async def _answer_unsent(self, run: _Run, settled: Sequence[TargetResult]) -> DispatchReport:
        """Answer a dispatch of which nothing is sent."""
        drafts = [_settled_draft(run, result) for result in settled]
        if not run.preflight.decisions:
            (draft,) = self._drafts(run.request, run.caller, (None,))
            drafts = [structs.replace(draft, outcome=Outcome.DENIED)]
        named = [_with_audit_id(result, run.drafts[result.runtime_id]) for result in settled]
        report = core.report(run.request, run.preflight, named, moved=run.moved)
        await self._rows.add(run.request, run.preflight, report, drafts=drafts)
        return report

    async def _send_all(
        self, run: _Run, settled: Sequence[TargetResult], send: Sequence[str]
    ) -> DispatchReport:
        # The row and the origin's own decision are durable before anything leaves it.
        remote = [target for target in send if target != self._own] if run.is_write else []
        entry = await self._rows.begin(
            run.request,
            run.preflight,
            settled=settled,
            drafts=[structs.replace(run.drafts[t], phase=Phase.DECISION) for t in remote],
        )
        # Shielded: what was sent is concluded and recorded even if the caller hangs up.
        return await asyncio.shield(self._conclude(run, entry, settled, send=send))

    async def _conclude(
        self, run: _Run, entry: Entry, settled: Sequence[TargetResult], *, send: Sequence[str]
    ) -> DispatchReport:
        # In flight on its own account: an orderly stop waits although the caller is gone.
        with self._running.in_flight:
            slots = asyncio.Semaphore(_IN_FLIGHT_MAX)

            async def one(target: str) -> _Sent:
                async with slots:
                    return await self._send(run, RuntimeId(target))

            sent = list(await asyncio.gather(*(one(target) for target in send)))
            return await self._record_sent(run, entry, settled, sent=sent)

    async def _record_sent(
        self, run: _Run, entry: Entry, settled: Sequence[TargetResult], *, sent: Sequence[_Sent]
    ) -> DispatchReport:
        results = [one.result for one in sent]
        phase = Phase.OUTCOME if run.is_write else Phase.SINGLE
        records = [
            _concluded(run.drafts[result.runtime_id], result, phase, now_ns=self._audit.now_ns())
            for result in results
            if result.runtime_id != self._own
        ]
        report = self._report(run, settled, results, named=True)
        unknown = {one.result.runtime_id for one in sent if not one.is_known}
        try:
            await self._rows.conclude(entry, report, unknown=unknown, drafts=records)
        except StoreFailed as error:
            if run.is_write:
                self._audit.owe(partial(self._audit.append, records))
            results = [r if r.runtime_id == self._own else _unrecorded(r, error) for r in results]
            # Of a read no record is here that an id could name.
            return self._report(run, settled, results, named=run.is_write)
        return report

    def _report(
        self,
        run: _Run,
        settled: Sequence[TargetResult],
        results: Sequence[TargetResult],
        *,
        named: bool,
    ) -> DispatchReport:
        # The execution core has named its own record, or there is none.
        shown = [
            r
            if r.runtime_id == self._own or not named
            else _with_audit_id(r, run.drafts[r.runtime_id])
            for r in results
        ]
        return core.report(run.request, run.preflight, [*settled, *shown])

    async def _send(self, run: _Run, target: RuntimeId) -> _Sent:
        request, audit_id = run.request, run.drafts[target].audit_id
        if target == self._own:
            reply = await self._execution.execute(
                Order(
                    origin=self._own,
                    caller=run.caller,
                    actor=request.actor,
                    action_type=ActionType(request.action_type),
                    payload=request.payload,
                    request_id=request.request_id,
                    audit_id=audit_id,
                    iat_s=now_s(self._clock),
                    deadline_ns=run.deadline_ns,
                    verb=request.verb if isinstance(request, VerbRead) else None,
                )
            )
            return _heard(target, reply)
        answer = await self._calls.call(
            Call(
                target=target,
                action_type=(VERB_READ if isinstance(request, VerbRead) else request.action_type),
                payload=request.payload,
                actor=request.actor,
                caller=run.caller,
                request_id=request.request_id,
                audit_id=audit_id,
                deadline_ns=run.deadline_ns,
                expects=expected_of(request, target),
            )
        )
        if isinstance(answer, TargetReply):
            return _heard(target, answer)
        return _Sent(result=answer, is_known=False)

    def _drafts(
        self,
        request: ActionRequest,
        caller: Caller,
        decisions: Sequence[TargetDecision | None],
    ) -> list[AuditDraft]:
        """Return a record for each decision; None is one about a request without targets."""
        verb = verb_asked(request)
        payload_digest = digest(redacted_payload(request.payload))
        return [
            AuditDraft(
                audit_id=self._audit.new_id(),
                phase=Phase.SINGLE,
                timestamp_ns=self._clock.wall_ns(),
                origin=self._own,
                target=None if one is None else one.runtime_id,
                actor=request.actor,
                identity=caller.identity,
                role=caller.role,
                action_type=request.action_type,
                verb=None if verb is None else verb.name,
                request_id=request.request_id,
                decision=Verdict.ALLOWED if one is not None and one.allowed else Verdict.DENIED,
                denial_code=DenialCode.CONTRACT_VIOLATION if one is None else one.denial_code,
                payload_digest=payload_digest,
            )
            for one in decisions
        ]


def _heard(target: RuntimeId, reply: TargetReply) -> _Sent:
    # A target whose store failed has no record to name, and cannot vouch for what it did.
    unsure = reply.status is ResultStatus.FAILED and reply.audit_id is None
    return _Sent(result=core.conclude(target, reply), is_known=not unsure)


def _budget_ms(request: ActionRequest) -> int:
    budget_ms = request.query_budget_ms
    return min(QUERY_BUDGET_MS_DEFAULT if budget_ms is None else budget_ms, QUERY_BUDGET_MS_MAX)


def _decisions_or_none(preflight: Preflight) -> Sequence[TargetDecision | None]:
    return preflight.decisions or (None,)


def _settled_draft(run: _Run, result: TargetResult) -> AuditDraft:
    draft = run.drafts[result.runtime_id]
    denied = result.status is ResultStatus.DENIED
    return structs.replace(
        draft,
        outcome=Outcome.DECIDED if run.request.dry_run and result.ok else _OUTCOME[result.status],
        decision=Verdict.DENIED if denied else draft.decision,
        denial_code=result.denial_code,
    )


def _concluded(draft: AuditDraft, result: TargetResult, phase: Phase, *, now_ns: int) -> AuditDraft:
    return structs.replace(
        draft,
        timestamp_ns=now_ns,
        phase=phase,
        outcome=Outcome.REPLAYED if result.replayed else _OUTCOME[result.status],
        replay_of=result.audit_id if result.replayed else None,
        denial_code=result.denial_code,
    )


def _unrecorded(result: TargetResult, error: StoreFailed) -> TargetResult:
    """Return a result that is not acknowledged: the target's word could not be kept here."""
    return structs.replace(
        result,
        status=ResultStatus.FAILED,
        ok=False,
        denial_code=DenialCode.TRANSPORT_FAILURE,
        denial_reason=f"the target answered {result.status}, but that could not be recorded"
        f" here: {error.reason}",
    )


def _with_audit_id(result: TargetResult, draft: AuditDraft) -> TargetResult:
    return structs.replace(result, audit_id=result.audit_id or draft.audit_id)
