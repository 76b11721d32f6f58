"""`services.execution`: the one execution core (contract 8.7, 10.1, invariants 7 to 10)."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from fakes.disk import State
from service_world import ACTOR, SECRET, Node, Scene, virtual
from signed_fleet import NOW_S
from trust_runtime.contracts.actions import ActionType, ConfigOp
from trust_runtime.contracts.audit import Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.errors import StoreBusy, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.core.config.change import Change, Refusal
from trust_runtime.services.execution import Execution
from trust_runtime.services.order import Order
from virtual_time import run_for_ms, wait_ms

ORIGIN = RuntimeId("press-2")
BUDGET_MS = 1_500
SHUTDOWN = {"command": "shutdown", "params": {"confirm": True}}
WARN = {"params": {"log.level": "warn"}}
PHASES = ("phase", "outcome", "denial_code")
RAN = [(Phase.DECISION, None, None), (Phase.OUTCOME, Outcome.EXECUTED, None)]


class Doer:
    """The execution core of one runtime, with a verb whose effect the test sees."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.effects: list[State] = []
        """What was durable at the moment of each effect."""
        self.gate: asyncio.Event | None = None
        self.failure: Exception | None = None
        self.reads = 0
        services = node.services
        self.execution = Execution(
            own=node.id,
            ledger=node.store.ledger,
            audit=services.audit,
            config=services.config,
            health=services.health,
            verbs={"status": self._status, "shutdown": self._shut_down},
            clock=node.clock,
            log=node.log,
        )

    async def _status(self, _params: dict[str, Any]) -> Any:
        self.reads += 1
        return {"reads": self.reads}

    async def _shut_down(self, params: dict[str, Any]) -> Any:
        self.effects.append(self.node.store.disk.synced.copy())
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {"params": params, "effect": len(self.effects)}

    def order(self, number: int = 1, **changes: Any) -> Order:
        """Return an order to shut down, of a request of its own."""
        made = Order(
            origin=ORIGIN,
            caller=Caller(identity="spiffe://trust/default-site/press-2", role=Role.ADMIN),
            actor=ACTOR,
            action_type=ActionType.CMD_INVOKE,
            payload=SHUTDOWN,
            request_id=f"request-{number}",
            audit_id=f"audit-{number}",
            iat_s=NOW_S,
            deadline_ns=MonotonicNs(self.node.clock.monotonic_ns() + BUDGET_MS * NS_PER_MS),
        )
        return structs.replace(made, **changes)

    def write(self, number: int = 1, payload: Any = None, **changes: Any) -> Order:
        """Return an order to write configuration."""
        made = self.order(number, action_type=ActionType.CFG_APPLY, payload=payload or WARN)
        return structs.replace(made, **changes)

    async def run(self, order: Order) -> TargetReply:
        return await self.execution.execute(order)

    def entry(self, number: int = 1) -> LedgerEntry | None:
        """Return what is durably remembered of a request of `ORIGIN`."""
        key = LedgerKey(origin=ORIGIN, request_id=f"request-{number}")
        return self.node.store.disk.synced.entries.get(key)

    def phases(self) -> list[Any]:
        return self.node.records(*PHASES)


async def doer(scene: Scene) -> Doer:
    return Doer(await scene.node())


def refused(reply: TargetReply, code: DenialCode) -> bool:
    """Tell whether it is a refusal of that code that names a reason and a remedy."""
    return (
        reply.status is ResultStatus.DENIED
        and reply.denial_code is code
        and bool(reply.denial_reason)
        and bool(reply.remedy)
        and reply.response is None
    )


@virtual
async def test_the_decision_is_on_disk_before_the_effect_and_the_outcome_after_it(
    scene: Scene,
) -> None:
    does = await doer(scene)
    does.node.store.sync_ms = 20
    reply = await does.run(does.order())
    at_effect = does.effects[0]
    assert [(r.phase, r.audit_id, r.decision) for r in at_effect.records] == [
        (Phase.DECISION, "audit-1", Verdict.ALLOWED)
    ]
    assert [entry.state for entry in at_effect.entries.values()] == [LedgerState.RUNNING]
    assert does.phases() == RAN
    entry = does.entry()
    assert entry is not None
    assert (entry.state, entry.reply) == (LedgerState.DONE, reply)
    assert reply.status is ResultStatus.EXECUTED
    assert reply.audit_id == "audit-1"
    assert reply.response is not None
    assert reply.response.result == {"params": {"confirm": True}, "effect": 1}
    assert (reply.response.request_id, reply.response.audit_id) == ("request-1", "audit-1")


