"""Bytes that are hardly HTTP, sent to a running server; one seed is one sequence of bytes."""

import random
import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from trust_runtime.adapters.http.table import ROUTES

CLOUD = "/api/runtime-cloud"
ANSWER_S = 5.0
_STREAM = b"content-type: text/event-stream"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_ROUTED = tuple((route.method, re.sub(r"{\w+}", "audit-1", route.path)) for route in ROUTES)
_PATHS = (
    *(path for method, path in _ROUTED if method != "POST"),
    *("/", "/nothing", "*", "http://x/healthz", f"{CLOUD}/state?at=2026-11-24T14:05:00Z"),
    *(f"{CLOUD}/config?target=%ff", f"{CLOUD}/timeline?since=1&limit=2"),
)
_POSTS = tuple(path for method, path in _ROUTED if method == "POST")
_BODIES = (
    b"{}",
    b"",
    b"[]",
    b'{"a":1,"a":2}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"api_version":"1.0","n":NaN}',
    b'{"x":"\\ud800"}',
    b'{"x":' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"x":' + b"9" * 5_000 + b"}",
    (
        b'{"api_version":"1.0","request_id":"r","connected_via":"runtime-a","actor":"local://x",'
        b'"target_runtimes":["runtime-a"],"action_type":"status_read"}'
    ),
)
_HEADERS = (
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Content-Length: -1"),
    *(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Content-Length: 99999999999999999999"),
    *(
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Transfer-Encoding: xchunked",
        b"Content-Length: 1_0",
    ),
    *(b"Expect: 100-continue", b"Connection: close", b"Connection: keep-alive, Upgrade"),
    *(
        b"Upgrade: websocket",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
        b"Trailer: Host",
    ),
    *(
        b"Host: evil.example",
        b"Host:",
        b"Origin: null",
        b"Origin: http://evil.example",
        b"Cookie: a",
    ),
    *(
        b"Last-Event-ID: 00000000-1",
        b'If-Match: W/"x"',
        b"X-Forwarded-For: 10.0.0.1",
        b" folded: x",
    ),
    *(
        b"Name : space",
        b"No colon here",
        b"Nul: a\x00b",
        b"Latin: \xe9\xff",
        b"X: " + b"a" * 20_000,
    ),
)
_FOREIGN = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    bytes.fromhex("160301006e0100006a0303") + bytes(range(100)),
    b"SSH-2.0-OpenSSH_9.0\r\n",
    b"GET /healthz\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"\r\n" * 50,
    b"\x00" * 100,
    b"G",
    b"",
)


class Case(NamedTuple):
    """What one connection is sent."""

    pieces: tuple[bytes, ...]
    """Each in a segment of its own."""

    cut: bool
    """Reset the connection instead of reading the answer."""


class Answer(NamedTuple):
    """What came back until the server closed."""

    content: bytes
    statuses: tuple[int, ...]


def make_case(seed: int, host: str) -> Case:
    """Return the connection of one seed."""
    chance = random.Random(seed)  # noqa: S311 - the same seed must give the same bytes
    count = chance.choice((1, 1, 1, 2, 3, 8))
    content = b"".join(_request(chance, host) for _ in range(count))
    for _ in range(chance.choice((0, 0, 1, 2, 6))):
        content = chance.choice(_MUTATIONS)(chance, content)
    return Case(tuple(_split(chance, content)), cut=chance.random() < 0.15)


def _request(chance: random.Random, host: str) -> bytes:
    if chance.random() < 0.08:
        return chance.choice(_FOREIGN)
    posting = chance.random() < 0.5
    method = chance.choice(
        ("GET", "GET", "HEAD", "OPTIONS", "DELETE", "PUT", "TRACE", "get", "G\tT")
    )
    path = chance.choice(_PATHS)
    lines = [f"Host: {host}".encode()]
    body = b""
    if posting:
        method, path, body = "POST", chance.choice(_POSTS), chance.choice(_BODIES)
        lines.append(b"Content-Type: application/json")
        lines.append(b"Content-Length: %d" % (len(body) + chance.choice((0, 0, 0, 0, 1, -1, 7))))
        if chance.random() < 0.3:
            lines[-1], body = b"Transfer-Encoding: chunked", _chunked(chance, body)
    lines += chance.sample(_HEADERS, chance.choice((0, 0, 0, 1, 2)))
    head = b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *lines, b"", b""])
    return head + body


def _chunked(chance: random.Random, body: bytes) -> bytes:
    """Return a chunked body; most of them are wrong somewhere."""
    size = chance.choice((b"%x", b"%X", b"00%x", b"%x;a=b", b"-%x", b"0x%x", b"%x ", b"f%x"))
    end = chance.choice((b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"0\n\n", b"", b"0\r\n"))
    return size % len(body) + chance.choice((b"\r\n", b"\r\n", b"\n")) + body + b"\r\n" + end


def _flip(chance: random.Random, content: bytes) -> bytes:
    if not content:
        return content
    at = chance.randrange(len(content))
    return content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]


def _insert(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    extra = chance.choice((b"\r", b"\n", b"\r\n\r\n", b"\x00", b"\x80", b" ", b":", b"\t", b"%00"))
    return content[:at] + extra + content[at:]


def _remove(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + content[at + chance.choice((1, 2, 20)) :]


def _repeat(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + content[at : at + 40] * chance.choice((2, 50)) + content[at:]


_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (_flip, _insert, _remove, _repeat)


def _split(chance: random.Random, content: bytes) -> Iterator[bytes]:
    pieces = chance.choice((1, 1, 2, 5))
    cuts = sorted(chance.randrange(len(content) + 1) for _ in range(pieces - 1))
    for start, end in zip((0, *cuts), (*cuts, len(content)), strict=True):
        yield content[start:end]


def play(case: Case, port: int) -> Answer:
    """Send a case, say that nothing follows, and return what came until the server closed.

    Raises:
        TimeoutError: the server neither answered nor closed.
    """
    with closing(socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in case.pieces:
                client.sendall(piece)
            if case.cut:
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return Answer(b"", ())
            client.shutdown(socket.SHUT_WR)
        except (ConnectionError, OSError):
            pass  # It closed before it had read all: its answer is on the way, or lost with it.
        content = _read(client)
    return Answer(content, tuple(int(status) for status in _STATUS.findall(content)))


def _read(client: socket.socket) -> bytes:
    content = bytearray()
    try:
        # A stream does not end by itself: whoever asked for it leaves.
        while _STREAM not in content and (part := client.recv(65_536)):
            content += part
    except ConnectionError:
        pass
    return bytes(content)


def is_alive(port: int) -> bool:
    """Tell whether the next well-formed request gets its answer."""
    case = Case((b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port,), cut=False)
    answer = play(case, port)
    return answer.statuses == (200,) and answer.content.endswith(b'{"ok":true}')


def problem_of(seed: int, port: int) -> str | None:
    """Play one seed; return what was wrong with the server's behaviour, or None."""
    case = make_case(seed, f"127.0.0.1:{port}")
    try:
        answer = play(case, port)
    except TimeoutError:
        return f"seed {seed}: no answer and not closed within {ANSWER_S} s: {case.pieces!r}"
    bad = [status for status in answer.statuses if status >= 500]
    if bad:
        return f"seed {seed}: status {bad[0]}: {case.pieces!r} got {answer.content[-600:]!r}"
    if answer.content and not answer.content.startswith(b"HTTP/1.1 "):
        return f"seed {seed}: no HTTP in {answer.content[:200]!r}"
    if not is_alive(port):
        return f"seed {seed}: the next well-formed request is not answered: {case.pieces!r}"
    return None
