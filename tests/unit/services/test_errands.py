"""`services.errands`: decision, records and answer of one operation elsewhere (6.5, 8.6, 10.1)."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from service_world import ACTOR, ADMIN, Node, Scene, virtual
from trust_runtime.contracts.actions import ConfigOp
from trust_runtime.contracts.audit import Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import ResultStatus
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.errands import Errand, Errands
from virtual_time import run_for_ms, wait_ms

TARGET = RuntimeId("press-2")
WRITE = Errand(
    target=TARGET,
    op=ConfigOp.WRITE,
    payload={"params": {"log.level": "warn"}},
    actor=ACTOR,
    request_id="r",
)
READ = structs.replace(WRITE, op=ConfigOp.READ, payload={})
VIEWER = Caller(identity="uid:1002", role=Role.VIEWER)


def errands(node: Node) -> Errands:
    return node.services.fleet_config._errands


def outcomes(node: Node) -> list[Any]:
    return node.records("phase", "outcome", "decision", "denial_code")


@virtual
async def test_the_decision_of_a_write_is_durable_before_it_leaves(scene: Scene) -> None:
    one, two = await scene.pair()
    at_sending: list[Any] = []

    async def noting(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        at_sending.extend(outcomes(one))
        return await one.line.pass_on(message, timeout_ms)

    one.line.ask = noting
    ran = await errands(one).run(WRITE, ADMIN)
    assert ran.preflight.allowed
    assert (ran.result.status, ran.result.runtime_id) == (ResultStatus.EXECUTED, TARGET)
    decision = (Phase.DECISION, None, Verdict.ALLOWED, None)
    assert at_sending == [decision]
    assert outcomes(one) == [
        decision,
        (Phase.OUTCOME, Outcome.EXECUTED, Verdict.ALLOWED, None),
    ]
    for record in one.records():
        assert (record.actor, record.identity, record.role) == (ACTOR, ADMIN.identity, ADMIN.role)
        assert (record.origin, record.target, record.request_id) == (one.id, TARGET, "r")
        assert record.payload_digest == digest(WRITE.payload)
    assert await one.services.audit.find(ran.result.audit_id or "")
    assert len(two.store.durable) == 2


@virtual
async def test_a_read_makes_one_record(scene: Scene) -> None:
    one, _ = await scene.pair()
    ran = await errands(one).run(READ, VIEWER)
    assert ran.result.ok
    assert one.records("phase", "outcome", "action_type", "audit_id") == [
        (Phase.SINGLE, Outcome.EXECUTED, "status_read", ran.result.audit_id)
    ]


@virtual
async def test_what_is_denied_is_recorded_and_not_sent(scene: Scene) -> None:
    one, _ = await scene.pair()
    ran = await errands(one).run(WRITE, VIEWER)
    code = DenialCode.ACL_DENIED_CFG_WRITE
    assert (ran.result.status, ran.result.denial_code) == (ResultStatus.DENIED, code)
    assert ran.result.denial_reason == ran.preflight.denial_reason
    assert outcomes(one) == [(Phase.SINGLE, Outcome.DENIED, Verdict.DENIED, code)]
    assert one.line.asked == []


@virtual
async def test_a_refusal_before_any_decision_is_recorded_under_the_id_returned(
    scene: Scene,
) -> None:
    one, _ = await scene.pair()
    audit_id = await errands(one).refuse(WRITE, ADMIN, deny(DenialCode.CONTRACT_VIOLATION, "no"))
    assert one.records("audit_id", "outcome", "denial_code", "action_type", "target") == [
        (audit_id, Outcome.DENIED, DenialCode.CONTRACT_VIOLATION, "config.write", TARGET)
    ]


@pytest.mark.parametrize("errand", [WRITE, READ])
@virtual
async def test_an_outcome_that_cannot_be_recorded_is_no_success(
    scene: Scene, errand: Errand
) -> None:
    one, two = await scene.pair()
    one.store.fail_write(2 if errand.is_write else 1)
    ran = await errands(one).run(errand, ADMIN)
    assert (ran.result.ok, ran.result.denial_code) == (False, DenialCode.TRANSPORT_FAILURE)
    assert ran.result.response is None
    assert "executed" in (ran.result.denial_reason or "")
    # Of a write the decision is there to be named; of a read nothing is.
    kept = {record.audit_id for record in one.store.durable}
    assert kept == ({ran.result.audit_id} if errand.is_write else set())
    assert (ran.result.audit_id is None) == (not errand.is_write)
    assert len(two.store.durable) == (2 if errand.is_write else 1)


@virtual
async def test_an_outcome_has_the_time_at_which_it_was_known(scene: Scene) -> None:
    one, _ = await scene.pair()

    async def slow(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        await wait_ms(500)
        return await one.line.pass_on(message, timeout_ms)

    one.line.ask = slow
    await errands(one).run(WRITE, ADMIN)
    [(decided_ns,), (known_ns,)] = one.records("timestamp_ns", request_id=WRITE.request_id)
    assert known_ns - decided_ns >= 500 * NS_PER_MS


@virtual
async def test_an_outcome_that_could_not_be_recorded_is_once_the_store_works(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.store.fail_write(2)
    await errands(one).run(WRITE, ADMIN)
    await run_for_ms(1_500, one.services.audit.watch())
    kept = one.records("phase", "outcome", request_id=WRITE.request_id)
    assert kept == [(Phase.DECISION, None), (Phase.OUTCOME, Outcome.EXECUTED)]


@virtual
async def test_a_decision_that_cannot_be_recorded_sends_nothing(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.store.fail_write(1)
    with pytest.raises(StoreFailed):
        await errands(one).run(WRITE, ADMIN)
    assert one.line.asked == []
    assert one.services.health.fault is not None
    # Known to be failed, it is denied; and the denial cannot be recorded either while it lasts.
    one.store.is_full = True
    with pytest.raises(StoreFailed):
        await errands(one).run(READ, ADMIN)
    assert one.line.asked == []


@virtual
async def test_what_was_sent_is_recorded_although_the_caller_hung_up(scene: Scene) -> None:
    one, two = await scene.pair()
    two.store.sync_ms = 100
    asking = scene.tasks.create_task(errands(one).run(WRITE, ADMIN))
    await wait_ms(50)
    asking.cancel()
    await asyncio.wait({asking})
    assert not await one.services.running.in_flight.wait_idle(0)
    await wait_ms(2_000)
    assert [outcome for _, outcome, _, _ in outcomes(one)] == [None, Outcome.EXECUTED]
    assert await one.services.running.in_flight.wait_idle(0)


@pytest.mark.parametrize(
    ("silence", "outcome"),
    [
        (Silence.TIMEOUT, Outcome.TIMEOUT),
        (Silence.NOBODY, Outcome.FAILED),
        (Silence.OVERLOADED, Outcome.DENIED),
    ],
)
@virtual
async def test_silence_is_recorded_as_what_it_is(
    scene: Scene, silence: Silence, outcome: Outcome
) -> None:
    one, _ = await scene.pair()

    async def silent(_message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        return silence

    one.line.ask = silent
    ran = await errands(one).run(WRITE, ADMIN)
    assert not ran.result.ok
    assert one.records()[-1].outcome is outcome
    assert one.records()[-1].denial_code is ran.result.denial_code
    assert ran.result.audit_id == one.records()[-1].audit_id