@virtual
async def test_nobody_is_answered_before_the_outcome_is_on_disk(scene: Scene) -> None:
    does = await doer(scene)
    does.node.store.sync_ms = 20
    running = scene.tasks.create_task(does.run(does.order()))
    await wait_ms(39)
    assert len(does.effects) == 1
    assert not running.done()
    await wait_ms(2)
    assert running.done()


@virtual
async def test_the_records_say_who_asked_what(scene: Scene) -> None:
    does = await doer(scene)
    await does.run(does.order())
    for record in does.node.store.durable:
        assert (record.origin, record.target) == (ORIGIN, "press-1")
        assert record.actor == ACTOR
        assert record.identity == "spiffe://trust/default-site/press-2"
        assert (record.role, record.action_type) == (Role.ADMIN, "cmd_invoke")
        assert (record.verb, record.request_id) == ("shutdown", "request-1")
        assert record.payload_digest == digest(SHUTDOWN)


@virtual
async def test_a_read_makes_one_record_and_is_always_fresh(scene: Scene) -> None:
    does = await doer(scene)
    read = does.order(action_type=ActionType.STATUS_READ, payload={})
    first = await does.run(read)
    again = await does.run(structs.replace(read, audit_id="audit-2"))
    for number, reply in ((1, first), (2, again)):
        assert reply.status is ResultStatus.EXECUTED
        assert not reply.replayed
        assert reply.response is not None
        assert reply.response.result == {"reads": number}
    assert does.phases() == [(Phase.SINGLE, Outcome.EXECUTED, None)] * 2
    assert does.node.store.disk.synced.entries == {}


@virtual
async def test_a_read_under_an_audit_id_that_is_taken_is_refused_and_recorded(scene: Scene) -> None:
    does = await doer(scene)
    read = does.order(action_type=ActionType.STATUS_READ, payload={})
    await does.run(read)
    reply = await does.run(structs.replace(read, request_id="request-2"))
    assert refused(reply, DenialCode.CONFLICT)
    refusal = does.node.records("audit_id", "outcome", request_id="request-2")
    assert refusal == [(reply.audit_id, Outcome.DENIED)]
    assert reply.audit_id != "audit-1"


@virtual
async def test_a_read_that_cannot_be_recorded_is_not_answered(scene: Scene) -> None:
    does = await doer(scene)
    does.node.store.fail_write(1)
    reply = await does.run(does.order(action_type=ActionType.STATUS_READ, payload={}))
    assert reply.status is ResultStatus.FAILED
    assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
    assert (reply.response, reply.audit_id) == (None, None)


@virtual
async def test_without_a_durable_decision_nothing_happens(scene: Scene) -> None:
    does = await doer(scene)
    does.node.store.fail_write(1)
    reply = await does.run(does.order())
    assert does.effects == []
    assert reply.status is ResultStatus.FAILED
    assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
    assert "disk is full" in (reply.denial_reason or "")
    assert reply.remedy
    assert reply.audit_id is None
    assert does.node.services.health.fault == reply.denial_reason
    assert does.node.store.durable == []
    assert does.entry() is None
    # It was no first time: the same request may come again.
    assert (await does.run(does.order())).status is ResultStatus.EXECUTED


@virtual
async def test_an_effect_whose_outcome_is_not_durable_is_never_acknowledged_nor_repeated(
    scene: Scene,
) -> None:
    does = await doer(scene)
    does.node.store.fail_write(2)
    reply = await does.run(does.order())
    assert len(does.effects) == 1
    assert reply.status is ResultStatus.FAILED
    assert (reply.audit_id, reply.response) == (None, None)
    assert does.phases() == RAN[:1]
    again = await does.run(does.order(1, audit_id="audit-2"))
    assert refused(again, DenialCode.CONFLICT)
    assert again.retry_after_ms == 1_000
    # After the restart it is unknown, for ever, under this id.
    await does.node.services.audit.recover(does.node.store.ledger)
    replay = await does.run(does.order(1, audit_id="audit-3"))
    assert (replay.status, replay.replayed) == (ResultStatus.FAILED, True)
    assert replay.audit_id == "audit-1"
    assert len(does.effects) == 1


