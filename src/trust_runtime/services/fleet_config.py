"""The configuration of any runtime of the fleet: here, or through the agent of another (6.5)."""

from typing import Any, TypeVar

from trust_runtime.contracts.actions import ConfigOp
from trust_runtime.contracts.answers import ConfigAnswer, Shown, Unanswered
from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
    HistoryParams,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import ResultStatus
from trust_runtime.core.policy.config_request import keys_denial, request_denial, scope_denial
from trust_runtime.ports.entropy import Entropy
from trust_runtime.services.desired_writes import DesiredWrites, rollback_params, write_params
from trust_runtime.services.errands import Errand, Errands, not_understood, unanswered

T = TypeVar("T")


class FleetConfig:
    """Answers for the connected runtime and, by name, for every other one."""

    def __init__(
        self, *, own: RuntimeId, here: DesiredWrites, errands: Errands, entropy: Entropy
    ) -> None:
        self._own = own
        self._here = here
        self._errands = errands
        self._entropy = entropy

    async def view(self, target: RuntimeId, caller: Caller) -> Shown[ConfigView] | Unanswered:
        """Return what `GET config` shows of a runtime, or why it gave no answer.

        Raises:
            StoreFailed: the decision cannot be recorded.
        """
        if target == self._own:
            return Shown(content=await self._here.view())
        return await self._read(self._question(target, ConfigOp.READ, caller), caller, ConfigView)

    async def history(
        self, target: RuntimeId, wanted: HistoryParams, caller: Caller
    ) -> Shown[ConfigHistory] | Unanswered:
        """Return the revisions of a runtime, newest first, or why it gave no answer.

        Raises:
            StoreFailed: they cannot be read, or the decision cannot be recorded.
        """
        if target == self._own:
            return Shown(content=await self._here.history(wanted))
        errand = self._question(target, ConfigOp.HISTORY, caller, payload=to_plain(wanted))
        return await self._read(errand, caller, ConfigHistory)

    async def write_desired(
        self, target: RuntimeId, write: DesiredWrite, caller: Caller, *, if_match: str | None
    ) -> ConfigAnswer | Unanswered:
        """Have a patch stored by a runtime's agent; return its answer, or why there is none.

        Raises:
            StoreFailed: nothing was kept, or sent.
        """
        if target == self._own:
            return await self._here.write_desired(write, caller, if_match=if_match)
        payload = to_plain(write_params(write, if_match))
        errand = self._order(target, ConfigOp.WRITE, write, payload=payload)
        return await self._write(errand, write, caller)

    async def roll_back(
        self, target: RuntimeId, rollback: ConfigRollback, caller: Caller
    ) -> ConfigAnswer | Unanswered:
        """Have an older document stored anew by a runtime's agent; return its answer, or why not.

        Raises:
            StoreFailed: nothing was kept, or sent.
        """
        if target == self._own:
            return await self._here.roll_back(rollback, caller)
        payload = to_plain(rollback_params(rollback))
        errand = self._order(target, ConfigOp.ROLLBACK, rollback, payload=payload)
        return await self._write(errand, rollback, caller)

    async def _read(self, errand: Errand, caller: Caller, kind: type[T]) -> Shown[T] | Unanswered:
        ran = await self._errands.run(errand, caller)
        result = ran.result
        if result.status is not ResultStatus.EXECUTED or result.response is None:
            return unanswered(ran)
        try:
            content = convert(result.response.result, kind, known_only=False)
        except ContractViolation as error:
            return not_understood(ran, error)
        return Shown(content=content, audit_id=result.audit_id)

    async def _write(
        self, errand: Errand, asked: DesiredWrite | ConfigRollback, caller: Caller
    ) -> ConfigAnswer | Unanswered:
        patch = asked.desired if isinstance(asked, DesiredWrite) else {}
        # The form first, with statuses of its own; everything else is the decision's (6.5).
        denial = (
            request_denial(asked.api_version, asked.actor, asked.request_id)
            or scope_denial(asked.actor, caller)
            or keys_denial(patch)
        )
        if denial is not None:
            audit_id = await self._errands.refuse(errand, caller, denial)
            return ConfigAnswer(denial=denial, audit_id=audit_id)
        ran = await self._errands.run(errand, caller)
        result = ran.result
        said = result.status in (ResultStatus.EXECUTED, ResultStatus.DENIED)
        if not said or result.response is None:
            return unanswered(ran)
        try:
            return convert(result.response.result, ConfigAnswer, known_only=False)
        except ContractViolation as error:
            return not_understood(ran, error)

    def _order(
        self,
        target: RuntimeId,
        op: ConfigOp,
        asked: DesiredWrite | ConfigRollback,
        *,
        payload: Any,
    ) -> Errand:
        request_id = asked.request_id
        return Errand(
            target=target,
            op=op,
            payload=payload,
            actor=asked.actor,
            # The target remembers every write it is sent: a sending may have to be repeated.
            request_id=self._new_request_id() if request_id is None else request_id,
        )

    def _question(
        self, target: RuntimeId, op: ConfigOp, caller: Caller, *, payload: Any = None
    ) -> Errand:
        return Errand(
            target=target,
            op=op,
            payload={} if payload is None else payload,
            actor=caller.identity,
            request_id=self._new_request_id(),
        )

    def _new_request_id(self) -> str:
        return f"config-{self._entropy.uuid7()}"
