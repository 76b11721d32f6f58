"""`services.io_orders`: the I/O configuration of one runtime (contract 6.15, 14.2)."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from fakes.io_file import LOOPBACK
from service_world import ACTOR, ADMIN, Node, Scene, virtual
from trust_runtime.contracts.actions import ActionType, ConfigOp
from trust_runtime.contracts.audit import Outcome, Phase
from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.io import IoAnswer, IoDriver, IoParams, IoSource, IoView
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_S, MonotonicNs
from trust_runtime.services.order import Order, now_s

KINDS = ("action_type", "phase", "outcome")
SIM = IoParams(drivers=[IoDriver(name="simulated")])
SIMULATED = '[io]\ndriver = "simulated"\n'


def order(node: Node, asked: Any, request_id: str = "io-1", *, op: str = "io.write") -> Order:
    return Order(
        origin=node.id,
        caller=ADMIN,
        actor=ACTOR,
        action_type=ActionType.CFG_APPLY,
        op=ConfigOp(op),
        payload=to_plain(asked),
        request_id=request_id,
        audit_id=node.services.audit.new_id(),
        iat_s=now_s(node.clock),
        deadline_ns=MonotonicNs(node.clock.monotonic_ns() + NS_PER_S),
    )


async def write(node: Node, asked: Any = SIM, request_id: str = "io-1") -> TargetReply:
    return await node.services.io.execute(order(node, asked, request_id))


def answer(reply: TargetReply) -> IoAnswer:
    assert reply.response is not None
    return convert(reply.response.result, IoAnswer)


async def view(node: Node) -> IoView:
    found = await node.services.io.view()
    assert isinstance(found, IoView)
    return found


async def started(scene: Scene, **file: Any) -> Node:
    node = await scene.node()
    vars(node.io_file).update(file)
    await node.services.io.begin()
    return node


def require_untouched(node: Node, text: str | None = LOOPBACK) -> None:
    assert (node.io_file.text, node.io_file.writes) == (text, 0)


@virtual
async def test_a_write_is_decided_before_and_concluded_after_it(scene: Scene) -> None:
    one = await started(scene)
    reply = await write(one)
    assert reply.status is ResultStatus.EXECUTED
    shown = await view(one)
    assert (shown.driver, shown.source) == ("simulated", IoSource.PROJECT)
    assert answer(reply).etag == shown.etag
    assert one.io_file.previous == LOOPBACK
    assert one.records(*KINDS) == [
        ("io.write", Phase.DECISION, None),
        ("io.write", Phase.OUTCOME, Outcome.EXECUTED),
    ]


@virtual
async def test_a_restart_is_needed_while_the_file_differs_from_what_runs(scene: Scene) -> None:
    one = await started(scene)
    io, needed = one.services.io, [one.services.io.restart_required]
    for number, asked in enumerate([SIM, IoParams(driver="loopback"), SIM]):
        await write(one, asked, f"io-{number}")
        needed.append(io.restart_required)
    assert needed == [False, True, False, True]
    await io.begin()  # What a new process does.
    assert (await view(one)).driver == "simulated"


@virtual
async def test_the_same_request_is_written_once(scene: Scene) -> None:
    one = await started(scene)
    etag = (await view(one)).etag
    asked = structs.replace(SIM, expected_etag=etag)
    first = await write(one, asked)
    again = await write(one, asked)
    # The etag is another one now, and still the answer is that of the first time.
    assert again == structs.replace(first, replayed=True)
    assert one.io_file.writes == 1
    other = await write(one, IoParams(driver="loopback"))
    assert (other.status, other.denial_code) == (ResultStatus.DENIED, DenialCode.CONFLICT)
    assert one.io_file.writes == 1


@virtual
async def test_a_write_that_ends_unforeseen_has_an_outcome_all_the_same(scene: Scene) -> None:
    async def write_nothing(_text: str, **_: object) -> bool:
        raise RuntimeError("can't start new thread")

    one = await started(scene, write=write_nothing)
    reply = await write(one)
    assert (reply.status, reply.denial_code) == (
        ResultStatus.FAILED,
        DenialCode.TRANSPORT_FAILURE,
    )
    assert reply.remedy
    assert one.records(*KINDS) == [
        ("io.write", Phase.DECISION, None),
        ("io.write", Phase.OUTCOME, Outcome.FAILED),
    ]
    assert (await write(one)).replayed


@virtual
async def test_another_etag_is_a_conflict_and_changes_nothing(scene: Scene) -> None:
    one = await started(scene)
    reply = await write(one, structs.replace(SIM, expected_etag="sha256:0"))
    denial = answer(reply).denial
    assert denial is not None
    assert denial.code is DenialCode.REVISION_CONFLICT
    require_untouched(one)
    assert one.records(*KINDS) == [("io.write", Phase.SINGLE, Outcome.DENIED)]
    # A refusal is not remembered.
    assert (await write(one)).status is ResultStatus.EXECUTED


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (IoParams(driver="gpio"), "not in this version"),
        (IoParams(), "io.driver"),
        (IoParams(driver="loopback", use_system_io=True), "use_system_io"),
        ({"driver": 7}, "driver"),
        ({"drivers": [{"name": "loopback", "parms": {}}, 4]}, "drivers"),
    ],
)
@virtual
async def test_invalid_content_is_refused_and_named(scene: Scene, asked: Any, said: str) -> None:
    one = await started(scene)
    denial = answer(await write(one, asked)).denial
    assert denial is not None
    assert (denial.code, said in denial.reason) == (DenialCode.CONTRACT_VIOLATION, True)
    require_untouched(one)


@virtual
async def test_the_file_of_the_machine_takes_over(scene: Scene) -> None:
    one = await started(scene, system=SIMULATED)
    reply = await write(one, IoParams(use_system_io=True))
    assert reply.status is ResultStatus.EXECUTED
    shown = await view(one)
    assert (shown.driver, shown.source, shown.use_system_io) == (
        "simulated",
        IoSource.SYSTEM,
        True,
    )
    assert (one.io_file.text, one.io_file.previous) == (None, LOOPBACK)
    assert one.services.io.restart_required


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (None, DenialCode.NOT_CONFIGURED),
        ('[io]\ndriver = "gpio"\n', DenialCode.CONTRACT_VIOLATION),
        ("[io", DenialCode.CONTRACT_VIOLATION),
    ],
)
@virtual
async def test_a_machine_without_a_fit_file_would_not_start(
    scene: Scene, system: str | None, code: DenialCode
) -> None:
    one = await started(scene, system=system)
    denial = answer(await write(one, IoParams(use_system_io=True))).denial
    assert denial is not None
    assert denial.code is code
    require_untouched(one)


@virtual
async def test_without_any_file_the_default_is_shown(scene: Scene) -> None:
    one = await started(scene, text=None)
    shown = await view(one)
    assert (shown.driver, shown.source) == ("loopback", IoSource.DEFAULT)


@virtual
async def test_a_file_that_says_nothing_is_told_and_can_be_written_anew(scene: Scene) -> None:
    one = await started(scene, text="[io")
    told = await one.services.io.view()
    assert isinstance(told, Denial)
    assert told.code is DenialCode.TRANSPORT_FAILURE
    read = await one.services.io.execute(order(one, {}, op="io.read"))
    assert read.status is ResultStatus.DENIED
    # The state store has nothing to do with it.
    assert one.services.health.fault is None
    assert (await write(one)).status is ResultStatus.EXECUTED


@virtual
async def test_a_disk_that_refuses_is_an_outcome_and_no_fault_of_the_store(scene: Scene) -> None:
    one = await started(scene)
    one.io_file.fails = True
    reply = await write(one)
    assert (reply.status, reply.denial_code) == (
        ResultStatus.FAILED,
        DenialCode.TRANSPORT_FAILURE,
    )
    denial = answer(reply).denial
    assert denial is not None
    assert "disk is full" in denial.reason
    assert one.records(*KINDS)[-1] == ("io.write", Phase.OUTCOME, Outcome.FAILED)
    assert one.services.health.fault is None
    require_untouched(one)


@pytest.mark.parametrize("asked", [SIM, IoParams(use_system_io=True)])
@virtual
async def test_a_change_that_is_not_durable_is_told_as_one_that_was_made(
    scene: Scene, asked: IoParams
) -> None:
    one = await started(scene, unsynced=True, system=SIMULATED)
    reply = await write(one, asked)
    assert (reply.status, reply.denial_code) == (
        ResultStatus.FAILED,
        DenialCode.TRANSPORT_FAILURE,
    )
    told = answer(reply)
    assert told.denial is not None
    assert "was changed" in told.denial.reason
    shown = await view(one)
    assert (shown.driver, shown.etag) == ("simulated", told.etag)
    assert one.services.io.restart_required
    assert one.records(*KINDS)[-1] == ("io.write", Phase.OUTCOME, Outcome.FAILED)


@virtual
async def test_nothing_is_written_after_the_deadline(scene: Scene) -> None:
    one = await started(scene)
    late = structs.replace(order(one, SIM), deadline_ns=one.clock.monotonic_ns())
    reply = await one.services.io.execute(late)
    assert reply.status is ResultStatus.TIMEOUT
    require_untouched(one)


@pytest.mark.parametrize("asked", [SIM, IoParams(use_system_io=True)])
@virtual
async def test_a_write_that_waits_for_a_thread_until_its_deadline_does_not_begin(
    scene: Scene, asked: IoParams
) -> None:
    one = await started(scene, waits_ms=1_500, system=SIMULATED)
    reply = await write(one, asked)
    assert (reply.status, reply.denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)
    assert one.records(*KINDS) == [
        ("io.write", Phase.DECISION, None),
        ("io.write", Phase.OUTCOME, Outcome.TIMEOUT),
    ]
    require_untouched(one)
    assert not one.services.io.restart_required


@virtual
async def test_of_two_writers_who_saw_the_same_file_one_wins(scene: Scene) -> None:
    one = await started(scene)
    etag = (await view(one)).etag
    asked = [
        structs.replace(SIM, expected_etag=etag),
        IoParams(
            drivers=[IoDriver(name="loopback"), IoDriver(name="simulated")], expected_etag=etag
        ),
    ]
    first, second = await asyncio.gather(
        *(write(one, each, f"io-{number}") for number, each in enumerate(asked))
    )
    assert first.status is ResultStatus.EXECUTED
    assert second.denial_code is DenialCode.REVISION_CONFLICT
    assert one.io_file.writes == 1