@virtual
async def test_an_outcome_the_store_refused_is_kept_once_it_works_again(scene: Scene) -> None:
    does = await doer(scene)
    does.node.store.fail_write(2)
    reply = await does.run(does.order())
    assert reply.status is ResultStatus.FAILED
    await run_for_ms(1_500, does.node.services.audit.watch())
    assert does.node.records(*PHASES, request_id="request-1") == RAN
    entry = does.entry()
    assert entry is not None
    assert entry.state is LedgerState.DONE
    again = await does.run(does.order(1, audit_id="audit-2"))
    assert (again.status, again.replayed) == (ResultStatus.EXECUTED, True)
    assert len(does.effects) == 1


@virtual
async def test_a_configuration_write_that_cannot_be_kept_changes_nothing(scene: Scene) -> None:
    does = await doer(scene)
    before = await does.node.services.config.view()
    does.node.store.fail_write(1)
    reply = await does.run(does.write())
    assert reply.status is ResultStatus.FAILED
    assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
    assert reply.audit_id is None
    assert does.node.services.health.fault is not None
    state = does.node.store.disk.synced
    assert (state.records, state.entries, state.revisions) == ([], {}, {})
    assert await does.node.services.config.view() == before


@virtual
async def test_a_configuration_write_is_one_commit(scene: Scene) -> None:
    does = await doer(scene)
    reply = await does.run(does.write())
    assert does.node.store.commits == [1]
    assert does.phases() == RAN
    assert does.node.records("action_type", "verb") == [("cfg_apply", None)] * 2
    entry = does.entry()
    assert entry is not None
    assert entry.state is LedgerState.DONE
    assert entry.reply is not None
    assert entry.reply.status is reply.status is ResultStatus.EXECUTED
    assert does.node.store.disk.synced.revisions[1].document == {"log.level": "warn"}


@pytest.mark.parametrize("kind", ["command", "configuration"])
@pytest.mark.parametrize("audit_id", ["audit-1", "audit-2"])
@virtual
async def test_the_same_request_again_gets_the_stored_result(
    scene: Scene, kind: str, audit_id: str
) -> None:
    does = await doer(scene)
    order = does.order() if kind == "command" else does.write()
    first = await does.run(order)
    again = await does.run(structs.replace(order, audit_id=audit_id))
    entry = does.entry()
    assert entry is not None
    assert entry.reply is not None
    assert again == structs.replace(entry.reply, replayed=True, audit_id="audit-1")
    assert not first.replayed
    assert len(does.effects) == (1 if kind == "command" else 0)
    assert len(does.node.store.disk.synced.revisions) == (0 if kind == "command" else 1)
    replay = does.node.store.durable[-1]
    assert (replay.phase, replay.outcome) == (Phase.SINGLE, Outcome.REPLAYED)
    assert (replay.replay_of, replay.decision) == ("audit-1", Verdict.ALLOWED)
    third = await does.run(structs.replace(order, audit_id=audit_id))
    assert third == again
    assert len(does.node.store.durable) == 4


