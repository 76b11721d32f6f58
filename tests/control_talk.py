"""Both ends of a control socket for tests: who answers there, and a client that sends raw bytes."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import ControlReply

NOBODY = 65_534
ANOTHER = 65_533
WAIT_S = 20.0


class Echo:
    """Answers every call with what it says; `hang` waits until it is cancelled."""

    def __init__(self) -> None:
        self.calls: list[ControlCall] = []
        self.callers: list[Caller] = []
        self.hanging = asyncio.Event()
        self.cancelled = 0

    async def handle(self, call: ControlCall, caller: Caller) -> ControlReply:
        self.calls.append(call)
        self.callers.append(caller)
        if call.type == "hang":
            await self._hang()
        if call.type == "break":
            raise ZeroDivisionError
        if call.type == "big":
            return ControlReply(id=call.id, ok=True, result="x" * call.params["bytes"])
        return ControlReply(id=call.id, ok=True, result=call.params)

    async def _hang(self) -> None:
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class Talker:
    """One connection; every wait has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def say(self, line: bytes) -> None:
        async with asyncio.timeout(WAIT_S):
            self.writer.write(line)
            await self.writer.drain()

    async def hear(self) -> dict[str, Any]:
        """Return the next answer."""
        async with asyncio.timeout(WAIT_S):
            answer: dict[str, Any] = json.loads(await self._reader.readuntil())
            return answer

    async def ask(self, **members: Any) -> dict[str, Any]:
        """Send members as one line and return the answer."""
        await self.say(json.dumps(members).encode() + b"\n")
        return await self.hear()

    async def wait_end(self) -> bytes:
        """Return what still comes until the other side ends the connection."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""


@asynccontextmanager
async def talking(path: Path) -> AsyncIterator[Talker]:
    """Yield a connection to the socket at `path`."""
    reader, writer = await asyncio.open_unix_connection(path, limit=64 * 1024 * 1024)
    try:
        yield Talker(reader, writer)
    finally:
        writer.transport.abort()


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """Be another user for as long as it lasts; only root can."""
    own = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(own)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that every user can enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def dead_socket(path: Path) -> None:
    """Leave a socket file as a killed process does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
