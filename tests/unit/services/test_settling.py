"""`services.settling`: the origin goes on asking until every outcome is known (contract 6.9)."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from fakes.action_rows import FakeActionRows
from service_world import ADMIN, BOOTED_NS, Node, Scene, configure, shut_down, virtual
from trust_runtime.contracts.action_rows import RowResult
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import ActionBody, MeshMessage
from trust_runtime.contracts.ledger import LEDGER_READ, LedgerKey
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.action_rows import ActionRows
from trust_runtime.services.calls import Call
from trust_runtime.services.ledger_reads import LedgerReads
from trust_runtime.services.settling import NEVER_BEGINS_AFTER_S, PAUSE_S_MAX, Settling
from virtual_time import run_for_ms, wait_ms

P2 = "press-2"


def op_of(message: MeshMessage) -> str:
    return decode_json(message.body, ActionBody).action_type


class Lossy:
    """A line of press-1 that passes questions on as the test says, and notes the ledger's."""

    def __init__(self, one: Node) -> None:
        self.one = one
        self.passes_action = True
        self.passes_answer = False
        self.passes_ledger = True
        self.asked_ms: list[int] = []
        one.line.ask = self._ask

    async def _ask(self, message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        if op_of(message) == LEDGER_READ:
            self.asked_ms.append((self.one.clock.monotonic_ns() - BOOTED_NS) // NS_PER_MS)
            if self.passes_ledger:
                return await self.one.line.pass_on(message, timeout_ms)
        elif self.passes_action:
            answer = await self.one.line.pass_on(message, timeout_ms)
            if self.passes_answer:
                return answer
        await wait_ms(timeout_ms)
        return Silence.TIMEOUT


async def the(node: Node, request_id: str = "r") -> RowResult:
    found = await node.services.rows.find(request_id)
    assert found is not None
    [result] = found.report.results
    return result


async def lossy(scene: Scene) -> tuple[Node, Node, Lossy]:
    one, two = await scene.pair()
    return one, two, Lossy(one)


async def dispatch(node: Node, asked: Any) -> None:
    await node.services.actions.dispatch(asked, ADMIN)


@virtual
async def test_an_answer_that_was_lost_is_found_in_the_ledger(scene: Scene) -> None:
    one, two, _ = await lossy(scene)
    await dispatch(one, configure("r", P2))
    assert (await the(one)).status is ResultStatus.TIMEOUT
    records = (one.records(), two.records())
    await run_for_ms(2_500, one.services.settling.run())
    result = await the(one)
    assert (result.status, result.ok, result.denial_code) == (ResultStatus.EXECUTED, True, None)
    assert result.response is not None
    assert result.response.result["updated"] == ["log.level"]
    assert result.audit_id == two.records("audit_id", request_id="r")[0][0]
    assert list(one.services.rows.unsettled()) == []
    # Asking decides nothing and leaves no record.
    assert (one.records(), two.records()) == records


@virtual
async def test_what_never_arrived_stays_a_timeout_once_it_cannot_begin(scene: Scene) -> None:
    one, two, line = await lossy(scene)
    line.passes_action = False
    await dispatch(one, shut_down("r", P2))
    await run_for_ms(1_000 * NEVER_BEGINS_AFTER_S - 1_000, one.services.settling.run())
    assert list(one.services.rows.unsettled()) == [("r", P2)]
    assert (await the(one)).denial_reason != ""
    await run_for_ms(4_000, one.services.settling.run())
    result = await the(one)
    assert (result.status, result.denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)
    assert "has not executed it" in (result.denial_reason or "")
    assert list(one.services.rows.unsettled()) == []
    assert two.stopped == []


@virtual
async def test_what_was_asked_before_a_repetition_says_nothing_of_it(scene: Scene) -> None:
    one, two, line = await lossy(scene)
    line.passes_action = line.passes_ledger = False
    await dispatch(one, shut_down("r", P2))
    late: list[bool] = []

    async def slow(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        answer = await one.line.pass_on(message, timeout_ms)
        if op_of(message) != LEDGER_READ:
            await wait_ms(timeout_ms)
            return Silence.TIMEOUT
        late.append(True)
        await wait_ms(1_000)
        return answer

    async def repeat() -> None:
        await wait_ms(1_000 * (NEVER_BEGINS_AFTER_S + 5))
        one.line.ask = slow
        while not late:
            await wait_ms(10)
        await dispatch(one, structs.replace(shut_down("r", P2), query_budget_ms=100))
        await wait_ms(1_500)
        assert len(two.stopped) == 1
        assert "has not executed it" not in ((await the(one)).denial_reason or "")
        await wait_ms(10_000)
        assert (await the(one)).status is ResultStatus.EXECUTED
        await asyncio.Event().wait()

    await run_for_ms(90_000, one.services.settling.run(), repeat())


@virtual
async def test_it_asks_after_a_second_and_then_ever_more_rarely(scene: Scene) -> None:
    one, _, line = await lossy(scene)
    line.passes_ledger = False
    await dispatch(one, configure("r", P2))
    await run_for_ms(300_000, one.services.settling.run())
    pauses = [b - a for a, b in zip(line.asked_ms, line.asked_ms[1:], strict=False)]
    assert 1_000 <= line.asked_ms[0] - 1_500 <= 2_500
    assert all(
        pause >= wanted for pause, wanted in zip(pauses, (2_000, 4_000, 8_000), strict=False)
    )
    assert max(pauses) <= 1_000 * PAUSE_S_MAX + 3_500
    assert len(line.asked_ms) < 12
    assert list(one.services.rows.unsettled()) == [("r", P2)]


@virtual
async def test_a_target_that_is_away_is_not_asked_until_it_is_back(scene: Scene) -> None:
    one, two, line = await lossy(scene)
    await dispatch(one, configure("r", P2))
    peer = one.services.peers.get(two.id)
    assert peer is not None
    peer.lifecycle = Lifecycle.STALE
    await run_for_ms(10_000, one.services.settling.run())
    assert line.asked_ms == []
    peer.lifecycle = Lifecycle.ONLINE
    await run_for_ms(2_500, one.services.settling.run())
    assert (await the(one)).status is ResultStatus.EXECUTED


@virtual
async def test_a_restarted_origin_asks_for_its_own_writes_too(scene: Scene) -> None:
    one = await scene.node()
    await dispatch(one, configure("r", "press-1"))
    kept = one.store.disk.synced.action_rows["r"]
    # The process died between the effect and the row's end.
    running = structs.replace(kept, row=structs.replace(kept.row, state="running"))
    cleared = canonical_json(
        structs.replace(
            running,
            unsettled=("press-1",),
            row=structs.replace(
                running.row,
                report=structs.replace(
                    running.row.report, results=(RowResult(runtime_id="press-1"),)
                ),
            ),
        )
    )
    one.store.disk.synced.action_rows["r"] = decode_json(cleared, type(kept))
    services = one.services
    rows = ActionRows(
        store=FakeActionRows(one.store),
        audit=services.audit,
        health=services.health,
        clock=one.clock,
    )
    await rows.load()
    settling = Settling(
        own=one.id,
        rows=rows,
        reads=LedgerReads(one.store.ledger),
        calls=services.actions._calls,
        peers=services.peers,
        clock=one.clock,
        entropy=one.entropy,
        log=one.log,
    )
    await run_for_ms(2_500, settling.run())
    found = await rows.find("r")
    assert found is not None
    assert found.report.results[0].status is ResultStatus.EXECUTED


@virtual
async def test_only_a_trusted_target_is_believed(scene: Scene) -> None:
    one, two, _ = await lossy(scene)
    await dispatch(one, configure("r", P2))
    one.services.peers.pin(two.id, "ab" * 32)
    peer = one.services.peers.get(two.id)
    assert peer is not None
    assert peer.trust_reason is TrustReason.IDENTITY_CHANGED
    await run_for_ms(4_000, one.services.settling.run())
    assert list(one.services.rows.unsettled()) == [("r", P2)]


@virtual
async def test_only_the_origin_itself_is_told(scene: Scene) -> None:
    one, two, _ = await lossy(scene)
    await dispatch(one, configure("r", P2))
    two.services.peers.pin(one.id, "ab" * 32)
    await run_for_ms(4_000, one.services.settling.run())
    assert list(one.services.rows.unsettled()) == [("r", P2)]
    assert await two.store.ledger.find(LedgerKey(origin="press-1", request_id="r"))


@virtual
async def test_a_store_that_fails_is_asked_again_later(scene: Scene) -> None:
    one, _, _ = await lossy(scene)
    await dispatch(one, configure("r", P2))
    one.store.is_full = True
    await run_for_ms(2_500, one.services.settling.run())
    one.store.is_full = False
    assert "action_unsettled" in one.log.events()
    assert (await the(one)).status is ResultStatus.TIMEOUT
    await run_for_ms(4_500, one.services.settling.run())
    assert (await the(one)).status is ResultStatus.EXECUTED


@virtual
async def test_a_target_that_cannot_vouch_for_what_it_did_is_asked_later(scene: Scene) -> None:
    one, two = await scene.pair()
    two.store.fail_write(2)  # The outcome: the effect has happened.
    await dispatch(one, shut_down("r", P2))
    assert (await the(one)).status is ResultStatus.FAILED
    assert len(two.stopped) == 1
    assert list(one.services.rows.unsettled()) == [("r", P2)]


@pytest.mark.parametrize("payload", [{}, {"request_id": 7}, [], "r"])
@virtual
async def test_a_question_that_is_none_is_refused(scene: Scene, payload: object) -> None:
    one, two = await scene.pair()
    answer = await one.services.actions._calls.call(
        Call(
            target=two.id,
            action_type=LEDGER_READ,
            payload=payload,
            actor="me",
            caller=ADMIN,
            request_id="r",
            audit_id="audit-1",
            deadline_ns=MonotonicNs(one.clock.monotonic_ns() + 10**9),
        )
    )
    assert isinstance(answer, TargetReply)
    assert (answer.status, answer.denial_code) == (
        ResultStatus.DENIED,
        DenialCode.CONTRACT_VIOLATION,
    )
