"""`adapters.mesh.blocking`: no session is lost when the one who waits for it goes away."""

import asyncio
import threading

import pytest
import zenoh

from port_contracts.mesh import until
from port_contracts.mesh_members import PRESS
from trust_runtime.adapters.mesh.blocking import close_in_thread, open_in_thread
from trust_runtime.adapters.mesh.session_config import MeshOptions, session_config

pytestmark = pytest.mark.anyio

ALONE = MeshOptions(owner=PRESS, role="peer")


def open_alone() -> zenoh.Session:
    return zenoh.open(session_config(ALONE, None))


async def test_a_session_is_opened_and_closed() -> None:
    session = await open_in_thread(open_alone)
    assert not session.is_closed()
    await close_in_thread(session)
    assert session.is_closed()


@pytest.mark.parametrize("cancelled", ["before it opens", "after"])
async def test_a_session_nobody_waits_for_is_closed(cancelled: str) -> None:
    go_on = threading.Event()
    made: list[zenoh.Session] = []

    def make() -> zenoh.Session:
        if cancelled == "before it opens":
            assert go_on.wait(10)
        made.append(open_alone())
        return made[0]

    async with asyncio.TaskGroup() as group:
        opening = group.create_task(open_in_thread(make))
        await asyncio.sleep(0)  # It starts its thread.
        while cancelled == "after" and not made:
            pass  # The loop gets no turn in which to hear of it.
        opening.cancel()
    go_on.set()
    await until(lambda: made and made[0].is_closed())


async def test_closing_goes_on_when_it_is_cancelled() -> None:
    session = await open_in_thread(open_alone)
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(close_in_thread(session))
        await asyncio.sleep(0)
        closing.cancel()
    await until(session.is_closed)
