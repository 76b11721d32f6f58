"""`adapters.http.arriving`: HTTPS over real sockets, and clients that never shake hands."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from http_client import CLOUD, READ, WAIT_S, Behind, Served, serving, until_closed, wait_for
from trust_runtime.adapters.http.protocol import Limits
from trust_runtime.adapters.http.tls import load_pair
from web_certificates import Authority


@asynccontextmanager
async def secure(folder: Path, *, limits: Limits | None = None) -> AsyncIterator[Served]:
    authority = Authority(folder)
    behind = Behind(tls=load_pair(authority.issue(hosts=("127.0.0.1", "localhost"))))
    async with serving(behind, limits=limits) as served:
        served.trusting = ssl.create_default_context(cafile=authority.bundle)
        yield served


@asynccontextmanager
async def plainly(
    served: Served,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.anyio
async def test_requests_are_answered_over_tls_with_hsts(tmp_path: Path) -> None:
    async with secure(tmp_path) as served:
        for path in ("/healthz", f"{CLOUD}/state", "/api/docs", "/nope"):
            reply = await served.ask("GET", path)
            assert reply.status == (404 if path == "/nope" else 200)
            assert reply.headers["strict-transport-security"] == "max-age=31536000"
        posted = await served.ask("POST", f"{CLOUD}/actions/dispatch", READ)
        assert posted.status == 200


@pytest.mark.anyio
async def test_plain_http_says_nothing_of_hsts() -> None:
    async with serving() as served:
        reply = await served.ask("GET", "/healthz")
        assert "strict-transport-security" not in reply.headers


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://{host}", 200), ("http://{host}", 403), ("https://elsewhere.example", 403)],
)
async def test_only_pages_of_the_https_server_may_write(
    tmp_path: Path, origin: str, status: int
) -> None:
    async with secure(tmp_path) as served:
        headers = {"Origin": origin.format(host=served.host)}
        reply = await served.ask("POST", f"{CLOUD}/actions/dispatch", READ, headers=headers)
        assert reply.status == status


@pytest.mark.anyio
async def test_several_requests_share_a_connection_and_a_stream_goes_on(tmp_path: Path) -> None:
    async with secure(tmp_path) as served, served.connection() as (reader, writer):
        for _ in range(3):
            writer.write(served.get())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.write(served.get(f"{CLOUD}/events"))
        async with asyncio.timeout(WAIT_S):
            await reader.readuntil(b"event: snapshot")
            served.behind.past.stream.send("timeline", {"n": 1})
            await reader.readuntil(b'data: {"n":1}')


@pytest.mark.anyio
async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    tmp_path: Path,
) -> None:
    async with secure(tmp_path) as served:
        assert served.trusting is not None
        to_us, to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
        side = served.trusting.wrap_bio(to_us, to_them, server_hostname="127.0.0.1")
        async with plainly(served) as (reader, writer):
            done = False
            while not done:
                try:
                    side.do_handshake()
                    side.write(served.get("/healthz", Connection="close"))
                    done = True
                except ssl.SSLWantReadError:
                    writer.write(to_them.read())
                    to_us.write(await reader.read(65_536))
            writer.write(to_them.read())
            answer = b""
            async with asyncio.timeout(WAIT_S):
                while b"HTTP/1.1 200" not in answer:
                    to_us.write(await reader.read(65_536))
                    try:
                        answer += side.read(65_536)
                    except ssl.SSLWantReadError:
                        continue


@pytest.mark.anyio
async def test_plain_text_on_the_port_gets_no_answer(tmp_path: Path) -> None:
    async with secure(tmp_path) as served, plainly(served) as (reader, writer):
        writer.write(served.get())
        assert b"HTTP" not in await until_closed(reader)
        await wait_for(lambda: served.server.refused["tls"] == 1)
        assert (await served.ask("GET", "/healthz")).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_who_does_not_finish_the_handshake_is_cut_at_the_deadline(
    tmp_path: Path, sent: bytes
) -> None:
    limits = Limits(head_s=0.3)
    async with secure(tmp_path, limits=limits) as served, plainly(served) as (reader, writer):
        writer.write(sent)
        await until_closed(reader)
        await wait_for(lambda: served.server.refused["tls"] == 1)


@pytest.mark.anyio
async def test_who_trickles_a_handshake_is_cut_at_the_same_deadline(tmp_path: Path) -> None:
    limits = Limits(head_s=0.5)
    async with secure(tmp_path, limits=limits) as served, plainly(served) as (reader, writer):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300)

        sent = 0
        while not reader.at_eof():
            writer.write(hello[sent : sent + 1])
            sent += 1
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.02):
                    await reader.read(1)
        assert 1 < sent < len(hello), "it was cut in the midst of it"


@pytest.mark.anyio
async def test_open_handshakes_are_bounded_and_leave_the_others_their_place(
    tmp_path: Path,
) -> None:
    limits = Limits(connections=3, surplus_connections=2)
    async with secure(tmp_path, limits=limits) as served:
        async with served.connection() as (reader, writer):
            silent = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(8)]
            await wait_for(lambda: served.server.refused["connections_cut"] == 3)
            writer.write(served.get())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            for _, one in silent:
                one.close()


@pytest.mark.anyio
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_are_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async with secure(tmp_path) as served:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # That they are old is the point.
            old.minimum_version = version
            old.maximum_version = version
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", served.port, ssl=old)
        assert (await served.ask("GET", "/healthz")).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"])
async def test_weak_ciphers_are_refused(tmp_path: Path, cipher: str) -> None:
    async with secure(tmp_path) as served:
        weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        weak.check_hostname, weak.verify_mode = False, ssl.CERT_NONE
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers(cipher)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", served.port, ssl=weak)


@pytest.mark.anyio
async def test_closing_waits_for_no_handshake(tmp_path: Path) -> None:
    async with secure(tmp_path) as served:
        async with plainly(served) as (reader, writer):
            writer.write(b"\x16")
            assert (await served.ask("GET", "/healthz")).status == 200, "it was taken before this"
            await served.server.close()
            await until_closed(reader)
