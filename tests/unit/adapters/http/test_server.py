"""`adapters.http.server`: opened, served, closed in order."""

import asyncio
import json
import signal
import socket
from contextlib import suppress

import pytest

from http_client import (
    CLOUD,
    READ,
    Behind,
    build,
    parse_replies,
    serving,
    until_closed,
    until_reply,
    wait_for,
)
from trust_runtime.adapters.http.protocol import Limits
from trust_runtime.contracts.errors import StartRefused

DISPATCH = f"{CLOUD}/actions/dispatch"
SHORT = Limits(linger_s=0.2)
BODY = json.dumps(READ).encode()


def taken_port() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.anyio
async def test_a_taken_port_names_the_address_and_a_free_port() -> None:
    with taken_port() as blocker:
        port = blocker.getsockname()[1]
        server = build(Behind(), port)
        with pytest.raises(StartRefused) as refused:
            await server.open()
        await server.close()
    assert f"runtime.web.listen: cannot listen on 127.0.0.1:{port}" in refused.value.reason
    free = int(refused.value.remedy.rpartition(" ")[2])
    assert port < free <= port + 100
    with socket.create_server(("127.0.0.1", free)):
        pass


@pytest.mark.anyio
async def test_an_address_of_another_machine_is_refused_without_a_guess() -> None:
    server = build(Behind(), 8080, ip="192.0.2.1")
    with pytest.raises(StartRefused) as refused:
        await server.open()
    assert "192.0.2.1:8080" in refused.value.reason
    assert refused.value.remedy == "set runtime.web.listen to another address"


@pytest.mark.anyio
async def test_open_holds_the_port_and_makes_early_clients_wait() -> None:
    server = build(Behind(), 0)
    await server.open()
    with pytest.raises(StartRefused):
        await build(Behind(), server.port).open()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(), name="http")
        assert (await until_reply(reader)).status == 200
        await server.close()
    writer.close()


@pytest.mark.anyio
async def test_the_port_is_free_again_after_close() -> None:
    server = build(Behind(), 0)
    await server.open()
    port = server.port
    await server.close()
    again = build(Behind(), port)
    await again.open()
    await again.close()
    async with serving() as served:
        assert (await served.ask("GET", "/healthz")).status == 200
    again = build(Behind(), served.port)
    await again.open()
    await again.close()


@pytest.mark.anyio
async def test_close_may_come_at_any_time_and_again() -> None:
    server = build(Behind(), 0)
    await server.close()
    server = build(Behind(), 0)
    await server.open()
    await server.close()
    await server.close()
    await server.serve()
    async with serving() as served:
        await served.server.close()
        await served.server.close()
        async with asyncio.timeout(5):
            await served.task


@pytest.mark.anyio
async def test_ipv6_loopback() -> None:
    server = build(Behind(), 0, ip="::1")
    await server.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(), name="http")
        reader, writer = await asyncio.open_connection("::1", server.port)
        writer.write(f"GET /readyz HTTP/1.1\r\nHost: [::1]:{server.port}\r\n\r\n".encode())
        assert (await until_reply(reader)).status == 200
        writer.write(f"GET {CLOUD}/state HTTP/1.1\r\nHost: [0::1]:{server.port}\r\n\r\n".encode())
        assert (await until_reply(reader)).status == 200
        writer.close()
        await server.close()


@pytest.mark.anyio
async def test_signals_are_left_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving() as served:
        assert (await served.ask("GET", "/healthz")).status == 200
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


