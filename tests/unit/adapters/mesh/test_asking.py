"""`adapters.mesh.asking`, beyond the port's suite."""

import asyncio

import pytest

from port_contracts.mesh import PROBE, TOKEN, ask, meet, until, until_answered
from port_contracts.mesh_members import Meshes
from trust_runtime.contracts.envelope import MeshMessage

pytestmark = pytest.mark.anyio


async def test_the_first_answer_is_taken_without_waiting_for_the_rest(world: Meshes) -> None:
    asker, quick, slow = world.member(), world.member(), world.member()

    async def never(_: MeshMessage) -> None:
        await asyncio.Event().wait()

    async def now(message: MeshMessage) -> MeshMessage:
        return MeshMessage(key=message.key, body=b"quick")

    quick.serve(PROBE, now, waiting_max=1)
    slow.serve(PROBE, never, waiting_max=1)
    seen: list[str] = []
    asker.watch_tokens(TOKEN, lambda key, _: seen.append(key))
    quick.hold_token(TOKEN)
    await meet(asker, slow)
    await quick.open()
    await until(lambda: seen)
    assert await ask(asker, timeout_ms=60_000) == MeshMessage(key=PROBE, body=b"quick")


async def test_a_thousand_cancelled_questions_harm_nobody(world: Meshes) -> None:
    asker, owner = world.member(), world.member()

    async def answer(message: MeshMessage) -> MeshMessage:
        return MeshMessage(key=message.key, body=message.body + b"!")

    owner.serve(PROBE, answer, waiting_max=2_000)
    await meet(asker, owner)
    for turns in range(20):  # Cancelled at every stage, also while the answer is being taken.
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(asker)) for _ in range(50)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in asked:
                task.cancel()
    await until_answered(asker, b"hello")
    assert world.problems == []
