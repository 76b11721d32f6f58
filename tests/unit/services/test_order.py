"""`services.order`: what makes two orders one, and the replies they give (contract 8.7, 10.1)."""

import pytest
from msgspec import structs

from fakes.clock import WALL_START_NS, FakeClock
from trust_runtime.contracts.actions import ActionType, ConfigOp
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import ControlReply, ResultStatus
from trust_runtime.contracts.units import MonotonicNs
from trust_runtime.services.order import Order, executed, now_s, out_of_time, refusal, too_late

ORDER = Order(
    origin=RuntimeId("press-1"),
    caller=Caller(identity="local://admin", role=Role.ADMIN),
    actor="local://engineer",
    action_type=ActionType.CFG_APPLY,
    payload={"params": {"log.level": "debug"}},
    request_id="r-1",
    audit_id="audit-1",
    iat_s=1,
    deadline_ns=MonotonicNs(2),
)


def test_what_and_with_what_make_two_orders_the_same() -> None:
    again = structs.replace(ORDER, actor="another", audit_id="audit-2", iat_s=9)
    assert again.digest == ORDER.digest
    for other in (
        structs.replace(ORDER, payload={"params": {"log.level": "warn"}}),
        structs.replace(ORDER, action_type=ActionType.CMD_INVOKE),
        structs.replace(ORDER, op=ConfigOp.WRITE),
    ):
        assert other.digest != ORDER.digest


@pytest.mark.parametrize(
    ("op", "recorded"),
    [
        (None, "cfg_apply"),
        (ConfigOp.WRITE, "config.write"),
        (ConfigOp.IO_WRITE, "io.write"),
        (ConfigOp.IO_READ, "cfg_apply"),
    ],
)
def test_a_write_is_recorded_by_its_operation(op: ConfigOp | None, recorded: str) -> None:
    assert structs.replace(ORDER, op=op).recorded_as == recorded


def test_a_result_travels_in_the_control_reply() -> None:
    reply = executed(ORDER, (1, 2))
    assert (reply.status, reply.audit_id) == (ResultStatus.EXECUTED, "audit-1")
    assert reply.response == ControlReply(
        id=1, ok=True, request_id="r-1", audit_id="audit-1", result=(1, 2)
    )


def test_a_refusal_is_told_whole() -> None:
    denial = deny(DenialCode.CONFLICT, "why", "what to do", retry_after_ms=7)
    reply = refusal(denial, audit_id="audit-3")
    assert (reply.status, reply.denial_code, reply.denial_reason) == (
        *(ResultStatus.DENIED, DenialCode.CONFLICT),
        "why",
    )
    assert (reply.remedy, reply.retry_after_ms, reply.audit_id) == ("what to do", 7, "audit-3")


def test_time_is_whole_seconds() -> None:
    clock = FakeClock()
    clock.advance_ms(1_999)
    assert now_s(clock) == WALL_START_NS // 10**9 + 1


def test_an_order_that_is_too_late_is_a_timeout_of_that_order() -> None:
    reply = too_late(ORDER)
    assert (reply.status, reply.denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)
    assert reply.denial_reason == out_of_time().reason
    assert reply.audit_id == ORDER.audit_id