@pytest.mark.anyio
async def test_serve_may_be_cancelled() -> None:
    server = build(Behind(), 0)
    await server.open()
    task = asyncio.ensure_future(server.serve())
    await wait_for(lambda: server._listener is not None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    await server.close()


@pytest.mark.anyio
async def test_close_ends_idle_connections_at_once() -> None:
    async with serving(grace_s=30.0) as served:
        async with served.connection() as (fresh, _), served.connection() as (used, writer):
            writer.write(served.get())
            assert (await until_reply(used)).status == 200
            async with asyncio.timeout(5):
                await served.server.close()
            assert await until_closed(fresh) == b""
            assert await until_closed(used) == b""


@pytest.mark.anyio
async def test_close_lets_a_running_request_finish() -> None:
    behind = Behind(hold=asyncio.Event())
    async with (
        serving(behind, limits=SHORT, grace_s=30.0) as served,
        served.connection() as (reader, writer),
    ):
        assert behind.hold is not None
        writer.write(served.post(DISPATCH, length=len(BODY)) + BODY)
        await wait_for(lambda: bool(behind.asked))
        closing = asyncio.ensure_future(served.server.close())
        await wait_for(lambda: served.server._pipeline.stopping)
        assert not closing.done()
        behind.hold.set()
        [reply] = parse_replies(await until_closed(reader))
        async with asyncio.timeout(5):
            await closing
    assert reply.status == 200
    assert reply.headers["connection"] == "close"


@pytest.mark.anyio
async def test_while_closing_a_new_request_is_503() -> None:
    behind = Behind(hold=asyncio.Event())
    async with serving(behind, limits=SHORT, grace_s=30.0) as served:
        async with served.connection() as (reader, writer), served.connection() as (late, other):
            assert behind.hold is not None
            writer.write(served.post(DISPATCH, length=len(BODY)) + BODY)
            other.write(served.get()[:10])
            await wait_for(lambda: bool(behind.asked))
            closing = asyncio.ensure_future(served.server.close())
            await wait_for(lambda: served.server._pipeline.stopping)
            other.write(served.get()[10:])
            [refused] = parse_replies(await until_closed(late))
            assert (refused.status, refused.json["denial_code"]) == (503, "transport_failure")
            assert "stopping" in refused.json["error"]
            writer.write(served.get())
            behind.hold.set()
            replies = parse_replies(await until_closed(reader))
            assert replies[0].status == 200
            await closing


@pytest.mark.anyio
async def test_what_does_not_finish_is_told_so_and_cut() -> None:
    behind = Behind(hold=asyncio.Event())
    async with serving(behind, grace_s=0.2) as served:
        async with served.connection() as (reader, writer), served.connection() as (half, other):
            writer.write(served.post(DISPATCH, length=len(BODY)) + BODY)
            other.write(b"GET /hea")
            await wait_for(lambda: bool(behind.asked))
            async with asyncio.timeout(5):
                await served.server.close()
            [reply] = parse_replies(await until_closed(reader))
            assert (reply.status, reply.json["denial_code"]) == (503, "transport_failure")
            assert "same request_id" in reply.json["remedy"]
            assert not served.server._state.tasks
            with suppress(ConnectionError):
                assert await until_closed(half) == b""


@pytest.mark.anyio
async def test_allowed_hosts_follow_the_settings_in_force() -> None:
    async with serving() as served:
        sent = {"Host": "plant.example:77"}
        assert (await served.ask("GET", "/healthz", headers=sent)).status == 403
        web = served.server._web()
        served.server._web = lambda: type(web)(
            enabled=True, listen=web.listen, allowed_hosts=("plant.example:77",)
        )
        assert (await served.ask("GET", "/healthz", headers=sent)).status == 200


@pytest.mark.anyio
async def test_the_host_name_of_the_machine_is_an_own_name() -> None:
    name = socket.gethostname()
    async with serving() as served:
        for host in (name, f"{name.partition('.')[0]}.local", name.upper()):
            sent = {"Host": f"{host}:{served.port}"}
            assert (await served.ask("GET", "/healthz", headers=sent)).status == 200


@pytest.mark.anyio
async def test_many_clients_at_once() -> None:
    async with serving(limits=Limits(connections=64)) as served:
        replies = await asyncio.gather(*(served.ask("POST", DISPATCH, READ) for _ in range(60)))
    assert {reply.status for reply in replies} == {200}
