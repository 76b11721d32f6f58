"""Knocks and datagrams on real sockets of the loopback."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest

from trust_runtime.adapters.reach.sockets import DATAGRAM_BYTES_MAX, SocketReach
from trust_runtime.contracts.sight import Knock

SOON_S = 5.0
LOOPBACKS = ["127.0.0.1", "::1"]


@contextmanager
def bound(host: str = "127.0.0.1", kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """Give a socket that has a port, and skip where there is no such loopback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.socket(family, kind)
        made.bind((host, 0))
    except OSError as error:
        pytest.skip(f"no {host} here ({error})")
    with made:
        yield made


def place(of: socket.socket) -> str:
    host, port = of.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def free(host: str = "127.0.0.1", kind: int = socket.SOCK_DGRAM) -> str:
    """Return an address that nobody uses."""
    with bound(host, kind) as used:
        return place(used)


class Inbox:
    """What arrived."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self._arrived = asyncio.Event()

    def take(self, datagram: bytes, source: str) -> None:
        self.got.append((datagram, source))
        self._arrived.set()

    async def wait_for(self, count: int) -> list[tuple[bytes, str]]:
        async with asyncio.timeout(SOON_S):
            while len(self.got) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.got


@pytest.fixture
async def pair() -> AsyncGenerator[tuple[SocketReach, SocketReach, Inbox, str, str], None]:
    """Two that are open, what the second got, and the addresses of both."""
    first, second = free(), free()
    one, other, inbox = SocketReach([first]), SocketReach([second]), Inbox()
    await one.open(lambda *_: None)
    await other.open(inbox.take)
    yield one, other, inbox, first, second
    await one.close()
    await other.close()


# Knocks


@pytest.mark.anyio
@pytest.mark.parametrize("host", LOOPBACKS)
async def test_a_listener_accepts_whether_or_not_its_process_ever_does(host: str) -> None:
    with bound(host) as listener:
        listener.listen(8)
        assert await SocketReach([]).knock(place(listener), timeout_ms=5_000) is Knock.ACCEPTED


@pytest.mark.anyio
@pytest.mark.parametrize("host", LOOPBACKS)
async def test_a_host_without_a_listener_refuses(host: str) -> None:
    assert (
        await SocketReach([]).knock(free(host, socket.SOCK_STREAM), timeout_ms=5_000)
        is Knock.REFUSED
    )


@pytest.mark.anyio
async def test_whoever_answers_nothing_is_silent_for_as_long_as_was_allowed() -> None:
    loop = asyncio.get_running_loop()
    with bound() as listener:
        listener.listen(0)
        # A full backlog: the kernel drops every further SYN, as a host that is cut off does.
        waiting: list[socket.socket] = []
        try:
            while await _fills(listener, waiting):
                assert len(waiting) < 64
            started_s = loop.time()
            assert await SocketReach([]).knock(place(listener), timeout_ms=300) is Knock.SILENT
            assert 0.28 <= loop.time() - started_s < SOON_S
        finally:
            for one in waiting:
                one.close()


async def _fills(listener: socket.socket, waiting: list[socket.socket]) -> bool:
    """Connect once more; tell whether the kernel still took it."""
    link = socket.socket()
    link.settimeout(0)
    waiting.append(link)
    try:
        async with asyncio.timeout(0.3):
            await asyncio.get_running_loop().sock_connect(link, listener.getsockname())
    except TimeoutError:
        return False
    return True


@pytest.mark.anyio
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:-1",
        "127.0.0.1:x",
        "127.0.0.1:",
        "127.0.0.1",
        "localhost:80",
        "",
        ":80",
        "256.0.0.1:80",
    ],
)
async def test_an_address_that_is_none_is_silent_and_gets_nothing(
    address: str, pair: tuple[SocketReach, SocketReach, Inbox, str, str]
) -> None:
    one, _, inbox, _, second = pair
    assert await one.knock(address, timeout_ms=1_000) is Knock.SILENT
    one.send(address, b"nowhere")
    # Whoever named such an address has not broken anything.
    one.send(second, b"still there")
    assert [datagram for datagram, _ in await inbox.wait_for(1)] == [b"still there"]


@pytest.mark.anyio
async def test_no_route_is_silence() -> None:
    assert await SocketReach([]).knock("255.255.255.255:9", timeout_ms=2_000) is Knock.SILENT


@pytest.mark.anyio
async def test_a_knock_that_is_cancelled_ends() -> None:
    with bound() as listener:
        listener.listen(0)
        waiting: list[socket.socket] = []
        try:
            while await _fills(listener, waiting):
                pass
            before = len(asyncio.all_tasks())
            knock = asyncio.create_task(SocketReach([]).knock(place(listener), timeout_ms=60_000))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asyncio.shield(knock)
            assert len(asyncio.all_tasks()) > before
            knock.cancel()
            with pytest.raises(asyncio.CancelledError):
                await knock
            assert len(asyncio.all_tasks()) == before
        finally:
            for one in waiting:
                one.close()


# Datagrams


@pytest.mark.anyio
@pytest.mark.parametrize("host", LOOPBACKS)
async def test_datagrams_go_both_ways_and_name_their_source(host: str) -> None:
    first, second = free(host), free(host)
    one, other = SocketReach([first]), SocketReach([second])
    here, there = Inbox(), Inbox()
    await one.open(here.take)
    await other.open(there.take)
    try:
        one.send(second, b"there")
        assert await there.wait_for(1) == [(b"there", first)]
        # The source is an address that can be answered.
        other.send(there.got[0][1], b"and back")
        assert await here.wait_for(1) == [(b"and back", second)]
    finally:
        await one.close()
        await other.close()


@pytest.mark.anyio
async def test_the_socket_of_the_same_family_is_used() -> None:
    four, six = free("127.0.0.1"), free("::1")
    target_four, target_six = free("127.0.0.1"), free("::1")
    one, other, inbox = SocketReach([four, six]), SocketReach([target_four, target_six]), Inbox()
    await one.open(lambda *_: None)
    await other.open(inbox.take)
    try:
        one.send(target_six, b"six")
        one.send(target_four, b"four")
        got = await inbox.wait_for(2)
        assert sorted(got) == [(b"four", four), (b"six", six)]
    finally:
        await one.close()
        await other.close()


@pytest.mark.anyio
async def test_without_a_socket_of_that_family_nothing_is_sent() -> None:
    target, own = free("::1"), free("127.0.0.1")
    one, other, inbox = SocketReach([own]), SocketReach([target]), Inbox()
    await one.open(inbox.take)
    await other.open(inbox.take)
    try:
        one.send(target, b"no way")
        one.send(own, b"to itself")
        assert await inbox.wait_for(1) == [(b"to itself", own)]
    finally:
        await one.close()
        await other.close()


@pytest.mark.anyio
async def test_a_datagram_of_the_full_length_is_taken_and_a_longer_one_is_not(
    pair: tuple[SocketReach, SocketReach, Inbox, str, str],
) -> None:
    one, _, inbox, first, second = pair
    one.send(second, b"x" * (DATAGRAM_BYTES_MAX + 1))
    one.send(second, b"y" * DATAGRAM_BYTES_MAX)
    assert await inbox.wait_for(1) == [(b"y" * DATAGRAM_BYTES_MAX, first)]


@pytest.mark.anyio
async def test_what_no_socket_carries_is_lost_and_the_next_arrives(
    pair: tuple[SocketReach, SocketReach, Inbox, str, str],
) -> None:
    one, _, inbox, _, second = pair
    one.send(second, b"x" * 70_000)
    one.send(free(), b"nobody listens there")
    one.send("255.255.255.255:9", b"not allowed")
    one.send(second, b"next")
    assert [datagram for datagram, _ in await inbox.wait_for(1)] == [b"next"]


@pytest.mark.anyio
async def test_while_too_much_waits_for_the_kernel_what_is_sent_is_lost(
    pair: tuple[SocketReach, SocketReach, Inbox, str, str],
) -> None:
    one, _, inbox, _, second = pair
    ((transport, _),) = one._sockets
    waits = transport.get_protocol()
    waits.pause_writing()
    one.send(second, b"lost")
    waits.resume_writing()
    one.send(second, b"taken")
    assert [datagram for datagram, _ in await inbox.wait_for(1)] == [b"taken"]


@pytest.mark.anyio
async def test_a_port_in_use_opens_none_and_knocking_still_works() -> None:
    with bound(kind=socket.SOCK_DGRAM) as used, bound() as listener:
        listener.listen(8)
        own = free()
        one = SocketReach([own, place(used)])
        with pytest.raises(OSError, match="in use"):
            await one.open(lambda *_: None)
        one.send(own, b"from nowhere")
        assert await one.knock(place(listener), timeout_ms=5_000) is Knock.ACCEPTED
        # The first address is free again.
        other, inbox = SocketReach([own]), Inbox()
        await other.open(inbox.take)
        other.send(own, b"mine")
        assert await inbox.wait_for(1) == [(b"mine", own)]
        await other.close()


@pytest.mark.anyio
async def test_closed_it_takes_and_sends_nothing() -> None:
    own, target = free(), free()
    one, other, inbox = SocketReach([own]), SocketReach([target]), Inbox()
    one.send(target, b"not open yet")
    await one.open(lambda *_: None)
    await other.open(inbox.take)
    await one.close()
    await one.close()
    one.send(target, b"too late")
    other.send(target, b"last")
    assert [datagram for datagram, _ in await inbox.wait_for(1)] == [b"last"]
    await other.close()
