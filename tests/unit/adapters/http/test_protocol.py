"""`adapters.http.protocol`: deadlines and limits below the application, over real sockets."""

import asyncio
import json
import socket
import time
from contextlib import suppress

import pytest

from http_client import (
    CLOUD,
    READ,
    Behind,
    Reply,
    Served,
    parse_replies,
    serving,
    until_closed,
    until_reply,
    wait_for,
)
from trust_runtime.adapters.http.protocol import Connection, Limits

DISPATCH = f"{CLOUD}/actions/dispatch"
SOON_S = 0.3
QUICK = Limits(head_s=SOON_S, body_s=SOON_S, keep_alive_s=5.0, linger_s=0.2)
BODY = json.dumps(READ).encode()


def refused(reply: Reply, status: int, code: str) -> str:
    assert (reply.status, reply.json["denial_code"]) == (status, code)
    assert set(reply.json) == {"ok", "denial_code", "error", "remedy"}
    assert reply.headers["connection"] == "close"
    text: str = reply.json["error"]
    return text


def test_the_limits_are_those_of_the_contract() -> None:
    limits = Limits()
    assert (limits.connections, limits.head_bytes, limits.body_bytes) == (256, 16_384, 1_048_576)
    assert (limits.head_s, limits.body_s, limits.keep_alive_s) == (10.0, 10.0, 60.0)


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Send byte by byte, more often than any deadline, until the server has enough."""
    for number in range(len(text)):
        if writer.transport.is_closing():
            return
        writer.write(text[number : number + 1])
        await wait_a_moment()


async def until_cut(reader: asyncio.StreamReader) -> None:
    """Return when the connection ended without a word, by reset or by end."""
    with suppress(ConnectionError):
        assert await until_closed(reader) == b""


async def wait_a_moment() -> None:
    """Let a twentieth of a second pass: the slowness of the client is what is tested."""
    await asyncio.sleep(SOON_S / 6)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "start", [b"GET /", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", b"\r\n\r\n"]
)
async def test_a_head_that_drips_is_408_counted_from_its_first_byte(start: bytes) -> None:
    async with serving(limits=QUICK) as served, served.connection() as (reader, writer):
        began = time.monotonic()
        writer.write(start)
        slow = asyncio.ensure_future(
            drip(writer, b"\r\n" * 20 if start == b"\r\n\r\n" else b"E" * 40)
        )
        [reply] = parse_replies(await until_closed(reader))
        took = time.monotonic() - began
        slow.cancel()
    assert "head" in refused(reply, 408, "timeout")
    assert SOON_S <= took < 5 * SOON_S
    assert served.server.refused == {"late": 1}


@pytest.mark.anyio
async def test_every_head_on_a_connection_has_its_own_deadline() -> None:
    async with serving(limits=QUICK) as served, served.connection() as (reader, writer):
        for _ in range(3):
            writer.write(served.get()[:20])
            await wait_a_moment()
            await wait_a_moment()
            await wait_a_moment()
            writer.write(served.get()[20:])
            assert (await until_reply(reader)).status == 200


@pytest.mark.anyio
async def test_an_idle_connection_has_no_deadline_of_a_request() -> None:
    async with serving(limits=QUICK) as served, served.connection() as (reader, writer):
        for _ in range(10):
            await wait_a_moment()
        writer.write(served.get())
        assert (await until_reply(reader)).status == 200


@pytest.mark.anyio
async def test_a_body_that_drips_is_408_and_asks_nobody() -> None:
    patient = Limits(body_s=SOON_S, linger_s=60.0)
    async with serving(limits=patient) as served, served.connection() as (reader, writer):
        writer.write(served.post(DISPATCH, length=len(BODY)))
        slow = asyncio.ensure_future(drip(writer, BODY))
        [reply] = parse_replies(await until_closed(reader))
        slow.cancel()
        await wait_for(lambda: not served.server._state.tasks)
    assert "body" in refused(reply, 408, "timeout")
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_a_slow_answer_is_no_slow_request() -> None:
    behind = Behind(hold=asyncio.Event())
    async with serving(behind, limits=QUICK) as served, served.connection() as (reader, writer):
        assert behind.hold is not None
        writer.write(served.post(DISPATCH, length=len(BODY)) + BODY + served.get()[:9])
        for _ in range(14):
            await wait_a_moment()
        behind.hold.set()
        assert (await until_reply(reader)).status == 200
        writer.write(served.get()[9:])
        assert (await until_reply(reader)).status == 200


@pytest.mark.anyio
async def test_an_idle_connection_ends_without_a_word() -> None:
    limits = Limits(keep_alive_s=SOON_S)
    async with serving(limits=limits) as served:
        async with served.connection() as (reader, _):
            assert await until_closed(reader) == b""
        async with served.connection() as (reader, writer):
            writer.write(served.get())
            assert (await until_reply(reader)).status == 200
            assert await until_closed(reader) == b""


@pytest.mark.anyio
async def test_a_body_nobody_reads_keeps_no_connection_open() -> None:
    """A refused POST whose body drips on ends at the body's deadline."""
    async with serving(limits=QUICK) as served, served.connection() as (reader, writer):
        writer.write(served.post("/nope", length=1000))
        assert (await until_reply(reader)).status == 404
        slow = asyncio.ensure_future(drip(writer, b"x" * 40))
        await until_cut(reader)
        slow.cancel()


