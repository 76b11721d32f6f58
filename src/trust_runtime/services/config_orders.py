"""Operations on this runtime's configuration, whoever asks: read, history, write, rollback (11)."""

from typing import Any, assert_never

from msgspec import structs

from trust_runtime.contracts.actions import ConfigOp
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigView,
    HistoryParams,
    RollbackParams,
    WriteParams,
)
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.core.config.change import Change, Refusal
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.config_past import ConfigPast
from trust_runtime.services.execution import Execution
from trust_runtime.services.io_orders import IoOrders
from trust_runtime.services.order import Order


class ConfigOrders:
    """Executes operations that a decision allowed; the agent itself refuses what it must."""

    def __init__(
        self, *, config: ConfigAgent, past: ConfigPast, io: IoOrders, execution: Execution
    ) -> None:
        self._config = config
        self._past = past
        self._io = io
        self._execution = execution

    async def view(self) -> ConfigView:
        """Return what `GET config` shows; changes nothing."""
        return await self._config.view()

    async def history(self, wanted: HistoryParams) -> ConfigHistory:
        """Return what `GET config/history` shows.

        Raises:
            StoreFailed: it cannot be read.
        """
        return await self._past.history(wanted)

    async def execute(self, order: Order) -> TargetReply:
        """Execute what another runtime asked for; its reply says what the endpoint here would."""
        return await self._execution.guard(self._execute(order))

    async def write(self, order: Order, asked: WriteParams, *, remember: bool) -> ConfigAnswer:
        """Store a patch, or return why not; recorded either way.

        Raises:
            StoreFailed: nothing was kept.
        """
        change = structs.replace(
            _change(order, expected_revision=asked.expected_revision),
            patch=asked.params,
            expected_etag=asked.expected_etag,
            if_match=asked.if_match,
        )
        return await self._make(order, change, remember=remember)

    async def roll_back(
        self, order: Order, asked: RollbackParams, *, remember: bool
    ) -> ConfigAnswer:
        """Store a new revision whose document is that of an older one, or return why not.

        Raises:
            StoreFailed: nothing was kept.
        """
        newest = self._config.present.revision
        found = await self._past.revision(asked.revision, newest=newest)
        if found is None:
            # What was rolled back to may have left the history since: the answer is remembered.
            before = await self._execution.recall(order) if remember else None
            if before is not None:
                return self._answer(before)
            denial = deny(
                DenialCode.CONTRACT_VIOLATION,
                f"revision {asked.revision} is not known; the newest is {newest}",
                "name a revision of GET config/history",
            )
            return await self.refuse(order, Refusal(denial=denial))
        change = _change(order, expected_revision=asked.expected_revision)
        return await self._make(order, structs.replace(change, restore=found), remember=remember)

    async def refuse(self, order: Order, refusal: Refusal) -> ConfigAnswer:
        """Record a refusal and return it with the documents as they are.

        Raises:
            StoreFailed: the record is not durable.
        """
        reply = await self._execution.refuse(order, refusal.denial)
        answer = self._answer(reply)
        return structs.replace(
            answer, denial=refusal.denial, if_match_failed=refusal.if_match_failed
        )

    async def _execute(self, order: Order) -> TargetReply:
        assert order.op is not None  # noqa: S101 - whoever serves the key has seen to it
        try:
            match order.op:
                case ConfigOp.READ:
                    return await self._execution.answer_read(order, await self.view())
                case ConfigOp.HISTORY:
                    shown = await self.history(convert(order.payload, HistoryParams))
                    return await self._execution.answer_read(order, shown)
                case ConfigOp.WRITE:
                    write = convert(order.payload, WriteParams)
                    return _reply(order, await self.write(order, write, remember=True))
                case ConfigOp.ROLLBACK:
                    rollback = convert(order.payload, RollbackParams)
                    return _reply(order, await self.roll_back(order, rollback, remember=True))
                case ConfigOp.IO_READ | ConfigOp.IO_WRITE:
                    return await self._io.execute(order)
                case _:
                    assert_never(order.op)
        except ContractViolation as error:
            denial = deny(DenialCode.CONTRACT_VIOLATION, str(error))
            return await self._execution.refuse(order, denial)

    async def _make(self, order: Order, change: Change, *, remember: bool) -> ConfigAnswer:
        written = await self._execution.write_config(order, change, remember=remember)
        if isinstance(written, TargetReply):
            return self._answer(written)
        explained = await self._past.explain(written, change, self._config.present)
        return await self.refuse(order, explained)

    def _answer(self, reply: TargetReply) -> ConfigAnswer:
        desired, reported = self._config.documents()
        denial = None
        if reply.status is not ResultStatus.EXECUTED and reply.denial_code is not None:
            denial = deny(
                reply.denial_code,
                reply.denial_reason or "",
                reply.remedy,
                retry_after_ms=reply.retry_after_ms,
            )
        result = None if reply.response is None else reply.response.result
        return ConfigAnswer(
            denial=denial,
            changed=isinstance(result, dict) and bool(result.get("changed")),
            audit_id=reply.audit_id,
            replayed=reply.replayed,
            desired=desired,
            reported=reported,
            meta=self._config.meta(),
            status=self._config.status(),
        )


def _change(order: Order, *, expected_revision: int | None) -> Change:
    return Change(
        patch={},
        role=order.caller.role,
        actor=order.actor,
        identity=order.caller.identity,
        audit_id=order.audit_id,
        request_id=order.request_id,
        expected_revision=expected_revision,
    )


def _reply(order: Order, answer: ConfigAnswer) -> TargetReply:
    """Return an answer as it travels: whole, in the control reply, whatever became of it."""
    denial: Denial | None = answer.denial
    result: Any = to_plain(answer)
    response = ControlReply(
        id=1,
        ok=denial is None,
        request_id=order.request_id,
        audit_id=answer.audit_id,
        result=result,
        error=None if denial is None else denial.reason,
        denial_code=None if denial is None else denial.code,
        remedy=None if denial is None else denial.remedy,
    )
    return TargetReply(
        status=ResultStatus.EXECUTED if denial is None else ResultStatus.DENIED,
        denial_code=response.denial_code,
        denial_reason=response.error,
        remedy=response.remedy,
        retry_after_ms=None if denial is None else denial.retry_after_ms,
        response=response,
        replayed=answer.replayed,
        audit_id=answer.audit_id,
    )
