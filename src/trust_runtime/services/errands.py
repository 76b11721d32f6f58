"""One operation at one other runtime: decide, record, ask, record what came back (6.5, 8.6)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct, structs

from trust_runtime.contracts.actions import (
    QUERY_BUDGET_MS_DEFAULT,
    READS,
    ActionRequest,
    ActionType,
    ConfigOp,
)
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import ResultStatus, TargetReply, TargetResult
from trust_runtime.contracts.units import API_VERSION, NS_PER_MS, MonotonicNs
from trust_runtime.core import dispatch as core
from trust_runtime.core.policy.operations import decided_as
from trust_runtime.core.policy.payload import redacted_payload
from trust_runtime.core.policy.preflight import decide, remedy_of
from trust_runtime.ports.clock import Clock
from trust_runtime.services.audit import Audit
from trust_runtime.services.calls import Call, Calls
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.order import Order, now_s
from trust_runtime.services.running import Running

_OUTCOME: Final = {
    ResultStatus.EXECUTED: Outcome.EXECUTED,
    ResultStatus.DENIED: Outcome.DENIED,
    ResultStatus.SKIPPED: Outcome.SKIPPED,
    ResultStatus.TIMEOUT: Outcome.TIMEOUT,
    ResultStatus.FAILED: Outcome.FAILED,
}


_NO_DECISION: Final = frozenset(
    {
        DenialCode.TIMEOUT,
        DenialCode.CONFLICT,
        DenialCode.OVERLOADED,
        DenialCode.TRANSPORT_FAILURE,
    }
)
"""What a target refuses with before, or beside, its decision."""


class Errand(Struct, frozen=True, kw_only=True):
    """One operation for another runtime; its form was checked."""

    target: RuntimeId
    """Canonical id."""

    op: ConfigOp
    """What to do."""

    payload: Any
    """What the operation needs."""

    actor: str
    """The claim."""

    request_id: str
    """Key of idempotency."""

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.op not in READS


class Ran(Struct, frozen=True, kw_only=True):
    """What became of an errand."""

    preflight: Preflight
    """The decision taken here; when it denies, nothing was sent."""

    result: TargetResult
    """How it ended, with the target's word."""