@pytest.mark.parametrize("number", [1, 2])
@virtual
async def test_a_replay_that_cannot_be_recorded_is_not_answered(scene: Scene, number: int) -> None:
    does = await doer(scene)
    order = does.order() if number == 1 else does.write()
    await does.run(order)
    does.node.store.is_full = True
    reply = await does.run(structs.replace(order, audit_id="audit-2"))
    assert reply.status is ResultStatus.FAILED
    assert not reply.replayed


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("order", "write", id="another kind"),
        pytest.param("write", "order", id="the other way round"),
        pytest.param("write", "other write", id="another patch"),
    ],
)
@virtual
async def test_a_request_id_used_for_something_else_is_a_conflict(
    scene: Scene, first: str, second: str
) -> None:
    does = await doer(scene)
    orders = {
        "order": does.order(),
        "write": does.write(),
        "other write": does.write(payload={"params": {"log.level": "error"}}),
    }
    await does.run(orders[first])
    effects, revisions = len(does.effects), len(does.node.store.disk.synced.revisions)
    reply = await does.run(structs.replace(orders[second], audit_id="audit-2"))
    assert refused(reply, DenialCode.CONFLICT)
    assert "request-1" in (reply.denial_reason or "")
    assert reply.retry_after_ms is None
    assert (len(does.effects), len(does.node.store.disk.synced.revisions)) == (effects, revisions)
    denied = does.node.store.durable[-1]
    assert (denied.audit_id, denied.outcome) == ("audit-2", Outcome.DENIED)
    assert (denied.decision, denied.denial_code) == (Verdict.DENIED, DenialCode.CONFLICT)


@virtual
async def test_a_request_that_still_runs_is_not_started_again(scene: Scene) -> None:
    does = await doer(scene)
    does.gate = asyncio.Event()
    first = scene.tasks.create_task(does.run(does.order()))
    await wait_ms(1)
    again = await does.run(does.order(1, audit_id="audit-2"))
    assert refused(again, DenialCode.CONFLICT)
    assert again.retry_after_ms == 1_000
    assert "request-1" in (again.denial_reason or "")
    assert "1000 ms" in (again.denial_reason or "")
    does.gate.set()
    assert (await first).status is ResultStatus.EXECUTED
    assert len(does.effects) == 1
    assert (await does.run(does.order(1, audit_id="audit-3"))).replayed


@pytest.mark.parametrize("kind", ["command", "configuration"])
@virtual
async def test_two_at_once_take_effect_once(scene: Scene, kind: str) -> None:
    does = await doer(scene)
    does.node.store.sync_ms = 5
    one = does.order() if kind == "command" else does.write()
    replies = await asyncio.gather(
        *(does.run(structs.replace(one, audit_id=f"audit-{n}")) for n in range(1, 6))
    )
    assert sum(r.status is ResultStatus.EXECUTED and not r.replayed for r in replies) == 1
    others = [r for r in replies if r.retry_after_ms is not None or r.replayed]
    assert len(others) == 4
    assert len(does.effects) == (1 if kind == "command" else 0)
    assert len(does.node.store.disk.synced.revisions) == (0 if kind == "command" else 1)


@pytest.mark.parametrize(("iat_s", "runs"), [(NOW_S - 1, False), (NOW_S, True)])
@virtual
async def test_what_the_ledger_may_have_forgotten_is_refused(
    scene: Scene, iat_s: int, *, runs: bool
) -> None:
    does = await doer(scene)
    does.node.store.disk.synced.low_water_s = NOW_S
    reply = await does.run(does.order(iat_s=iat_s))
    assert len(does.effects) == int(runs)
    assert runs or refused(reply, DenialCode.TIMEOUT)
    assert runs or does.phases() == [(Phase.SINGLE, Outcome.DENIED, DenialCode.TIMEOUT)]


@virtual
async def test_the_same_request_id_of_another_origin_is_another_request(scene: Scene) -> None:
    does = await doer(scene)
    await does.run(does.order())
    other = does.order(1, origin=RuntimeId("press-3"), audit_id="audit-3")
    reply = await does.run(other)
    assert (reply.status, reply.replayed) == (ResultStatus.EXECUTED, False)
    assert len(does.effects) == 2


@pytest.mark.parametrize("kind", ["command", "configuration"])
@virtual
async def test_an_audit_id_of_another_request_is_refused_without_effect(
    scene: Scene, kind: str
) -> None:
    does = await doer(scene)
    await does.run(does.order())
    second = does.order(2) if kind == "command" else does.write(2)
    reply = await does.run(structs.replace(second, audit_id="audit-1"))
    assert refused(reply, DenialCode.CONFLICT)
    assert len(does.effects) == 1
    assert does.node.store.disk.synced.revisions == {}
    assert does.entry(2) is None
    assert does.node.records("audit_id", request_id="request-2") == [(reply.audit_id,)]


