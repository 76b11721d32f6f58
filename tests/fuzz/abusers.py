"""Clients that a server must survive: slow ones, and bodies that are made to cost (T09, T10).

    PYTHONPATH=src:tests python -m fuzz.abusers PORT SECONDS slow|costly

Runs until the time is over and prints one line of JSON: how many answers of each status, and how
long each kind of costly body took at the median and at the most, in milliseconds.
"""

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from fuzz.pauses import wait_s

SLOW_HEADS: Final = 60
SLOW_BODIES: Final = 60
_SLOW_S: Final = 0.5
_PAUSE_S: Final = 0.2
"""Between two costly bodies of one kind: the measure is of one after another, not of a flood."""

_PATH: Final = "/api/runtime-cloud/actions/preflight"
_MEBI: Final = 1_048_576

BODIES: Final[Mapping[str, bytes]] = {
    "oversized": b'{"x":"' + b"a" * (10 * _MEBI) + b'"}',
    "deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(80_000)) + b"}",
    "duplicate keys": b"{" + b",".join([b'"actor":1'] * 90_000) + b"}",
    "long number": b'{"x":' + b"9" * 4_000 + b"}",
    "huge exponent": b'{"x":1e400}',
    "surrogate": b'{"x":"\\ud800"}',
    "utf-16": '{"x":"a"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "brackets in a string": b'{"x":"' + b"[{" * 400_000 + b'"}',
    "long key": b'{"' + b"a" * 1_000_000 + b'":1}',
    "objects": b'{"payload":[' + b",".join([b'{"b":1}'] * 16_000) + b"]}",
    "escapes": b'{"x":"' + b'\\"' * 400_000 + b'"}',
}


class Seen:
    """What the abusers got."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.took_ms: dict[str, list[float]] = defaultdict(list)

    def told(self) -> str:
        """Return it as one line."""
        times = {
            kind: {"median_ms": round(sorted(ms)[len(ms) // 2], 1), "most_ms": round(max(ms), 1)}
            for kind, ms in sorted(self.took_ms.items())
        }
        return json.dumps({"statuses": dict(sorted(self.statuses.items())), "bodies": times})


async def slow_head(port: int, seen: Seen) -> None:
    """Send a head that is never complete, a byte at a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for byte in f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX: {'a' * 9_000}".encode():
            writer.write(bytes([byte]))
            await writer.drain()
            if await _answered(reader, seen):
                return
    finally:
        writer.close()


async def slow_body(port: int, seen: Seen) -> None:
    """Announce a body and send it a byte at a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_head(port, 1_000))
        for _ in range(1_000):
            writer.write(b" ")
            await writer.drain()
            if await _answered(reader, seen):
                return
    finally:
        writer.close()


async def _answered(reader: asyncio.StreamReader, seen: Seen) -> bool:
    """Wait for the pause of a slow client; tell whether the server ended it meanwhile."""
    try:
        async with asyncio.timeout(_SLOW_S):
            line = await reader.readline()
    except TimeoutError:
        return False
    seen.statuses[_status(line)] += 1
    return True


async def costly(port: int, seen: Seen, kind: str) -> None:
    """Send one body that is made to cost, and time its answer."""
    body = BODIES[kind]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        began_s = time.perf_counter()
        writer.write(_head(port, len(body)) + body)
        line = await reader.readline()
        seen.took_ms[kind].append((time.perf_counter() - began_s) * 1_000)
        seen.statuses[_status(line)] += 1
    finally:
        writer.close()
    await wait_s(_PAUSE_S)


def _head(port: int, length: int) -> bytes:
    return (
        f"POST {_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _status(line: bytes) -> str:
    return line.split()[1].decode() if line.startswith(b"HTTP/1.1 ") else "closed"


async def abuse(port: int, seconds: float, kind: str) -> Seen:
    """Run every client of one kind again and again until the time is over."""
    seen = Seen()

    async def again(work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except OSError:
                seen.statuses["reset"] += 1

    works: list[Callable[[], Awaitable[None]]] = [
        *([partial(slow_head, port, seen)] * SLOW_HEADS),
        *([partial(slow_body, port, seen)] * SLOW_BODIES),
    ]
    if kind == "costly":
        works = [partial(costly, port, seen, name) for name in BODIES]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(again(work)) for work in works]
        await wait_s(seconds)
        for task in running:
            task.cancel()
    return seen


def main() -> int:
    """Abuse what the command line names."""
    seen = asyncio.run(abuse(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
    sys.stdout.write(seen.told() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
