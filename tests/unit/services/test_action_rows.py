"""`services.action_rows`: the last dispatch of an id, writes durably, reads in memory (6.9)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from action_row_samples import COMMAND, allowed, executed, lost, named, reported
from fakes.action_rows import FakeActionRows
from fakes.store import FakeStore
from service_world import ADMIN as CALLER
from service_world import Node, Scene, configure, request, shut_down, virtual
from trust_runtime.contracts.action_rows import ActionRow, KeptRow, RowState
from trust_runtime.contracts.audit import AuditDraft, AuditRecord, Outcome, Phase
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerAnswer, LedgerState
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.action_rows import (
    READS_KEPT,
    UNSETTLED_MAX,
    WRITES_KEPT_NS,
    ActionRows,
)
from virtual_time import wait_ms

P2 = "press-2"
_BEFORE_PRUNING = 99


def rows_of(node: Node) -> ActionRows:
    return node.services.rows


def reborn(node: Node) -> ActionRows:
    """Return what a process finds that starts after this one died."""
    services = node.services
    return ActionRows(
        store=FakeActionRows(node.store),
        audit=services.audit,
        health=services.health,
        clock=node.clock,
    )


async def row(node: Node, request_id: str = "r") -> ActionRow:
    found = await rows_of(node).find(request_id)
    assert found is not None
    return found


async def silent(_message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
    await wait_ms(timeout_ms)
    return Silence.TIMEOUT


def statuses(shown: ActionRow) -> list[Any]:
    return [result.status for result in shown.report.results]


@virtual
async def test_a_write_is_kept_before_anything_is_sent_and_with_its_decision(scene: Scene) -> None:
    one, two = await scene.pair()
    at_sending: list[tuple[Any, int]] = []

    async def look(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        at_sending.append((dict(one.store.disk.synced.action_rows), len(one.store.durable)))
        return await one.line.pass_on(message, timeout_ms)

    one.line.ask = look
    report = await one.services.actions.dispatch(
        shut_down("r", P2, "press-9", on_denied=None), CALLER
    )
    assert at_sending == []  # One target is unknown, and nothing is sent.
    assert statuses(await row(one)) == [result.status for result in report.results]
    report = await one.services.actions.dispatch(shut_down("r2", P2), CALLER)
    [(kept, records)] = at_sending
    assert kept["r2"].row.state is RowState.RUNNING
    assert statuses(kept["r2"].row) == [None]
    assert records == len(one.records(request_id="r")) + 1
    shown = await row(one, "r2")
    assert shown.state is RowState.DONE
    assert shown.finished_at_ns is not None
    assert shown.report.results[0].response == report.results[0].response
    assert await reborn(one).find("r2") == shown
    assert two.stopped


@virtual
async def test_while_it_runs_the_row_says_so(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.line.ask = silent
    asking = scene.tasks.create_task(
        one.services.actions.dispatch(shut_down("r", "press-1", P2), CALLER)
    )
    await wait_ms(700)
    shown = await row(one)
    assert (shown.state, shown.finished_at_ns, shown.report.ok) == (RowState.RUNNING, None, None)
    assert statuses(shown) == [None, None]
    assert list(rows_of(one).unsettled()) == []  # Its dispatch is still asking.
    await asking
    shown = await row(one)
    assert statuses(shown) == [ResultStatus.EXECUTED, ResultStatus.TIMEOUT]
    assert list(rows_of(one).unsettled()) == [("r", P2)]


@virtual
async def test_writes_here_are_kept_too(scene: Scene) -> None:
    one = await scene.node()
    await one.services.actions.dispatch(configure("r", "press-1"), CALLER)
    assert await reborn(one).find("r") == await row(one)
    assert statuses(await row(one)) == [ResultStatus.EXECUTED]
    assert list(rows_of(one).unsettled()) == []


@pytest.mark.parametrize("changes", [{"dry_run": True}, {"actor": " "}, {"query_budget_ms": 0}])
@virtual
async def test_what_is_not_sent_has_a_row_that_is_done(
    scene: Scene, changes: dict[str, Any]
) -> None:
    one, _ = await scene.pair()
    report = await one.services.actions.dispatch(configure("r", P2, **changes), CALLER)
    shown = await row(one)
    assert shown.state is RowState.DONE
    assert statuses(shown) == [result.status for result in report.results]
    assert shown.report.results[0].audit_id == report.results[0].audit_id
    assert list(rows_of(one).unsettled()) == []
    assert await reborn(one).find("r") == shown


@virtual
async def test_an_id_that_is_none_has_no_row(scene: Scene) -> None:
    one = await scene.node()
    await one.services.actions.dispatch(configure(" ", "press-1"), CALLER)
    assert await rows_of(one).find(" ") is None
    assert one.records()


@virtual
async def test_reads_are_kept_in_memory_and_the_oldest_gives_way(scene: Scene) -> None:
    one = await scene.node()
    for number in range(READS_KEPT + 1):
        await one.services.actions.dispatch(request(f"r{number}", "status_read", "press-1"), CALLER)
    assert await rows_of(one).find("r0") is None
    assert statuses(await row(one, "r1")) == [ResultStatus.EXECUTED]
    assert await reborn(one).find("r1") is None
    assert one.store.disk.synced.action_rows == {}


@virtual
async def test_the_last_dispatch_of_an_id_is_shown(scene: Scene) -> None:
    one = await scene.node()
    await one.services.actions.dispatch(configure("r", "press-1"), CALLER)
    await one.services.actions.dispatch(request("r", "status_read", "press-1"), CALLER)
    assert (await row(one)).action_type == "status_read"
    await one.services.actions.dispatch(configure("r", "press-1"), CALLER)
    shown = await row(one)
    assert shown.action_type == "cfg_apply"
    assert shown.report.results[0].replayed


@virtual
async def test_the_answer_of_an_older_dispatch_does_not_cover_a_newer_one(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.line.ask = silent
    first = scene.tasks.create_task(
        one.services.actions.dispatch(shut_down("r", P2, query_budget_ms=900), CALLER)
    )
    await wait_ms(100)
    newer = shut_down("r", P2, query_budget_ms=2_000)
    second = scene.tasks.create_task(one.services.actions.dispatch(newer, CALLER))
    await first
    assert (await row(one)).state is RowState.RUNNING
    await second
    assert (await row(one)).state is RowState.DONE
    assert list(rows_of(one).unsettled()) == [("r", P2)]


@virtual
async def test_a_restart_finds_what_was_running_and_goes_on_asking(scene: Scene) -> None:
    one, _ = await scene.pair()
    entry = await rows_of(one).begin(
        structs.replace(COMMAND, request_id="r"), allowed(P2), settled=(), drafts=()
    )
    after = reborn(one)
    await after.load()
    found = await after.find("r")
    assert found is not None
    assert (found.state, statuses(found)) == (RowState.DONE, [ResultStatus.TIMEOUT])
    assert list(after.unsettled()) == [("r", P2)]
    assert entry.row.row.state is RowState.RUNNING


@virtual
async def test_the_truth_is_durable_and_ends_the_asking(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.line.ask = silent
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    kept: KeptRow = one.store.disk.synced.action_rows["r"]
    reply = TargetReply(status=ResultStatus.EXECUTED, audit_id="audit-7")
    told = LedgerAnswer(state=LedgerState.DONE, digest=kept.digest, reply=reply, low_water_s=0)
    running = structs.replace(told, state=LedgerState.RUNNING, reply=None)
    rows = rows_of(one)
    assert not await rows.settle("r", P2, running, may_still_begin=True)
    assert not await rows.settle("r9", P2, told, may_still_begin=True)
    assert await rows.settle("r", P2, told, may_still_begin=True)
    assert statuses(await row(one)) == [ResultStatus.EXECUTED]
    assert list(rows.unsettled()) == []
    after = reborn(one)
    await after.load()
    assert list(after.unsettled()) == []
    assert await after.find("r") == await row(one)


@virtual
async def test_a_truth_that_cannot_be_kept_is_asked_for_again(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.line.ask = silent
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    one.store.is_full = True
    unknown = LedgerAnswer(low_water_s=0)
    with pytest.raises(StoreFailed):
        await rows_of(one).settle("r", P2, unknown, may_still_begin=False)
    one.store.is_full = False
    assert list(rows_of(one).unsettled()) == [("r", P2)]
    after = reborn(one)
    await after.load()
    assert list(after.unsettled()) == [("r", P2)]


@virtual
async def test_a_dispatch_that_cannot_be_kept_shows_what_was_before(scene: Scene) -> None:
    one, two = await scene.pair()
    one.line.ask = silent
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    before = await row(one)
    one.store.fail_write(1)
    report = await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    assert report.results[0].denial_code is DenialCode.TRANSPORT_FAILURE
    assert await row(one) == before
    assert list(rows_of(one).unsettled()) == [("r", P2)]
    assert two.stopped == []


@virtual
async def test_an_outcome_that_cannot_be_kept_is_asked_for_again(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.fail_write(2)
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    assert two.stopped
    assert list(rows_of(one).unsettled()) == [("r", P2)]


@virtual
async def test_a_row_is_kept_although_others_cannot_be_forgotten(scene: Scene) -> None:
    one, two = await scene.pair()
    for number in range(_BEFORE_PRUNING):
        await one.services.actions.dispatch(shut_down(f"r{number}", P2, dry_run=True), CALLER)
    one.store.fail_write(2)  # The row is the first, the pruning behind it the second.
    report = await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    assert report.ok
    assert len(two.stopped) == 1
    phases = one.records("phase", "outcome", request_id="r")
    assert phases == [(Phase.DECISION, None), (Phase.OUTCOME, Outcome.EXECUTED)]


@virtual
async def test_old_rows_are_forgotten_and_not_asked_for(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.line.ask = silent
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    await wait_ms(WRITES_KEPT_NS / 10**6 - 2_000)
    await rows_of(one).prune()
    assert list(rows_of(one).unsettled()) == [("r", P2)]
    await wait_ms(2_000)
    await rows_of(one).prune()
    assert list(rows_of(one).unsettled()) == []
    assert await rows_of(one).find("r") is None


@virtual
async def test_the_number_of_open_rows_is_bounded(scene: Scene) -> None:
    one = await scene.node()
    state = one.store.disk.synced
    for number in range(UNSETTLED_MAX + 1):
        at_ns = number * NS_PER_S
        state.action_rows[f"request-{number}"] = named(number, created_at_ns=at_ns, unsettled=(P2,))
    rows = reborn(one)
    await rows.load()
    asked = list(rows.unsettled())
    assert len(asked) == UNSETTLED_MAX
    assert asked[0] == ("request-1", P2)


@virtual
async def test_hanging_up_loses_no_row(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.line.ask = silent
    asking = asyncio.ensure_future(one.services.actions.dispatch(shut_down("r", P2), CALLER))
    await wait_ms(100)
    asking.cancel()
    await wait_ms(3_000)
    assert (await row(one)).state is RowState.DONE


@virtual
async def test_a_known_answer_needs_no_ledger(scene: Scene) -> None:
    one = await scene.node()
    entry = await rows_of(one).begin(COMMAND, allowed("press-2", "press-3"), settled=(), drafts=())
    answer = reported(executed("press-2"), lost("press-3"))
    await rows_of(one).conclude(entry, answer, unknown={"press-3"}, drafts=())
    assert list(rows_of(one).unsettled()) == [("request-1", "press-3")]


class Gated(FakeActionRows):
    """Keeps a row when the test says so, or fails to."""

    def __init__(self, store: FakeStore) -> None:
        super().__init__(store)
        self.gates: list[asyncio.Future[None]] = []
        self.is_gated = False

    async def keep(
        self, row: KeptRow, drafts: Sequence[AuditDraft] = ()
    ) -> tuple[AuditRecord, ...]:
        if self.is_gated:
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.gates.append(gate)
            await gate
        return await super().keep(row, drafts)


FULL = StoreFailed("the disk is full", "free space")


@pytest.mark.parametrize("order", [(0,), (0, 1), (1, 0), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
@virtual
async def test_what_ended_while_others_failed_to_begin_does_not_run_for_ever(
    scene: Scene, order: tuple[int, ...]
) -> None:
    one = await scene.node()
    store = Gated(one.store)
    rows = ActionRows(
        store=store, audit=one.services.audit, health=one.services.health, clock=one.clock
    )

    async def begin() -> None:
        with pytest.raises(StoreFailed):
            await rows.begin(COMMAND, allowed(P2), settled=(), drafts=())

    first = await rows.begin(COMMAND, allowed(P2), settled=(), drafts=())
    store.is_gated = True
    others = [scene.tasks.create_task(begin()) for _ in order]
    await wait_ms(1)
    store.is_gated = False
    await rows.conclude(first, reported(executed(P2)), unknown=(), drafts=())
    for number in order:
        store.gates[number].set_exception(FULL)
        await wait_ms(1)
    await asyncio.gather(*others)
    shown = await rows.find(COMMAND.request_id)
    assert shown is not None
    assert (shown.state, statuses(shown)) == (RowState.DONE, [ResultStatus.EXECUTED])
    # The disk says that it runs: once the ledger has told the same, it does not any more.
    assert list(rows.unsettled()) == [(COMMAND.request_id, P2)]
    done = TargetReply(status=ResultStatus.EXECUTED, audit_id="audit-press-2")
    told = LedgerAnswer(low_water_s=0, state=LedgerState.DONE, digest=first.row.digest, reply=done)
    assert await rows.settle(COMMAND.request_id, P2, told, may_still_begin=True)
    assert one.store.disk.synced.action_rows[COMMAND.request_id].row.state is RowState.DONE


@virtual
async def test_a_conclusion_that_is_not_kept_leaves_alone_what_has_begun_since(
    scene: Scene,
) -> None:
    one = await scene.node()
    store = Gated(one.store)
    rows = ActionRows(
        store=store, audit=one.services.audit, health=one.services.health, clock=one.clock
    )
    first = await rows.begin(COMMAND, allowed(P2), settled=(), drafts=())
    store.is_gated = True

    async def conclude() -> None:
        with pytest.raises(StoreFailed):
            await rows.conclude(first, reported(executed(P2)), unknown=(), drafts=())

    concluding = scene.tasks.create_task(conclude())
    await wait_ms(1)
    store.is_gated = False
    second = await rows.begin(COMMAND, allowed(P2), settled=(), drafts=())
    store.gates[0].set_exception(FULL)
    await concluding
    shown = await rows.find(COMMAND.request_id)
    assert shown is not None
    assert shown.state is RowState.RUNNING
    await rows.conclude(second, reported(executed(P2)), unknown=(), drafts=())
    assert one.store.disk.synced.action_rows[COMMAND.request_id].row.state is RowState.DONE


async def used(one: Node, *, silent_first: bool = False) -> tuple[ActionRow, Any]:
    """Dispatch a shutdown and then something else under its id; return the first row and report."""
    if silent_first:
        one.line.ask = silent
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    first = await row(one)
    one.line.ask = one.line.pass_on
    report = await one.services.actions.dispatch(configure("r", P2), CALLER)
    return first, report


@virtual
async def test_a_refused_reuse_of_an_id_is_shown_beside_the_dispatch_it_was_of(
    scene: Scene,
) -> None:
    one, two = await scene.pair()
    first, report = await used(one)
    assert report.results[0].denial_code is DenialCode.CONFLICT
    assert len(two.stopped) == 1
    for number in (1, 2):
        for rows in (rows_of(one), reborn(one)):
            await rows.load()
            shown = await rows.find("r")
            assert shown is not None
            reuse = shown.refused_reuse
            assert reuse is not None
            assert structs.replace(shown, refused_reuse=None) == first
            assert (reuse.count, reuse.action_type) == (number, "cfg_apply")
            assert reuse.denial_code is DenialCode.CONFLICT
            assert reuse.audit_ids == (report.results[0].audit_id,)
            assert list(rows.unsettled()) == []
        report = await one.services.actions.dispatch(configure("r", P2), CALLER)


@virtual
async def test_a_reuse_that_is_denied_here_leaves_the_dispatch_shown(scene: Scene) -> None:
    one, _ = await scene.pair()
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    first = await row(one)
    report = await one.services.actions.dispatch(configure("r", "press-9"), CALLER)
    shown = await row(one)
    assert structs.replace(shown, refused_reuse=None) == first
    assert shown.refused_reuse is not None
    assert shown.refused_reuse.denial_code is report.denial_code
    assert await reborn(one).find("r") == shown


@virtual
async def test_a_dispatch_that_runs_is_shown_to_its_end_whatever_was_refused_meanwhile(
    scene: Scene,
) -> None:
    one, two = await scene.pair()

    async def slow(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        answer = await one.line.pass_on(message, timeout_ms)
        if b"shutdown" in message.body:
            await wait_ms(700)
        return answer

    one.line.ask = slow
    running = scene.tasks.create_task(one.services.actions.dispatch(shut_down("r", P2), CALLER))
    await wait_ms(200)
    await one.services.actions.dispatch(configure("r", P2), CALLER)  # Refused there.
    await one.services.actions.dispatch(configure("r", "press-9"), CALLER)  # Refused here.
    shown = await row(one)
    assert (shown.action_type, shown.state) == ("cmd_invoke", RowState.RUNNING)
    assert shown.refused_reuse is not None
    assert shown.refused_reuse.count == 2
    await running
    ended = await row(one)
    assert (ended.state, statuses(ended)) == (RowState.DONE, [ResultStatus.EXECUTED])
    assert ended.refused_reuse == shown.refused_reuse
    assert await reborn(one).find("r") == ended
    assert len(two.stopped) == 1


@virtual
async def test_an_outcome_is_still_asked_for_after_a_refused_reuse(scene: Scene) -> None:
    one, _ = await scene.pair()
    await used(one, silent_first=True)
    shown = await row(one)
    assert (shown.action_type, shown.refused_reuse) == ("cfg_apply", None)
    # The shutdown never arrived, so the other request was the first there.
    assert statuses(shown) == [ResultStatus.EXECUTED]


@pytest.mark.parametrize("restarted", [False, True])
@virtual
async def test_a_reuse_whose_refusal_is_learned_later_gives_the_row_back(
    scene: Scene, *, restarted: bool
) -> None:
    one, _ = await scene.pair()
    await one.services.actions.dispatch(shut_down("r", P2), CALLER)
    first = await row(one)
    one.line.ask = silent
    await one.services.actions.dispatch(configure("r", P2), CALLER)
    assert (await row(one)).action_type == "cfg_apply"
    rows = reborn(one) if restarted else rows_of(one)
    await rows.load()
    assert list(rows.unsettled()) == [("r", P2)]
    told = LedgerAnswer(state=LedgerState.DONE, digest="sha256:other", low_water_s=0)
    assert await rows.settle("r", P2, told, may_still_begin=False)
    shown = await rows.find("r")
    assert shown is not None
    assert structs.replace(shown, refused_reuse=None) == first
    assert shown.refused_reuse is not None
    assert list(rows.unsettled()) == []
