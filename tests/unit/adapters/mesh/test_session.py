"""`adapters.mesh.session`: the port's suite on real sessions, and what only Zenoh can do."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from port_contracts.mesh import (
    BEACON,
    DEADLINE_S,
    PROBE,
    MeshContract,
    echo,
    meet,
    until,
    until_answered,
)
from port_contracts.mesh_members import Member, Members, Meshes, free_address
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import ContractViolation, MeshUnavailable
from trust_runtime.contracts.ids import BootId, parse_runtime_id
from trust_runtime.contracts.keyspace import ALL_TOKENS, probe_key, token_key
from trust_runtime.ports.mesh import Silence

pytestmark = pytest.mark.anyio


class TestZenohMesh(MeshContract):
    pass


SHARED = "for tests"
FORGETFUL = """
import asyncio, sys
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.adapters.mesh.session_config import MeshOptions
mesh = ZenohMesh(MeshOptions(owner="press-1", role="peer", listen=("tcp/" + sys.argv[1],)))
mesh.subscribe("a", print)
mesh.watch_tokens("b", print)
mesh.serve("c", None, waiting_max=1)
mesh.hold_token("d")
asyncio.run(mesh.open())
"""
PRESS = parse_runtime_id("press-2")


async def linked(world: Meshes, member: Member, **changes: Any) -> tuple[ZenohMesh, list[bool]]:
    """Return an open session linked to `member`, and what it was told of its token."""
    mesh = world.alone(connect=(f"tcp/{member.address}",), **changes)
    told: list[bool] = []
    mesh.watch_tokens(ALL_TOKENS, lambda _, alive: told.append(alive))
    await mesh.open()
    await until(lambda: told == [True])
    return mesh, told


async def test_a_killed_process_is_told(world: Meshes, processes: Members) -> None:
    member = await processes.start("press-2")
    mesh, told = await linked(world, member)
    await member.kill()
    await until(lambda: told == [True, False])
    question = MeshMessage(key=probe_key(PRESS), body=b"")
    assert await mesh.query(question, timeout_ms=5_000) is Silence.NOBODY


async def test_a_frozen_process_times_out_and_is_told(world: Meshes, processes: Members) -> None:
    member = await processes.start("press-2", lease_ms=1_000)
    mesh, told = await linked(world, member)
    member.signal(signal.SIGSTOP)
    question = MeshMessage(key=probe_key(PRESS), body=b"")
    assert await mesh.query(question, timeout_ms=100) is Silence.TIMEOUT
    await until(lambda: told == [True, False])
    member.signal(signal.SIGCONT)


async def test_a_process_that_leaves_ends(world: Meshes, processes: Members) -> None:
    member = await processes.start("press-2")
    _, told = await linked(world, member)
    assert await member.leave() == 0
    await until(lambda: told == [True, False])


def test_a_process_that_never_closes_ends_all_the_same() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORGETFUL, free_address()], timeout=20, check=True
    )
    assert ended.returncode == 0


async def test_nothing_of_ours_is_left_after_close(world: Meshes) -> None:
    mesh, other = world.member(), world.member()
    before = set(threading.enumerate())
    mesh.serve(PROBE, echo, waiting_max=1)
    await meet(other, mesh)
    await other.close()
    await mesh.close()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert all(name.startswith("asyncio_") for name in left)  # The loop's own, ended by it.


async def test_a_busy_port_is_named_and_can_be_tried_again(world: Meshes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mesh = world.alone(f"127.0.0.1:{port}")
        mesh.hold_token(token_key(PRESS, BootId("b")))
        with pytest.raises(MeshUnavailable, match=str(port)):
            await mesh.open()
        assert not mesh.is_open
    await mesh.open()
    assert mesh.is_open


async def test_a_client_without_its_router_says_so(world: Meshes) -> None:
    address = free_address()
    client = world.alone(role="client", listen=(), connect=(f"tcp/{address}",))
    with pytest.raises(MeshUnavailable, match=address):
        await client.open()


async def test_a_client_takes_part_through_a_peer_that_listens(world: Meshes) -> None:
    address = free_address()
    owner = world.alone(address)
    owner.serve(PROBE, echo, waiting_max=1)
    await owner.open()
    client = world.alone(role="client", listen=(), connect=(f"tcp/{address}",))
    await client.open()
    await until_answered(client, b"hello")


async def test_a_missing_folder_for_the_users_is_named(world: Meshes, tmp_path: Path) -> None:
    mesh = world.alone(auth_token=SHARED, users_file=tmp_path / "missing" / "users")
    with pytest.raises(MeshUnavailable, match="missing"):
        await mesh.open()


async def test_the_secret_is_nowhere_once_open(world: Meshes, tmp_path: Path) -> None:
    users_file = tmp_path / "users"
    mesh = world.alone(auth_token=SHARED, users_file=users_file)
    await mesh.open()
    assert not users_file.exists()


async def test_a_mute_address_does_not_hold_up_close(world: Meshes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mesh = world.alone(connect=(f"tcp/127.0.0.1:{mute.getsockname()[1]}",))
        await mesh.open()
        accepted, _ = await asyncio.to_thread(mute.accept)
        with accepted:
            async with asyncio.timeout(DEADLINE_S / 2):  # Zenoh's own limits are 10 s.
                await mesh.close()


async def test_opening_that_is_cancelled_leaves_the_port_free(world: Meshes) -> None:
    mesh = world.alone()
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(mesh.open())
        await asyncio.sleep(0)  # It has begun, and waits for its thread.
        opening.cancel()
    assert not mesh.is_open
    await until_open(mesh)


async def until_open(mesh: ZenohMesh) -> None:
    while not mesh.is_open:
        with contextlib.suppress(MeshUnavailable):
            await mesh.open()


async def test_a_message_too_large_is_dropped_and_the_link_stays(world: Meshes) -> None:
    sender, receiver = world.member(), world.member()
    got: list[int] = []
    receiver.subscribe(BEACON, lambda message: got.append(len(message.body)))
    await meet(receiver, sender)
    sender.put(MeshMessage(key=BEACON, body=bytes(5 * 2**20)))
    sender.put(MeshMessage(key=BEACON, body=b"1"))
    await until(lambda: got)
    assert got == [1]


async def test_a_bad_key_is_refused_when_it_is_declared(world: Meshes) -> None:
    mesh = world.alone()
    with pytest.raises(ContractViolation, match="a//b"):
        mesh.subscribe("a//b", lambda _: None)
    await mesh.open()
    mesh.put(MeshMessage(key="a//b", body=b""))
    assert await mesh.query(MeshMessage(key="a//b", body=b""), timeout_ms=1) is Silence.NOBODY
    assert mesh.problems() == {"message not sent": 1, "query not sent": 1}
