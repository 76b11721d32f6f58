"""One allowed action on its way to the execution core, and the replies it gives."""

from typing import Any

from msgspec import Struct, structs

from trust_runtime.contracts.actions import READS, ActionType, ConfigOp
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_S, MonotonicNs
from trust_runtime.core.ledger import request_digest
from trust_runtime.ports.clock import Clock


class Order(Struct, frozen=True, kw_only=True):
    """One allowed action, as the execution core takes it."""

    origin: RuntimeId
    """Authenticated origin; the own id for a local entrance."""

    caller: Caller
    """Identity and role in force."""

    actor: str
    """The claim."""

    action_type: ActionType
    """What kind; of an operation on the configuration the action it was decided as."""

    op: ConfigOp | None = None
    """The operation on the configuration, when it is one."""

    payload: Any
    """Checked against its action."""

    request_id: str
    """Key of idempotency."""

    audit_id: str
    """Chosen at the origin."""

    iat_s: int
    """Send time by the origin's clock, seconds since the epoch."""

    deadline_ns: MonotonicNs
    """After this instant no effect begins."""

    verb: str | None = None
    """The verb of a proxied read; None: `status` for a read, the payload's for a command."""

    @property
    def digest(self) -> str:
        """What makes two requests the same one."""
        return request_digest(self.op or self.action_type, self.payload)

    @property
    def recorded_as(self) -> str:
        """The `action_type` of its audit records (contract 10.1)."""
        return self.action_type if self.op is None or self.op in READS else self.op


def executed(order: Order, result: Any) -> TargetReply:
    """Return the reply of an executed order."""
    return TargetReply(
        status=ResultStatus.EXECUTED,
        audit_id=order.audit_id,
        response=ControlReply(
            id=1,
            ok=True,
            request_id=order.request_id,
            audit_id=order.audit_id,
            result=to_plain(result),
        ),
    )


def refusal(denial: Denial, *, audit_id: str | None = None) -> TargetReply:
    """Return the reply of a refused order."""
    return TargetReply(
        status=ResultStatus.DENIED,
        denial_code=denial.code,
        denial_reason=denial.reason,
        remedy=denial.remedy,
        retry_after_ms=denial.retry_after_ms,
        audit_id=audit_id,
    )


def too_late(order: Order) -> TargetReply:
    """Return the reply of an order whose effect could not begin before its deadline."""
    reply = refusal(out_of_time(), audit_id=order.audit_id)
    return structs.replace(reply, status=ResultStatus.TIMEOUT)


def out_of_time() -> Denial:
    """Return why nothing begins any more."""
    return deny(DenialCode.TIMEOUT, "the deadline passed before the effect could begin")


def now_s(clock: Clock) -> int:
    """Return whole seconds since the epoch."""
    return clock.wall_ns() // NS_PER_S