@pytest.mark.parametrize(("early_ns", "runs"), [(1, True), (0, False), (-1, False)])
@virtual
async def test_no_effect_begins_at_or_after_the_deadline(
    scene: Scene, early_ns: int, *, runs: bool
) -> None:
    does = await doer(scene)
    deadline_ns = MonotonicNs(does.node.clock.monotonic_ns() + early_ns)
    reply = await does.run(does.order(deadline_ns=deadline_ns))
    assert len(does.effects) == int(runs)
    if not runs:
        assert reply.status is ResultStatus.TIMEOUT
        assert reply.denial_code is DenialCode.TIMEOUT
        assert does.phases()[1] == (Phase.OUTCOME, Outcome.TIMEOUT, DenialCode.TIMEOUT)
        late = await does.run(does.order(1, audit_id="audit-2"))
        assert (late.status, late.replayed) == (ResultStatus.TIMEOUT, True)
        assert does.effects == []


@pytest.mark.parametrize(("sync_ms", "runs"), [(99, True), (100, False)])
@virtual
async def test_a_slow_disk_may_use_up_the_time_for_the_effect(
    scene: Scene, sync_ms: int, *, runs: bool
) -> None:
    does = await doer(scene)
    does.node.store.sync_ms = sync_ms
    deadline_ns = MonotonicNs(does.node.clock.monotonic_ns() + 100 * NS_PER_MS)
    await does.run(does.order(deadline_ns=deadline_ns))
    assert len(does.effects) == int(runs)


@pytest.mark.parametrize(("early_ns", "runs"), [(1, True), (0, False)])
@virtual
async def test_no_configuration_is_written_at_or_after_the_deadline(
    scene: Scene, early_ns: int, *, runs: bool
) -> None:
    does = await doer(scene)
    deadline_ns = MonotonicNs(does.node.clock.monotonic_ns() + early_ns)
    reply = await does.run(does.write(deadline_ns=deadline_ns))
    assert len(does.node.store.disk.synced.revisions) == int(runs)
    if not runs:
        assert refused(reply, DenialCode.TIMEOUT)
        assert does.phases() == [(Phase.SINGLE, Outcome.DENIED, DenialCode.TIMEOUT)]
        assert does.entry() is None


@virtual
async def test_a_verb_that_fails_is_a_durable_failure_without_its_text(scene: Scene) -> None:
    does = await doer(scene)
    does.failure = ValueError(SECRET)
    reply = await does.run(does.order())
    assert reply.status is ResultStatus.FAILED
    assert reply.denial_code is DenialCode.TRANSPORT_FAILURE
    assert "shutdown" in (reply.denial_reason or "")
    assert "press-1" in (reply.denial_reason or "")
    assert SECRET not in repr((reply, does.node.store.durable))
    assert does.phases()[1] == (Phase.OUTCOME, Outcome.FAILED, DenialCode.TRANSPORT_FAILURE)
    assert [line.data["request_id"] for line in does.node.log.of("verb_failed")] == ["request-1"]
    does.failure = None
    again = await does.run(does.order(1, audit_id="audit-2"))
    assert (again.status, again.replayed) == (ResultStatus.FAILED, True)
    assert len(does.effects) == 1


@virtual
async def test_an_outcome_is_written_though_nobody_waits_for_it_any_more(scene: Scene) -> None:
    does = await doer(scene)
    does.node.store.sync_ms = 20
    running = scene.tasks.create_task(does.run(does.order()))
    await wait_ms(30)
    assert len(does.effects) == 1
    running.cancel()
    await wait_ms(30)
    assert running.cancelled()
    assert does.phases() == RAN
    assert (await does.run(does.order(1, audit_id="audit-2"))).replayed


@virtual
async def test_a_refusal_is_durable_before_it_is_told(scene: Scene) -> None:
    does = await doer(scene)
    denial = deny(DenialCode.PERMISSION_DENIED, "requires role admin", retry_after_ms=7)
    reply = await does.execution.refuse(does.order(), denial)
    assert refused(reply, DenialCode.PERMISSION_DENIED)
    assert (reply.denial_reason, reply.remedy) == (denial.reason, denial.remedy)
    assert (reply.retry_after_ms, reply.audit_id) == (7, "audit-1")
    assert does.phases() == [(Phase.SINGLE, Outcome.DENIED, DenialCode.PERMISSION_DENIED)]
    assert does.node.records("decision", "verb") == [(Verdict.DENIED, "shutdown")]
    again = await does.execution.refuse(does.order(), denial)
    assert again.audit_id not in (None, "audit-1")
    assert does.node.store.durable[-1].audit_id == again.audit_id
    does.node.store.is_full = True
    with pytest.raises(StoreFailed):
        await does.execution.refuse(does.order(2), denial)


