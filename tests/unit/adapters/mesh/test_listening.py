"""`adapters.mesh.listening`, beyond the port's suite."""

import pytest

from port_contracts.mesh import BEACON, TOKEN, until
from port_contracts.mesh_members import Meshes
from trust_runtime.adapters.mesh.listening import TokenWatcher, _TokenChange
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.contracts.envelope import MeshMessage

pytestmark = pytest.mark.anyio


async def test_a_deletion_is_no_message(world: Meshes) -> None:
    mesh = world.alone()
    got: list[bytes] = []
    mesh.subscribe(BEACON, lambda message: got.append(message.body))
    await mesh.open()
    session = mesh._session
    assert session is not None
    session.delete(BEACON)
    mesh.put(MeshMessage(key=BEACON, body=b"after"))
    await until(lambda: got)
    assert got == [b"after"]


async def test_a_token_handler_that_fails_is_reported_and_goes_on(world: Meshes) -> None:
    mesh = world.alone()
    told: list[bool] = []

    def take(_: str, alive: bool) -> None:  # noqa: FBT001 - the port's signature
        told.append(alive)
        raise ValueError("no such thing")

    mesh.watch_tokens(TOKEN, take)
    mesh.hold_token(TOKEN)
    await mesh.open()
    await until(lambda: told == [True])
    mesh.release_token(TOKEN)
    await until(lambda: told == [True, False])
    assert "no such thing" in world.problems[0]


async def test_losses_of_several_subscriptions_to_one_key_add_up(world: Meshes) -> None:
    mesh = world.alone()
    got: list[bytes] = []
    mesh.subscribe(BEACON, lambda message: got.append(message.body))
    mesh.subscribe(BEACON, lambda message: got.append(message.body))
    await mesh.open()
    for _ in range(4_100):
        mesh.put(MeshMessage(key=BEACON, body=b"x"))
    assert mesh.dropped() == {BEACON: 8}
    await until(lambda: len(got) == 2 * 4_096)


async def test_large_messages_fill_the_queue_by_their_size(world: Meshes) -> None:
    mesh = world.alone()
    got: list[int] = []
    mesh.subscribe(BEACON, lambda message: got.append(len(message.body)))
    await mesh.open()
    for size in range(2**22, 2**22 - 6, -1):
        mesh.put(MeshMessage(key=BEACON, body=bytes(size)))
    await until(lambda: got)
    assert mesh.dropped() == {BEACON: 2}
    assert got == [2**22 - 2, 2**22 - 3, 2**22 - 4, 2**22 - 5]


async def watched(world: Meshes) -> tuple[ZenohMesh, TokenWatcher, list[bool]]:
    """Return the owner of a token that another member sees, its watcher, and what it was told."""
    owner, other = world.member(), world.member()
    told: list[bool] = []
    other.watch_tokens(TOKEN, lambda _, alive: told.append(alive))
    owner.hold_token(TOKEN)
    await owner.open()
    await other.open()
    await until(lambda: told == [True])
    watcher = other._listeners[-1]
    assert isinstance(watcher, TokenWatcher)
    return owner, watcher, told


async def test_a_token_that_vanished_with_an_old_link_is_found_again(world: Meshes) -> None:
    _, watcher, told = await watched(world)
    # The new link told first, which was no news; the loss of the old one comes last.
    watcher._inbox.offer(_TokenChange(TOKEN, alive=True), 1)
    watcher._inbox.offer(_TokenChange(TOKEN, alive=False), 1)
    await until(lambda: told == [True, False, True])
    await until(lambda: not watcher._looks)
    assert told == [True, False, True]


async def test_a_token_that_is_gone_is_not_found_again(world: Meshes) -> None:
    owner, watcher, told = await watched(world)
    owner.release_token(TOKEN)
    await until(lambda: told == [True, False])
    assert len(watcher._looks) == 2
    await until(lambda: not watcher._looks)
    assert told == [True, False]
