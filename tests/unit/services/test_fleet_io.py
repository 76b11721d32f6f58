"""`services.fleet_io`: I/O configuration here and elsewhere, by one decision (contract 6.15)."""

from typing import Any

import pytest

from fakes.io_file import LOOPBACK
from service_world import ACTOR, ADMIN, Node, Scene, virtual
from trust_runtime.contracts.answers import Shown, Unanswered
from trust_runtime.contracts.audit import Outcome, Phase
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import IoAnswer, IoDriver, IoView, IoWrite
from trust_runtime.contracts.policy import Caller, Role

HERE, THERE = RuntimeId("press-1"), RuntimeId("press-2")
OPERATOR = Caller(identity="token://x", role=Role.OPERATOR)
KINDS = ("action_type", "phase", "outcome")
BOTH = pytest.mark.parametrize("target", [HERE, THERE])


def asked(target: RuntimeId, **changes: Any) -> IoWrite:
    members: dict[str, Any] = {
        "api_version": "1.0",
        "actor": ACTOR,
        "target_runtime": target,
        "drivers": [IoDriver(name="simulated")],
        **changes,
    }
    return IoWrite(**members)


async def write(
    node: Node, target: RuntimeId, caller: Caller = ADMIN, **changes: Any
) -> IoAnswer | Unanswered:
    return await node.services.fleet_io.write(target, asked(target, **changes), caller)


async def answer(node: Node, target: RuntimeId, **changes: Any) -> IoAnswer:
    found = await write(node, target, **changes)
    assert isinstance(found, IoAnswer), found
    return found


async def view(node: Node, target: RuntimeId) -> IoView:
    shown = await node.services.fleet_io.view(target, ADMIN)
    assert isinstance(shown, Shown), shown
    return shown.content


def meant(target: RuntimeId, one: Node, two: Node) -> Node:
    return one if target == HERE else two


@BOTH
@virtual
async def test_a_write_is_made_where_it_is_meant_and_shown_from_afar(
    scene: Scene, target: RuntimeId
) -> None:
    one, two = await scene.pair()
    done = await answer(one, target, request_id="io-1")
    assert done.denial is None
    shown = await view(one, target)
    assert (shown.runtime_id, shown.driver, shown.etag) == (target, "simulated", done.etag)
    node = meant(target, one, two)
    assert node.io_file.previous == LOOPBACK
    assert meant(target, two, one).io_file.writes == 0
    effect = [
        ("io.write", Phase.DECISION, None),
        ("io.write", Phase.OUTCOME, Outcome.EXECUTED),
    ]
    # Both sides of a remote write have their records, and a local one has them once.
    assert one.records(*KINDS, request_id="io-1") == effect
    assert node.records(*KINDS, request_id="io-1") == effect
    assert {r[0] for r in one.records("audit_id", request_id="io-1")} == {done.audit_id}


@BOTH
@virtual
async def test_a_repeated_write_is_answered_from_the_ledger(
    scene: Scene, target: RuntimeId
) -> None:
    one, two = await scene.pair()
    first = await answer(one, target, request_id="io-1")
    again = await answer(one, target, request_id="io-1")
    assert (again.replayed, again.etag, again.audit_id) == (True, first.etag, first.audit_id)
    assert meant(target, one, two).io_file.writes == 1


@BOTH
@virtual
async def test_the_decision_needs_an_engineer(scene: Scene, target: RuntimeId) -> None:
    one, two = await scene.pair()
    refused = await write(one, target, OPERATOR)
    assert isinstance(refused, Unanswered)
    assert (refused.denial.code, refused.refused) == (DenialCode.ACL_DENIED_CFG_WRITE, True)
    assert meant(target, one, two).io_file.writes == 0
    assert one.records("outcome") == [(Outcome.DENIED,)]
    shown = await one.services.fleet_io.view(target, OPERATOR)
    assert isinstance(shown, Shown)


@BOTH
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"drivers": [IoDriver(name="gpio")]}, DenialCode.CONTRACT_VIOLATION),
        ({"expected_etag": "sha256:0"}, DenialCode.REVISION_CONFLICT),
        ({"api_version": "2.0"}, DenialCode.CONTRACT_VIOLATION),
        ({"actor": " "}, DenialCode.CONTRACT_VIOLATION),
        ({"request_id": " "}, DenialCode.CONTRACT_VIOLATION),
    ],
)
@virtual
async def test_a_refusal_of_the_content_is_the_targets_own_answer(
    scene: Scene, target: RuntimeId, changes: dict[str, Any], code: DenialCode
) -> None:
    one, two = await scene.pair()
    refused = await answer(one, target, **changes)
    assert refused.denial is not None
    assert refused.denial.code is code
    assert refused.audit_id == one.records("audit_id")[-1][0]
    assert meant(target, one, two).io_file.writes == 0


@virtual
async def test_an_unknown_runtime_is_denied_with_the_decision(scene: Scene) -> None:
    one, _ = await scene.pair()
    for found in (
        await write(one, RuntimeId("ghost")),
        await one.services.fleet_io.view(RuntimeId("ghost"), ADMIN),
    ):
        assert isinstance(found, Unanswered)
        assert (found.denial.code, found.refused) == (DenialCode.TARGET_UNREACHABLE, True)


@virtual
async def test_a_local_read_makes_no_record_and_a_remote_one_two(scene: Scene) -> None:
    one, two = await scene.pair()
    await view(one, HERE)
    assert one.records() == []
    await view(one, THERE)
    read = ("status_read", Phase.SINGLE, Outcome.EXECUTED)
    assert one.records(*KINDS) == [read]
    assert two.records(*KINDS) == [read]


@virtual
async def test_a_file_that_says_nothing_is_told(scene: Scene) -> None:
    one, two = await scene.pair()
    one.io_file.text = two.io_file.text = "[io"
    with pytest.raises(StoreFailed, match=r"io\.toml"):
        await view(one, HERE)
    shown = await one.services.fleet_io.view(THERE, ADMIN)
    assert isinstance(shown, Unanswered)
    assert (shown.denial.code, shown.refused) == (DenialCode.TRANSPORT_FAILURE, False)