@pytest.mark.anyio
async def test_after_an_early_refusal_the_connection_goes_on() -> None:
    async with serving(limits=QUICK) as served, served.connection() as (reader, writer):
        writer.write(served.post("/nope", length=len(BODY)))
        assert (await until_reply(reader)).status == 404
        writer.write(BODY + served.get())
        assert (await until_reply(reader)).status == 200
        limits = Limits(keep_alive_s=SOON_S)
    async with serving(limits=limits) as served, served.connection() as (reader, writer):
        writer.write(served.post("/nope", length=len(BODY)))
        assert (await until_reply(reader)).status == 404
        writer.write(BODY)
        assert await until_closed(reader) == b"", "idle again, so its idle timer runs"


@pytest.mark.anyio
@pytest.mark.parametrize("closes", [False, True])
async def test_a_refusal_reaches_a_client_that_is_still_sending(*, closes: bool) -> None:
    size = 8 * 1_048_576
    async with serving() as served, served.connection() as (reader, writer):
        sent = served.post(DISPATCH, length=size)
        if closes:
            sent = sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        writer.write(sent)
        for _ in range(16):
            writer.write(b" " * (size // 16))
            await writer.drain()
        assert (await until_reply(reader)).status == 413


@pytest.mark.anyio
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 400)])
async def test_a_head_of_exactly_the_limit_is_accepted(
    extra: int, status: int, pieces: int
) -> None:
    async with serving() as served, served.connection() as (reader, writer):
        filler = 16_384 - len(served.get(**{"X-A": ""})) + extra
        head = served.get(**{"X-A": "a" * filler})
        assert len(head) == 16_384 + extra
        step = -(-len(head) // pieces)
        for at in range(0, len(head), step):
            writer.write(head[at : at + step])
            await writer.drain()
            await wait_a_moment()
        reply = await until_reply(reader)
        assert reply.status == status
        if status == 400:
            assert "16384 bytes" in refused(reply, 400, "contract_violation")


@pytest.mark.anyio
@pytest.mark.parametrize("part", ["url", "name", "value", "many"])
async def test_a_head_without_end_is_refused_at_its_limit(part: str) -> None:
    long = "a" * 1_000_000
    heads = {
        "url": f"GET /{long}",
        "name": f"GET / HTTP/1.1\r\n{long}",
        "value": f"GET / HTTP/1.1\r\nX: {long}",
        "many": "GET / HTTP/1.1\r\n" + "X: a\r\n" * 100_000,
    }
    async with serving() as served:
        [reply] = await served.say(heads[part].encode())
    assert "16384 bytes" in refused(reply, 400, "contract_violation")


@pytest.mark.anyio
async def test_a_pipelined_head_has_the_same_limit() -> None:
    async with serving() as served:
        long = served.get(**{"X-A": "a" * 20_000})
        replies = await served.say(served.get() + long)
    assert [reply.status for reply in replies][:1] == [200]
    assert len(replies) <= 2
    assert all(reply.status == 400 for reply in replies[1:])
    assert served.server.refused == {"malformed": 1}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "request_text",
    [
        b"garbage\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_400_and_the_end(request_text: bytes) -> None:
    async with serving() as served:
        [reply] = await served.say(request_text)
    refused(reply, 400, "contract_violation")


@pytest.mark.anyio
async def test_a_bad_chunk_is_400_and_asks_nobody() -> None:
    async with serving() as served:
        head = served.post(DISPATCH, length=1).replace(
            b"Content-Length: 1", b"Transfer-Encoding: chunked"
        )
        [reply] = await served.say(head + b"2\r\n{}\r\nzz\r\n")
    refused(reply, 400, "contract_violation")
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_garbage_behind_a_request_takes_its_answer_away_from_nobody() -> None:
    async with serving() as served:
        replies = await served.say(served.get() + b"garbage\r\n\r\n")
    assert [reply.status for reply in replies] == [200]


@pytest.mark.anyio
@pytest.mark.parametrize("tail", [b"garbage\r\n\r\n", b"GET /" + b"a" * 40_000])
async def test_what_cannot_be_read_waits_for_the_answer_before_it(tail: bytes) -> None:
    behind = Behind(hold=asyncio.Event())
    async with serving(behind) as served, served.connection() as (reader, writer):
        assert behind.hold is not None
        writer.write(served.post(DISPATCH, length=len(BODY)) + BODY)
        await wait_for(lambda: bool(behind.asked))
        for _ in range(3):
            writer.write(tail)
            await writer.drain()
            await wait_a_moment()
        behind.hold.set()
        replies = parse_replies(await until_closed(reader))
    assert [reply.status for reply in replies] == [200]
    assert served.server.refused == {"malformed": 1}


@pytest.mark.anyio
async def test_only_our_timer_runs_on_an_idle_connection() -> None:
    async with serving() as served, served.connection() as (reader, writer):
        writer.write(served.get())
        assert (await until_reply(reader)).status == 200
        [connection] = served.server._connections()
        assert connection.timeout_keep_alive_task is None


@pytest.mark.anyio
async def test_the_deadline_of_a_head_ends_no_idle_connection_and_is_set_again_for_the_next() -> (
    None
):
    limits = Limits(head_s=0.05, body_s=0.05, keep_alive_s=30.0)
    async with serving(limits=limits) as served, served.connection() as (reader, writer):
        writer.write(served.get())
        assert (await until_reply(reader)).status == 200
        [connection] = served.server._connections()
        # The one timer there is was set for the head; it must come to wait for the idle time.
        await wait_for(lambda: waits_s(connection) > 20)
        writer.write(served.get())
        assert (await until_reply(reader)).status == 200
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        replies = parse_replies(await until_closed(reader))
    assert [reply.status for reply in replies] == [408]


def waits_s(connection: Connection) -> float:
    """Return how long the connection's timer still runs."""
    timer = connection._timer
    return 0.0 if timer is None else timer.when() - asyncio.get_running_loop().time()


@pytest.mark.anyio
async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving() as served:
        wanted = ["/healthz", "/nope", f"{CLOUD}/state"] * 5
        text = b"".join(served.get(path) for path in wanted)
        replies = await served.say(text + served.get("/healthz", Connection="close"))
    assert [reply.status for reply in replies] == [200, 404, 200] * 5 + [200]


@pytest.mark.anyio
@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_an_upgrade_is_answered_in_http_and_the_connection_ends(protocol: str) -> None:
    async with serving() as served:
        upgrade = served.get(Connection="Upgrade", Upgrade=protocol)
        replies = await served.say(upgrade + b"\x81\x00")
    assert [reply.status for reply in replies] == [200]


@pytest.mark.anyio
async def test_http_1_0_is_answered_once() -> None:
    async with serving() as served:
        text = served.get().replace(b"HTTP/1.1", b"HTTP/1.0")
        replies = await served.say(text)
    assert [reply.status for reply in replies] == [200]


@pytest.mark.anyio
async def test_a_client_that_has_said_everything_gets_its_answer_and_the_end() -> None:
    behind = Behind(hold=asyncio.Event())
    patient = Limits(linger_s=60.0)
    async with serving(behind, limits=patient) as served, served.connection() as (reader, writer):
        assert behind.hold is not None
        writer.write(served.post(DISPATCH, length=len(BODY)) + BODY)
        writer.write_eof()
        await wait_for(lambda: bool(behind.asked))
        behind.hold.set()
        [reply] = parse_replies(await until_closed(reader))
        await wait_for(lambda: not served.server._state.connections)
    assert reply.status == 200


@pytest.mark.anyio
async def test_a_half_sent_body_asks_nobody() -> None:
    async with serving() as served:
        async with served.connection() as (_, writer):
            writer.write(served.post(DISPATCH, length=len(BODY)) + BODY[:-1])
            await wait_for(lambda: bool(served.server._state.tasks))
        await wait_for(lambda: not served.server._state.tasks)
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_expect_100_is_answered_when_the_body_is_wanted() -> None:
    async with serving() as served, served.connection() as (reader, writer):
        head = served.post(DISPATCH, length=len(BODY))
        writer.write(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(BODY)
        assert (await until_reply(reader)).status == 200


async def idle(served: Served, count: int) -> list[asyncio.StreamWriter]:
    """Open connections that say nothing; return when the server has them."""
    before = len(served.server._state.connections)
    writers = [(await asyncio.open_connection("127.0.0.1", served.port))[1] for _ in range(count)]
    await wait_for(lambda: len(served.server._state.connections) == before + count)
    return writers


@pytest.mark.anyio
async def test_a_connection_beyond_the_limit_is_503_until_another_ends() -> None:
    limits = Limits(connections=3, surplus_connections=2)
    async with serving(limits=limits) as served:
        writers = await idle(served, 2)
        assert (await served.ask("GET", "/healthz")).status == 200
        await wait_for(lambda: len(served.server._state.connections) == 2)
        writers += await idle(served, 1)
        reply = await served.ask("GET", "/healthz")
        assert (reply.status, reply.json["denial_code"]) == (503, "overloaded")
        assert reply.headers["retry-after"] == "1"
        assert reply.headers["connection"] == "close"
        assert served.server.refused == {"connections": 1}
        writers.pop().close()
        await wait_for(lambda: len(served.server._state.connections) == 2)
        assert (await served.ask("GET", "/healthz")).status == 200
        for writer in writers:
            writer.close()


@pytest.mark.anyio
async def test_connections_far_beyond_the_limit_are_cut() -> None:
    limits = Limits(connections=1, surplus_connections=1)
    async with serving(limits=limits) as served:
        writers = await idle(served, 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        await until_cut(reader)
        assert served.server.refused == {"connections_cut": 1}
        for one in (*writers, writer):
            one.close()


@pytest.mark.anyio
async def test_a_client_that_does_not_read_is_cut() -> None:
    """An answer larger than every buffer between both ends, of which nothing is read."""
    limits = Limits(keep_alive_s=SOON_S)
    behind = Behind(state=b"x" * 32_000_000)
    async with serving(behind, limits=limits) as served:
        client = socket.create_connection(("127.0.0.1", served.port))
        with client:
            client.sendall(served.get(f"{CLOUD}/state"))
            await wait_for(lambda: bool(served.server._state.total_requests))
            assert served.server._state.connections
            await wait_for(lambda: not served.server._state.connections)


@pytest.mark.anyio
async def test_a_reset_that_the_loop_has_not_heard_of_yet_ends_the_connection_quietly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def reset(_transport: asyncio.Transport) -> None:
        raise OSError(107, "Transport endpoint is not connected")

    transport = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined] # private
    monkeypatch.setattr(transport, "write_eof", reset)
    async with serving() as served:
        async with served.connection() as (reader, writer):
            writer.write(served.get(Connection="close"))
            with suppress(ConnectionError):
                await until_closed(reader)
        await wait_for(lambda: not served.server._state.connections)
        assert not caplog.records