class Errands:
    """Runs errands; both ends decide, and both keep their records."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        running: Running,
        fleet: Fleet,
        audit: Audit,
        calls: Calls,
        clock: Clock,
    ) -> None:
        """Run errands of `own`; `here` executes those for itself once it is joined."""
        self._own = own
        self._running = running
        self._fleet = fleet
        self._audit = audit
        self._calls = calls
        self._clock = clock
        self.here: Callable[[Order], Awaitable[TargetReply]] | None = None

    async def run(self, errand: Errand, caller: Caller) -> Ran:
        """Decide and, when allowed, have the target execute it.

        Raises:
            StoreFailed: the decision could not be recorded, so nothing was sent.
        """
        with self._running.in_flight:
            preflight = decide(self._request(errand), caller, self._fleet.decision_facts())
            draft = self._draft(errand, caller, preflight.denial_code)
            if not preflight.allowed:
                await self._audit.append([structs.replace(draft, outcome=Outcome.DENIED)])
                return Ran(preflight=preflight, result=_denied(errand, preflight, draft))
            if errand.is_write and errand.target != self._own:
                await self._audit.append([structs.replace(draft, phase=Phase.DECISION)])
            # Shielded: what was sent is concluded and recorded even if the caller hangs up.
            result = await asyncio.shield(self._conclude(errand, caller, draft))
            return Ran(preflight=preflight, result=result)

    async def refuse(self, errand: Errand, caller: Caller, denial: Denial) -> str:
        """Record that an errand is refused before any decision; return the id of the record.

        Raises:
            StoreFailed: the record is not durable.
        """
        draft = self._draft(errand, caller, denial.code)
        await self._audit.append([structs.replace(draft, outcome=Outcome.DENIED)])
        return draft.audit_id

    async def _conclude(self, errand: Errand, caller: Caller, draft: AuditDraft) -> TargetResult:
        budget_ns = QUERY_BUDGET_MS_DEFAULT * NS_PER_MS
        with self._running.in_flight:
            if errand.target == self._own:
                return await self._execute_here(errand, caller, draft, budget_ns=budget_ns)
            answer = await self._calls.call(
                Call(
                    target=errand.target,
                    action_type=errand.op,
                    payload=errand.payload,
                    actor=errand.actor,
                    caller=caller,
                    request_id=errand.request_id,
                    audit_id=draft.audit_id,
                    deadline_ns=MonotonicNs(self._clock.monotonic_ns() + budget_ns),
                )
            )
            if isinstance(answer, TargetReply):
                answer = core.conclude(errand.target, answer)
            return await self._record(errand, answer, draft)

    async def _execute_here(
        self, errand: Errand, caller: Caller, draft: AuditDraft, *, budget_ns: int
    ) -> TargetResult:
        """Have the own core execute it, which makes the records."""
        assert self.here is not None  # noqa: S101 - joined before anything is served
        decided = decided_as(errand.op, errand.payload)
        assert decided is not None  # noqa: S101 - every operation is decided as an action
        order = Order(
            origin=self._own,
            caller=caller,
            actor=errand.actor,
            action_type=decided.action_type,
            op=errand.op,
            payload=errand.payload,
            request_id=errand.request_id,
            audit_id=draft.audit_id,
            iat_s=now_s(self._clock),
            deadline_ns=MonotonicNs(self._clock.monotonic_ns() + budget_ns),
        )
        return core.conclude(errand.target, await self.here(order))

    async def _record(
        self, errand: Errand, result: TargetResult, draft: AuditDraft
    ) -> TargetResult:
        record = structs.replace(
            draft,
            timestamp_ns=self._audit.now_ns(),
            phase=Phase.OUTCOME if errand.is_write else Phase.SINGLE,
            outcome=Outcome.REPLAYED if result.replayed else _OUTCOME[result.status],
            replay_of=result.audit_id if result.replayed else None,
            denial_code=result.denial_code,
        )
        try:
            await self._audit.append([record])
        except StoreFailed as error:
            if errand.is_write:
                self._audit.owe(partial(self._audit.append, [record]))
            return structs.replace(
                core.failed(
                    errand.target,
                    DenialCode.TRANSPORT_FAILURE,
                    f"the target answered {result.status}, but that could not be recorded here:"
                    f" {error.reason}",
                ),
                remedy=error.remedy,
                audit_id=draft.audit_id if errand.is_write else None,
            )
        return structs.replace(result, audit_id=result.audit_id or draft.audit_id)

    def _request(self, errand: Errand) -> ActionRequest:
        decided = decided_as(errand.op, errand.payload)
        assert decided is not None  # noqa: S101 - every operation is decided as an action
        return ActionRequest(
            api_version=API_VERSION,
            request_id=errand.request_id,
            connected_via=self._own,
            target_runtimes=[errand.target],
            actor=errand.actor,
            action_type=decided.action_type,
            payload=decided.payload,
        )

    def _draft(self, errand: Errand, caller: Caller, code: DenialCode | None) -> AuditDraft:
        return AuditDraft(
            audit_id=self._audit.new_id(),
            phase=Phase.SINGLE,
            timestamp_ns=self._clock.wall_ns(),
            origin=self._own,
            target=errand.target,
            actor=errand.actor,
            identity=caller.identity,
            role=caller.role,
            action_type=errand.op if errand.is_write else ActionType.STATUS_READ,
            request_id=errand.request_id,
            decision=Verdict.ALLOWED if code is None else Verdict.DENIED,
            denial_code=code,
            payload_digest=digest(redacted_payload(errand.payload)),
        )


def _denied(errand: Errand, preflight: Preflight, draft: AuditDraft) -> TargetResult:
    return TargetResult(
        runtime_id=errand.target,
        status=ResultStatus.DENIED,
        ok=False,
        denial_code=preflight.denial_code,
        denial_reason=preflight.denial_reason,
        audit_id=draft.audit_id,
    )


def unanswered(ran: Ran) -> Unanswered:
    """Return why an errand brought no answer of its target's own."""
    result, decided = ran.result, ran.preflight
    code = result.denial_code or DenialCode.TRANSPORT_FAILURE
    by_target = result.status is ResultStatus.DENIED and code not in _NO_DECISION
    remedy = result.remedy if decided.allowed else remedy_of(decided)
    return Unanswered(
        denial=deny(
            code,
            result.denial_reason or "the target gave no reason",
            remedy,
            retry_after_ms=result.retry_after_ms,
        ),
        refused=not decided.allowed or by_target,
        preflight=decided,
        audit_id=result.audit_id,
    )


def not_understood(ran: Ran, error: ContractViolation) -> Unanswered:
    """Return that the answer of a target has a form unknown here."""
    result: TargetResult = ran.result
    return Unanswered(
        denial=deny(
            DenialCode.TRANSPORT_FAILURE,
            f"the answer of {result.runtime_id} cannot be understood: {error}",
            "compare the versions of both runtimes",
        ),
        refused=False,
        preflight=ran.preflight,
        audit_id=result.audit_id,
    )
