"""The one execution core for every entrance: ledger, effect, records (contract 8.7, 10.1).

Whoever calls has decided that the action is allowed. A write's decision and its ledger entry are
durable before the effect, its outcome and result after it; a configuration write is one commit
altogether. A read makes one record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, assert_never

from msgspec import structs

from trust_runtime.contracts.actions import ActionType
from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation, StoreBusy, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState, LedgerVerdict
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.config.change import Change, Prepared, Refusal
from trust_runtime.core.policy.payload import params_of, patch_of, redacted_payload, verb_of
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.ports.store import LedgerStore
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.order import Order, executed, out_of_time, refusal, too_late
from trust_runtime.services.store_health import StoreHealth

_ANSWER_RESERVE_MS: Final = 500
_RETRY_AFTER_MS: Final = 1_000

_OUTCOME: Final = {
    ResultStatus.EXECUTED: Outcome.EXECUTED,
    ResultStatus.TIMEOUT: Outcome.TIMEOUT,
}

VerbRunner = Callable[[dict[str, Any]], Awaitable[Any]]
"""Runs one verb with its parameters and returns its result."""


class Execution:
    """Executes orders at their target."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        ledger: LedgerStore,
        audit: Audit,
        config: ConfigAgent,
        health: StoreHealth,
        verbs: dict[str, VerbRunner],
        clock: Clock,
        log: Log,
    ) -> None:
        self._own = own
        self._ledger = ledger
        self._audit = audit
        self._config = config
        self._health = health
        self._verbs = verbs
        self._clock = clock
        self._log = log

    async def execute(self, order: Order) -> TargetReply:
        """Execute one order and return its result; every record of it is durable then.

        A failing store gives `failed`, `transport_failure`, without audit id; one that has too
        many reads waiting `overloaded`.
        """
        match order.action_type:
            case ActionType.STATUS_READ:
                return await self.guard(self._read(order))
            case ActionType.CFG_APPLY:
                return await self.guard(self._configure(order))
            case ActionType.CMD_INVOKE:
                return await self.guard(self._command(order))
            case _:
                assert_never(order.action_type)

    async def guard(self, work: Awaitable[TargetReply]) -> TargetReply:
        """Return what `work` gives; a failing store gives `failed`, without audit id."""
        try:
            return await work
        except StoreFailed as error:
            self._health.failed(error)
            busy = isinstance(error, StoreBusy)
            return TargetReply(
                status=ResultStatus.FAILED,
                denial_code=DenialCode.OVERLOADED if busy else DenialCode.TRANSPORT_FAILURE,
                denial_reason=error.reason,
                remedy=error.remedy,
            )

    async def refuse(self, order: Order, denial: Denial) -> TargetReply:
        """Record a denied order and return its refusal.

        Raises:
            StoreFailed: the record is not durable.
        """
        draft = self._draft(order, Phase.SINGLE, Outcome.DENIED, denial=denial)
        try:
            await self._audit.append([draft])
        except ContractViolation:
            # The origin used this audit id before: recorded under an id of our own.
            draft = structs.replace(draft, audit_id=self._audit.new_id())
            await self._audit.append([draft])
        return refusal(denial, audit_id=draft.audit_id)

    async def prune(self, *, kept_ns: int, entries_max: int) -> int:
        """Let the ledger forget old entries; return how many went.

        Raises:
            StoreFailed: nothing was forgotten.
        """
        return await self._ledger.prune(
            created_before_ns=self._clock.wall_ns() - kept_ns, entries_max=entries_max
        )

    async def answer_read(self, order: Order, result: Any) -> TargetReply:
        """Record a read and return its reply.

        Raises:
            StoreFailed: the record is not durable.
        """
        try:
            await self._audit.append([self._draft(order, Phase.SINGLE, Outcome.EXECUTED)])
        except ContractViolation as error:
            return await self.refuse(order, deny(DenialCode.CONFLICT, str(error)))
        return executed(order, result)

    async def _read(self, order: Order) -> TargetReply:
        params = {} if order.verb is None else params_of(order.payload)
        reply = await self._run_verb(order, order.verb or "status", params)
        if reply.status is ResultStatus.EXECUTED and reply.response is not None:
            return await self.answer_read(order, reply.response.result)
        draft = self._draft(order, Phase.SINGLE, Outcome.FAILED)
        await self._append_or_rename(structs.replace(draft, denial_code=reply.denial_code))
        return reply

    async def _command(self, order: Order) -> TargetReply:
        verb = verb_of(order.payload)
        assert verb is not None  # noqa: S101 - the decision checked the payload
        return await self.perform(
            order, lambda: self._run_verb(order, verb.name, params_of(order.payload))
        )

    async def perform(
        self, order: Order, effect: Callable[[], Awaitable[TargetReply]]
    ) -> TargetReply:
        """Have an effect once for its request id: decided durably before, concluded after it.

        An effect that waits before it begins looks at the deadline itself (`order.too_late`).

        Raises:
            StoreFailed: the effect did not begin, or its outcome could not be kept.
        """
        entry = self._entry(order, LedgerState.RUNNING)
        try:
            verdict, known = await self._ledger.begin(
                entry, self._draft(order, Phase.DECISION, None)
            )
        except ContractViolation as error:
            return await self.refuse(order, deny(DenialCode.CONFLICT, str(error)))
        if verdict is not LedgerVerdict.FIRST:
            return await self._repeated(order, verdict, known)
        if self._clock.monotonic_ns() >= order.deadline_ns:
            return await self._finish(order, too_late(order), Outcome.TIMEOUT)
        try:
            reply = await effect()
        except Exception as error:  # noqa: BLE001 - decided is decided: this is its outcome, and logged
            reply = self._ended_unforeseen(order, error)
        return await self._finish(order, reply, _OUTCOME.get(reply.status, Outcome.FAILED))

    def _ended_unforeseen(self, order: Order, error: Exception) -> TargetReply:
        what = order.recorded_as
        self._log.error("effect_failed", f"{what}: {error!r}", request_id=order.request_id)
        return TargetReply(
            status=ResultStatus.FAILED,
            denial_code=DenialCode.TRANSPORT_FAILURE,
            denial_reason=f"{what} failed, and may have had a part of its effect",
            remedy=f"see the log of {self._own}, then read its state",
            audit_id=order.audit_id,
        )

    async def _run_verb(self, order: Order, verb: str, params: dict[str, Any]) -> TargetReply:
        try:
            return executed(order, await self._verbs[verb](params))
        except Exception as error:  # noqa: BLE001 - whatever a verb raises is its outcome, and logged
            self._log.error("verb_failed", f"{verb}: {error!r}", request_id=order.request_id)
            reason = f"{verb} failed; see the log of {self._own}"
            return TargetReply(
                status=ResultStatus.FAILED,
                denial_code=DenialCode.TRANSPORT_FAILURE,
                denial_reason=reason,
                response=ControlReply(
                    id=1,
                    ok=False,
                    request_id=order.request_id,
                    audit_id=order.audit_id,
                    error=reason,
                    denial_code=DenialCode.TRANSPORT_FAILURE,
                ),
                audit_id=order.audit_id,
            )

    async def _configure(self, order: Order) -> TargetReply:
        patch = patch_of(order.payload)
        assert isinstance(patch, dict)  # noqa: S101 - the decision checked the payload
        nested = order.payload if "params" in order.payload else {}
        change = Change(
            patch=patch,
            actor=order.actor,
            identity=order.caller.identity,
            audit_id=order.audit_id,
            request_id=order.request_id,
            expected_revision=nested.get("expected_revision"),
            expected_etag=nested.get("expected_etag"),
        )
        written = await self.write_config(order, change)
        return (
            written
            if isinstance(written, TargetReply)
            else await self.refuse(order, written.denial)
        )

    async def recall(self, order: Order) -> TargetReply | None:
        """Return the answer to a write whose request id was used before, or None; recorded.

        Raises:
            StoreFailed: the ledger cannot be read, or the record is not durable.
        """
        key = LedgerKey(origin=order.origin, request_id=order.request_id)
        known = await self._ledger.find(key)
        if known is None:
            return None
        same = known.digest == order.digest
        verdict = LedgerVerdict.REPLAY if same else LedgerVerdict.CONFLICT
        return await self._repeated(order, verdict, known)

    async def write_config(
        self, order: Order, change: Change, *, remember: bool = True
    ) -> TargetReply | Refusal:
        """Write configuration once for its request id; a Refusal stored and recorded nothing.

        Raises:
            StoreFailed: nothing was kept.
        """
        async with self._config.lock:
            before = await self.recall(order) if remember else None
            if before is not None:
                return before
            prepared = self._config.prepare(change)
            if isinstance(prepared, Refusal):
                return prepared
            if self._clock.monotonic_ns() >= order.deadline_ns:
                return Refusal(denial=out_of_time())
            reply = executed(order, self._config_result(prepared))
            entry = structs.replace(self._entry(order, LedgerState.DONE), reply=reply)
            drafts = [
                self._draft(order, Phase.DECISION, None),
                self._draft(order, Phase.OUTCOME, Outcome.EXECUTED),
            ]
            try:
                await self._config.commit(
                    prepared, drafts=drafts, entry=entry if remember else None
                )
            except ContractViolation as error:
                return Refusal(denial=deny(DenialCode.CONFLICT, str(error)))
        left_ms = (order.deadline_ns - self._clock.monotonic_ns()) // NS_PER_MS
        await self._config.wait_applied(left_ms - _ANSWER_RESERVE_MS)
        return executed(order, self._config_result(prepared))

    def _config_result(self, prepared: Prepared) -> dict[str, Any]:
        status, meta = self._config.status(), self._config.meta()
        revision = prepared.revision
        return {
            "updated": sorted(prepared.patch),
            "restart_required": [
                key for key in prepared.changed if key in (status.restart_required or ())
            ],
            "changed": revision is not None,
            "desired_revision": meta.desired_revision if revision is None else revision.revision,
            "desired_etag": meta.desired_etag,
            "state": status.state,
        }

    async def _repeated(
        self, order: Order, verdict: LedgerVerdict, known: LedgerEntry | None
    ) -> TargetReply:
        """Answer a request id that was seen before; nothing is executed."""
        if verdict is LedgerVerdict.REPLAY and known is not None and known.reply is not None:
            draft = structs.replace(
                self._draft(order, Phase.SINGLE, Outcome.REPLAYED), replay_of=known.audit_id
            )
            await self._append_or_rename(draft)
            return structs.replace(known.reply, replayed=True, audit_id=known.audit_id)
        if verdict in (LedgerVerdict.RUNNING, LedgerVerdict.REPLAY):
            denial = deny(
                DenialCode.CONFLICT,
                f"request {order.request_id} is still running; ask again in {_RETRY_AFTER_MS} ms",
                retry_after_ms=_RETRY_AFTER_MS,
            )
        elif verdict is LedgerVerdict.TOO_OLD:
            denial = deny(
                DenialCode.TIMEOUT,
                "the request is older than what the ledger remembers",
                "send it anew, under a new request_id",
            )
        else:
            denial = deny(
                DenialCode.CONFLICT,
                f"request_id {order.request_id} was used for another request",
                "send a new request_id",
            )
        return await self.refuse(order, denial)

    async def _append_or_rename(self, draft: AuditDraft) -> None:
        try:
            await self._audit.append([draft])
        except ContractViolation:
            await self._audit.append([structs.replace(draft, audit_id=self._audit.new_id())])

    async def _finish(self, order: Order, reply: TargetReply, outcome: Outcome) -> TargetReply:
        key = LedgerKey(origin=order.origin, request_id=order.request_id)
        draft = structs.replace(
            self._draft(order, Phase.OUTCOME, outcome), denial_code=reply.denial_code
        )
        keep = partial(self._keep, key, reply, draft)
        try:
            # The effect has happened: its outcome is written whoever stops waiting for it.
            await asyncio.shield(keep())
        except StoreFailed:
            # Or the request would be running for ever.
            self._audit.owe(keep)
            raise
        return reply

    async def _keep(self, key: LedgerKey, reply: TargetReply, outcome: AuditDraft) -> None:
        self._audit.tell(await self._ledger.finish(key, reply, outcome))

    def _entry(self, order: Order, state: LedgerState) -> LedgerEntry:
        return LedgerEntry(
            key=LedgerKey(origin=order.origin, request_id=order.request_id),
            digest=order.digest,
            audit_id=order.audit_id,
            state=state,
            created_at_ns=self._clock.wall_ns(),
            iat_s=order.iat_s,
        )

    def _draft(
        self,
        order: Order,
        phase: Phase,
        outcome: Outcome | None,
        *,
        denial: Denial | None = None,
    ) -> AuditDraft:
        named = verb_of(order.payload) if order.action_type is ActionType.CMD_INVOKE else None
        return AuditDraft(
            audit_id=order.audit_id,
            phase=phase,
            timestamp_ns=self._clock.wall_ns(),
            origin=order.origin,
            target=self._own,
            actor=order.actor,
            identity=order.caller.identity,
            role=order.caller.role,
            action_type=order.recorded_as,
            verb=order.verb or (None if named is None else named.name),
            request_id=order.request_id,
            decision=Verdict.ALLOWED if denial is None else Verdict.DENIED,
            denial_code=None if denial is None else denial.code,
            outcome=outcome,
            payload_digest=digest(redacted_payload(order.payload)),
        )
