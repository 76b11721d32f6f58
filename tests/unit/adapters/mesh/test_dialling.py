"""`adapters.mesh.dialling`: links made while the session is open."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from port_contracts.mesh import DEADLINE_S, PROBE, echo, until, until_answered
from port_contracts.mesh_members import Member, Members, Meshes, free_address
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import BootId, parse_runtime_id
from trust_runtime.contracts.keyspace import ALL_TOKENS, probe_key, token_key

pytestmark = pytest.mark.anyio

SHARED = "for tests"

Told = list[tuple[str, bool]]


async def stranger(world: Meshes, number: int, **changes: Any) -> tuple[ZenohMesh, str, Told]:
    """Return an open peer that knows nobody, its address, and what it is told of tokens."""
    address = free_address()
    owner = parse_runtime_id(f"press-{number}")
    mesh = world.alone(address, **{"owner": owner, **changes})
    told: Told = []
    mesh.watch_tokens(ALL_TOKENS, lambda key, alive: told.append((key, alive)))
    mesh.hold_token(token_of(number))
    await mesh.open()
    await until(lambda: told == [(token_of(number), True)])
    return mesh, address, told


def token_of(number: int) -> str:
    return token_key(parse_runtime_id(f"press-{number}"), BootId("boot"))


def tells(key_part: str, *, alive: bool) -> Callable[[dict[str, Any]], bool]:
    return lambda event: (
        event["event"] == "token" and event["alive"] is alive and key_part in event["key"]
    )


async def boot_of(mesh: ZenohMesh, name: str) -> bytes:
    """Return who answers the probe of `name`."""
    question = MeshMessage(key=probe_key(parse_runtime_id(name)), body=b"")
    answer: object = None
    async with asyncio.timeout(10):
        while not isinstance(answer, MeshMessage):
            answer = await mesh.query(question, timeout_ms=500)
    return answer.body


async def test_two_strangers_see_and_answer_each_other(world: Meshes) -> None:
    one, _, told_one = await stranger(world, 2)
    two, address, told_two = await stranger(world, 1)
    two.serve(PROBE, echo, waiting_max=1)
    assert await one.dial(address)
    await until(lambda: (token_of(1), True) in told_one and (token_of(2), True) in told_two)
    await until_answered(one, b"hello")


async def test_dialling_again_changes_nothing(world: Meshes) -> None:
    one, own_address, told_one = await stranger(world, 1)
    two, address, told_two = await stranger(world, 2)
    three, third, _ = await stranger(world, 3)
    for _ in range(3):
        assert await one.dial(address)
        assert await two.dial(own_address)
        assert await one.dial(third)
        assert await three.dial(address)
    await until(lambda: len(told_one) == len(told_two) == 3)
    assert all(alive for _, alive in told_one + told_two)  # No link was ever interrupted.


async def test_the_own_address_needs_no_link(world: Meshes) -> None:
    one, address, told = await stranger(world, 1)
    assert await one.dial(address)
    assert told == [(token_of(1), True)]


@pytest.mark.parametrize("address", ["", "localhost:1", "127.0.0.1:x", "127.0.0.1", "#:1", ":1"])
async def test_what_is_no_address_is_not_dialled(world: Meshes, address: str) -> None:
    one, _, _ = await stranger(world, 1)
    assert not await one.dial(address)


async def test_an_address_where_nobody_listens_is_false(world: Meshes) -> None:
    one, _, _ = await stranger(world, 1)
    assert not await one.dial(free_address())


async def test_an_address_where_something_else_listens_is_false(world: Meshes) -> None:
    one, _, told = await stranger(world, 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert not await one.dial(f"127.0.0.1:{mute.getsockname()[1]}")
    assert told == [(token_of(1), True)]


async def test_a_client_cannot_dial_and_says_why(world: Meshes) -> None:
    _, address, _ = await stranger(world, 1)
    client = world.alone(role="client", listen=(), connect=(f"tcp/{address}",))
    await client.open()
    assert not await client.dial(address)
    assert "mesh.connect" in world.problems[0]


async def test_both_may_dial_at_the_same_time(world: Meshes) -> None:
    one, first, told_one = await stranger(world, 1)
    two, second, told_two = await stranger(world, 2)
    assert all(await asyncio.gather(one.dial(second), two.dial(first)))
    await until(lambda: len(told_one) == len(told_two) == 2)
    assert all(alive for _, alive in told_one + told_two)


async def test_ten_that_all_dial_each_other_form_a_full_mesh(world: Meshes) -> None:
    members = [await stranger(world, number) for number in range(10)]
    addresses = [address for _, address, _ in members]
    left = [(mesh, address) for mesh, _, _ in members for address in addresses]
    async with asyncio.timeout(DEADLINE_S):
        while left:  # A dial has little time; on a busy machine it is repeated, as by `Dialling`.
            dialled = await asyncio.gather(*(mesh.dial(address) for mesh, address in left))
            left = [pair for pair, done in zip(left, dialled, strict=True) if not done]
    everybody = sorted(token_of(number) for number in range(10))
    await until(lambda: all(len(told) >= 10 for _, _, told in members))
    for _, _, told in members:
        assert sorted(key for key, _ in told) == everybody
    for mesh, _, _ in members:  # Links, not only words passed on by others.
        assert mesh._session is not None
        assert len(mesh._session.info.peers_zid()) == 9


async def test_ten_processes_that_all_dial_each_other_form_a_full_mesh(processes: Members) -> None:
    names = [f"press-{number}" for number in range(10)]
    members = [await processes.start(name) for name in names]

    async def dial_all(member: Member) -> None:
        for other in members:
            assert await member.dial(other.address)

    await asyncio.gather(*(dial_all(member) for member in members))
    for member in members:
        for name in names:
            await member.expect(tells(f"/{name}/", alive=True))
    assert not [
        event for member in members for event in member.events if event.get("alive") is False
    ]


async def test_with_the_same_token_they_link(world: Meshes) -> None:
    one, _, told = await stranger(world, 1, auth_token=SHARED)
    _, address, _ = await stranger(world, 2, auth_token=SHARED)
    assert await one.dial(address)
    await until(lambda: (token_of(2), True) in told)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param("secret", "other", id="another token"),
        pytest.param("secret", None, id="one without"),
        pytest.param("REPLACE_ME", "REPLACE_ME", id="a placeholder on both sides"),
    ],
)
async def test_without_the_same_token_there_is_no_link(
    world: Meshes, ours: str, theirs: str | None
) -> None:
    one, first, told_one = await stranger(world, 1, auth_token=ours)
    two, second, told_two = await stranger(world, 2, auth_token=theirs)
    assert not any(await asyncio.gather(one.dial(second), two.dial(first)))
    assert len(told_one) == len(told_two) == 1


@pytest.mark.parametrize("who_dials", ["restarted", "survivor"])
async def test_after_a_kill_either_side_may_dial(
    world: Meshes, processes: Members, who_dials: str
) -> None:
    survivor, own_address, told = await stranger(world, 1)
    member = await processes.start("press-2")
    assert await survivor.dial(member.address)
    await until(lambda: len(told) == 2)
    await member.kill()
    await until(lambda: len(told) == 3)
    again = await processes.start("press-2", member.address)
    dialled = again.dial(own_address) if who_dials == "restarted" else survivor.dial(again.address)
    assert await dialled
    await until(lambda: len(told) == 4)
    await again.expect(tells("/press-1/", alive=True))
    assert await boot_of(survivor, "press-2") == f"boot-{again.pid}".encode()


async def test_after_a_freeze_dialling_heals_the_link(world: Meshes, processes: Members) -> None:
    survivor, _, told = await stranger(world, 1)
    member = await processes.start("press-2", lease_ms=500)
    assert await survivor.dial(member.address)
    await until(lambda: len(told) == 2)
    member.signal(signal.SIGSTOP)
    await until(lambda: len(told) == 3)
    assert told[-1][1] is False
    member.signal(signal.SIGCONT)
    async with asyncio.timeout(20):
        while not await survivor.dial(member.address):
            pass
    await until(lambda: told[-1][1] is True)
    assert await boot_of(survivor, "press-2") == f"boot-{member.pid}".encode()


async def test_more_dials_than_may_wait_are_refused(world: Meshes) -> None:
    one, _, _ = await stranger(world, 1)
    with socket.create_server(("127.0.0.1", 0), backlog=200) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            dials = [group.create_task(one.dial(address)) for _ in range(70)]
            await until(lambda: sum(dial.done() for dial in dials) == 6)
            await one.close()  # Ends all that wait, and those under way.
    assert not any(dial.result() for dial in dials)
    assert "too many" in world.problems[0]


async def test_a_dial_that_is_cancelled_leaves_nothing(world: Meshes) -> None:
    one, _, _ = await stranger(world, 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with asyncio.TaskGroup() as group:
            dial = group.create_task(one.dial(f"127.0.0.1:{mute.getsockname()[1]}"))
            await until(lambda: one._session and one._session.info.peers_zid())
            dial.cancel()
    assert dial.cancelled()
    await until(lambda: one._session and not one._session.info.peers_zid())
