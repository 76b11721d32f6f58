"""`adapters.mesh.lingering`: no close of a link blocks one of Zenoh's threads."""

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from port_contracts.mesh import DEADLINE_S, meet, until
from port_contracts.mesh_members import Meshes
from trust_runtime.adapters.mesh.lingering import Lingering, stop_lingering

OPEN_FILES = Path("/dev/fd")
TEN_SECONDS = struct.pack("ii", 1, 10)


def lingers(one: socket.socket) -> bool:
    on, _ = struct.unpack("ii", one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    return bool(on)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return both ends of a TCP connection; both linger."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        near = stack.enter_context(socket.create_connection(listener.getsockname()))
        far = stack.enter_context(listener.accept()[0])
        for one in (near, far):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, TEN_SECONDS)
        yield near, far


def test_no_tcp_socket_lingers_afterwards(pair: tuple[socket.socket, socket.socket]) -> None:
    assert stop_lingering() >= 2
    assert [lingers(one) for one in pair] == [False, False]
    assert stop_lingering() == 0


def test_the_connection_itself_goes_on(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    stop_lingering()
    near.sendall(b"still here")
    far.settimeout(DEADLINE_S)
    assert far.recv(64) == b"still here"


def test_other_sockets_and_files_are_left_alone(tmp_path: Path) -> None:
    with ExitStack() as stack:
        local, other = socket.socketpair()
        stack.enter_context(local)
        stack.enter_context(other)
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        stack.enter_context((tmp_path / "file").open("w"))
        for one in (local, datagrams):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, TEN_SECONDS)
        before = len(tuple(OPEN_FILES.iterdir()))
        stop_lingering()
        assert [lingers(one) for one in (local, datagrams)] == [True, True]
        assert len(tuple(OPEN_FILES.iterdir())) == before


@pytest.mark.anyio
async def test_a_link_made_later_does_not_linger_for_long(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, _ = pair
    lingering = Lingering()
    lingering.open(asyncio.get_running_loop())
    try:
        assert not lingers(near)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, TEN_SECONDS)
        await until(lambda: not lingers(near))
    finally:
        lingering.close()


@pytest.mark.anyio
async def test_links_of_an_open_mesh_stop_lingering(world: Meshes) -> None:
    await meet(world.member(), world.member())
    await until(lambda: not any(lingers(one) for one in own_sockets()))


@pytest.mark.anyio
async def test_zenoh_still_needs_it(world: Meshes, monkeypatch: pytest.MonkeyPatch) -> None:
    # Fails when Zenoh lingers no more: then this module and its use can go.
    monkeypatch.setattr(Lingering, "open", lambda _self, _loop: None)
    await meet(world.member(), world.member())
    assert stop_lingering() >= 2


def own_sockets() -> Iterator[socket.socket]:
    """Yield every TCP socket of this process, as a copy that is closed afterwards."""
    for entry in tuple(OPEN_FILES.iterdir()):
        if entry.is_socket():
            with socket.socket(fileno=os.dup(int(entry.name))) as one:
                if one.family == socket.AF_INET and one.type == socket.SOCK_STREAM:
                    yield one
