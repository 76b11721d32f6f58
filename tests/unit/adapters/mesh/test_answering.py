"""`adapters.mesh.answering`, beyond the port's suite."""

import asyncio
import contextlib

import pytest

from port_contracts.mesh import DEADLINE_S, PROBE, TOKEN, ask, echo, meet, until, until_answered
from port_contracts.mesh_members import Meshes
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.ports.mesh import Silence

pytestmark = pytest.mark.anyio

AUDIT = "truST/default-site/press-1/diag/audit"


async def test_a_wildcard_question_is_nobodys(world: Meshes) -> None:
    asker, owner = world.member(), world.member()
    owner.serve(PROBE, echo, waiting_max=1)
    await meet(asker, owner)
    question = MeshMessage(key="truST/*/*/svc/probe", body=b"hello")
    assert await asker.query(question, timeout_ms=5_000) is Silence.NOBODY
    await until_answered(asker, b"hello")


async def test_an_answer_in_the_background_comes_before_the_end_of_its_query(
    world: Meshes,
) -> None:
    asker, owner = world.member(), world.member()
    owner.serve(AUDIT, echo, waiting_max=1_000)
    await meet(asker, owner)
    question = MeshMessage(key=AUDIT, body=b"hello")
    # Many at once: what has to wait for the link leaves by priority.
    for _ in range(5):
        asked = [asker.query(question, timeout_ms=9_000) for _ in range(500)]
        assert Silence.NOBODY not in await asyncio.gather(*asked)


async def test_places_are_free_again_after_each_answer(world: Meshes) -> None:
    asker, owner = world.member(), world.member()
    owner.serve(PROBE, echo, waiting_max=1)
    await meet(asker, owner)
    for _ in range(5):
        await until_answered(asker, b"hello")


async def test_a_handler_that_ignores_its_cancellation_holds_up_neither_token_nor_close(
    world: Meshes,
) -> None:
    asker, owner = world.member(), world.member()
    entered, release = asyncio.Event(), asyncio.Event()
    told: list[bool] = []

    async def stubborn(message: MeshMessage) -> MeshMessage:
        entered.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        return message

    owner.serve(PROBE, stubborn, waiting_max=1)
    owner.hold_token(TOKEN)
    asker.watch_tokens(TOKEN, lambda _, alive: told.append(alive))
    await meet(asker, owner)
    await until(lambda: told == [True])
    session = owner._session
    assert session is not None
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        question = group.create_task(ask(asker))
        await entered.wait()
        closing = group.create_task(owner.close())
        await until(lambda: told == [True, False])
        assert not session.is_closed()  # Its leaving was told first.
        await closing
        release.set()
    assert isinstance(question.result(), Silence)
