"""The I/O configuration of any runtime of the fleet: here, or through another's agent (6.15)."""

from msgspec import structs

from trust_runtime.contracts.actions import ConfigOp
from trust_runtime.contracts.answers import Shown, Unanswered
from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import IoAnswer, IoParams, IoView, IoWrite
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import ResultStatus
from trust_runtime.core.policy.config_request import request_denial
from trust_runtime.ports.entropy import Entropy
from trust_runtime.services.errands import Errand, Errands, not_understood, unanswered
from trust_runtime.services.io_orders import IoOrders


class FleetIo:
    """Answers for the connected runtime and, by name, for every other one."""

    def __init__(
        self, *, own: RuntimeId, here: IoOrders, errands: Errands, entropy: Entropy
    ) -> None:
        self._own = own
        self._here = here
        self._errands = errands
        self._entropy = entropy

    async def view(self, target: RuntimeId, caller: Caller) -> Shown[IoView] | Unanswered:
        """Return what `GET io/config` shows of a runtime, or why it gave no answer.

        Raises:
            StoreFailed: the decision cannot be recorded, or the file here is unreadable.
        """
        if target == self._own:
            shown = await self._here.view()
            if isinstance(shown, Denial):
                raise StoreFailed(shown.reason, shown.remedy)
            return Shown(content=shown)
        errand = Errand(
            target=target,
            op=ConfigOp.IO_READ,
            payload={},
            actor=caller.identity,
            request_id=self._new_request_id(),
        )
        ran = await self._errands.run(errand, caller)
        result = ran.result
        if result.status is not ResultStatus.EXECUTED or result.response is None:
            return unanswered(ran)
        try:
            content = convert(result.response.result, IoView, known_only=False)
        except ContractViolation as error:
            return not_understood(ran, error)
        return Shown(content=content, audit_id=result.audit_id)

    async def write(
        self, target: RuntimeId, write: IoWrite, caller: Caller
    ) -> IoAnswer | Unanswered:
        """Have a configuration written; return what became of it, or why there is no answer.

        Raises:
            StoreFailed: nothing was written, or sent.
        """
        errand = Errand(
            target=target,
            op=ConfigOp.IO_WRITE,
            payload=to_plain(_params(write)),
            actor=write.actor,
            # The target remembers every write it is sent: a sending may have to be repeated.
            request_id=write.request_id or self._new_request_id(),
        )
        denial = request_denial(write.api_version, write.actor, write.request_id)
        if denial is not None:
            return await self._malformed(errand, caller, denial)
        ran = await self._errands.run(errand, caller)
        result = ran.result
        if result.response is None:
            return unanswered(ran)
        try:
            answer = convert(result.response.result, IoAnswer, known_only=False)
        except ContractViolation as error:
            return not_understood(ran, error)
        return structs.replace(answer, audit_id=result.audit_id, replayed=result.replayed)

    async def _malformed(self, errand: Errand, caller: Caller, denial: Denial) -> IoAnswer:
        audit_id = await self._errands.refuse(errand, caller, denial)
        return IoAnswer(denial=denial, audit_id=audit_id)

    def _new_request_id(self) -> str:
        return f"io-{self._entropy.uuid7()}"


def _params(write: IoWrite) -> IoParams:
    return IoParams(
        driver=write.driver,
        params=write.params,
        drivers=write.drivers,
        safe_state=write.safe_state,
        use_system_io=bool(write.use_system_io),
        expected_etag=write.expected_etag,
    )