@virtual
async def test_secrets_of_a_write_stand_in_no_record_no_log_and_no_answer(scene: Scene) -> None:
    does = await doer(scene)
    patch = {"mesh.auth_token": SECRET}
    replies = [await does.run(does.write(1, {"params": patch}))]
    replies.append(await does.run(does.write(1, {"params": patch}, audit_id="audit-2")))
    replies.append(await does.run(does.write(3, patch)))
    replies.append(await does.run(does.write(4, {"params": {**patch, "mesh.listen": "nowhere"}})))
    assert [reply.status for reply in replies[:3]] == [ResultStatus.EXECUTED] * 3
    assert replies[3].status is ResultStatus.DENIED
    assert SECRET not in does.node.everything_kept()
    assert SECRET not in repr(replies)
    redacted = {"params": {"mesh.auth_token": "<redacted>"}}
    assert does.node.store.durable[0].payload_digest == digest(redacted)
    assert does.node.store.disk.synced.revisions[1].document == patch


@virtual
async def test_what_was_written_is_answered_with_its_state(scene: Scene) -> None:
    does = await doer(scene)
    scene.tasks.create_task(does.node.services.config.run())
    payload = {"params": {"log.level": "warn", "mesh.enabled": False}, "expected_revision": 0}
    reply = await does.run(does.write(1, payload))
    assert reply.response is not None
    etag = does.node.services.config.meta().desired_etag
    assert reply.response.result == {
        "updated": ["log.level", "mesh.enabled"],
        "restart_required": ["mesh.enabled"],
        "changed": True,
        "desired_revision": 1,
        "desired_etag": etag,
        "state": "pending",
    }
    assert does.node.log.level == "warn"
    none = await does.run(does.write(2, {"params": {"log.level": "warn"}}))
    assert none.response is not None
    assert none.response.result["changed"] is False
    assert none.response.result["desired_revision"] == 1
    assert none.response.result["restart_required"] == []


@pytest.mark.parametrize(("left_ms", "state"), [(501, "in_sync"), (500, "pending")])
@virtual
async def test_the_answer_waits_for_the_applying_until_half_a_second_is_left(
    scene: Scene, left_ms: int, state: str
) -> None:
    does = await doer(scene)
    scene.tasks.create_task(does.node.services.config.run())
    deadline_ns = MonotonicNs(does.node.clock.monotonic_ns() + left_ms * NS_PER_MS)
    reply = await does.run(does.write(deadline_ns=deadline_ns))
    assert reply.response is not None
    assert reply.response.result["state"] == state


@virtual
async def test_an_answer_is_not_held_up_by_an_applying_that_hangs(scene: Scene) -> None:
    does = await doer(scene)  # Nobody runs the agent.
    began_ns = does.node.clock.monotonic_ns()
    reply = await does.run(does.write())
    assert (does.node.clock.monotonic_ns() - began_ns) // NS_PER_MS == BUDGET_MS - 500
    assert reply.status is ResultStatus.EXECUTED
    assert reply.response is not None
    assert reply.response.result["state"] == "pending"


@pytest.mark.parametrize(
    ("payload", "code", "named"),
    [
        ({"params": {"log.level": "loud"}}, DenialCode.CONTRACT_VIOLATION, "log.level"),
        ({"params": {}, "expected_revision": 4}, DenialCode.REVISION_CONFLICT, "not 4"),
        ({"params": {}, "expected_etag": "sha256:0"}, DenialCode.REVISION_CONFLICT, "sha256:0"),
    ],
)
@virtual
async def test_a_write_the_agent_refuses_is_recorded_and_not_remembered(
    scene: Scene, payload: Any, code: DenialCode, named: str
) -> None:
    does = await doer(scene)
    reply = await does.run(does.write(1, payload))
    assert refused(reply, code)
    assert named in (reply.denial_reason or "")
    assert does.phases() == [(Phase.SINGLE, Outcome.DENIED, code)]
    assert does.entry() is None
    # Denials are not stored: the same id may be used for a request that fits.
    assert (await does.run(does.write(1, audit_id="audit-2"))).status is ResultStatus.EXECUTED


@virtual
async def test_a_write_without_request_id_is_remembered_by_nobody(scene: Scene) -> None:
    does = await doer(scene)
    change = Change(
        patch={"log.level": "warn"}, actor=ACTOR, identity="uid:1", audit_id="a", request_id=None
    )
    for number in (1, 2):
        order = does.write(number, op=ConfigOp.WRITE)
        written = await does.execution.write_config(order, change, remember=False)
        assert not isinstance(written, Refusal)
        assert not written.replayed
    assert does.node.store.disk.synced.entries == {}
    assert does.node.records("action_type") == [("config.write",)] * 4
    await does.run(does.write(3))
    order = does.write(3, audit_id="audit-4")
    other = structs.replace(change, patch={"log.level": "error"})
    unknown = await does.execution.write_config(order, other, remember=False)
    assert not isinstance(unknown, Refusal)
    assert not unknown.replayed


@virtual
async def test_the_ledger_forgets_what_is_older_than_its_retention(scene: Scene) -> None:
    does = await doer(scene)
    await does.run(does.order(1))
    does.node.clock.advance_ms(1_000)
    await does.run(does.order(2))
    kept_ns = 1_000 * NS_PER_MS
    assert await does.execution.prune(kept_ns=kept_ns, entries_max=10) == 0
    does.node.clock.advance_ms(1)
    assert await does.execution.prune(kept_ns=kept_ns, entries_max=10) == 1
    assert (does.entry(1), does.entry(2) is not None) == (None, True)
    assert refused(await does.run(does.order(1, audit_id="audit-9")), DenialCode.TIMEOUT)
    does.node.store.is_full = True
    with pytest.raises(StoreFailed):
        await does.execution.prune(kept_ns=0, entries_max=0)


STEPS = st.tuples(
    st.integers(1, 3),  # Which request id.
    st.sampled_from(["command", "warn", "error"]),
    st.integers(0, 2),  # Which of its writes fails; 0: none.
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=8))
def test_whatever_comes_a_request_takes_effect_at_most_once(
    steps: list[tuple[int, str, int]],
) -> None:
    @virtual
    async def play(scene: Scene) -> None:
        does = await doer(scene)
        acknowledged: dict[int, str] = {}
        for number, (request, kind, fails) in enumerate(steps):
            made = does.order(request) if kind == "command" else does.write(request)
            if kind == "error":
                made = structs.replace(made, payload={"params": {"log.level": "error"}})
            before = len(does.effects), len(does.node.store.disk.synced.revisions)
            does.node.store.fail_write(fails)
            reply = await does.run(structs.replace(made, audit_id=f"audit-{number}"))
            does.node.store.fail_write(0)
            entry = does.entry(request)
            if reply.status is ResultStatus.EXECUTED:
                assert entry is not None
                assert entry.digest == made.digest
                assert acknowledged.setdefault(request, kind) == kind
            if entry is not None and entry.audit_id != f"audit-{number}":
                after = len(does.effects), len(does.node.store.disk.synced.revisions)
                assert after == before
        commands = [r for r in does.node.store.durable if r.phase is Phase.DECISION and r.verb]
        assert len(commands) == len(does.effects)
        assert len({r.request_id for r in commands}) == len(commands)

    play()


@virtual
async def test_a_read_too_many_is_overloaded_and_no_fault_of_the_store(scene: Scene) -> None:
    does = await doer(scene)

    async def busy() -> TargetReply:
        raise StoreBusy("1024 reads wait", "ask again")

    reply = await does.node.services.execution.guard(busy())
    assert (reply.status, reply.denial_code) == (ResultStatus.FAILED, DenialCode.OVERLOADED)
    assert (reply.denial_reason, reply.remedy) == ("1024 reads wait", "ask again")
    assert does.node.services.health.fault is None
