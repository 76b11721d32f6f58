"""Serves the control socket: one line in, one line out (contract 14.4)."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from trust_runtime.adapters.control_socket.claiming import claim, is_same
from trust_runtime.adapters.control_socket.identity import caller_of, peer_uid
from trust_runtime.adapters.control_socket.lines import (
    LINE_BYTES_MAX,
    cut_off,
    read_call,
    refuse,
    too_long,
    write_reply,
)
from trust_runtime.contracts.actions import PAIR_CLAIM
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import ControlReply

CONNECTIONS_MAX: Final = 32
IDLE_S: Final = 60.0
"""How long a peer may take to send a whole line, and to take in an answer."""
_PIECE_BYTES: Final = 65_536
_SKIPPED_PIECES_MAX: Final = 16 * LINE_BYTES_MAX // _PIECE_BYTES


Admit = Callable[[str, str], Caller | Denial]


def _nobody(_token: str, _who: str) -> Denial:
    return deny(DenialCode.PERMISSION_DENIED, "auth: no token is valid here")


class Control(Protocol):
    """Who answers: `services.control.Control`."""

    async def handle(self, call: ControlCall, caller: Caller) -> ControlReply:
        """Return the reply to one call; a refusal is a reply too."""
        ...


class ControlSocket:
    """The local entrance. Whoever the kernel says is this user, or root, is admin here.

    Others need a token with each request.

    Args:
        path: of the socket, absolute.
        control: answers the calls; of one connection one at a time, in order.
        admit: says whose a token is; the second argument is whom guesses are counted for.
        idle_s: see `IDLE_S`.
    """

    def __init__(
        self, path: Path, control: Control, *, admit: Admit = _nobody, idle_s: float = IDLE_S
    ) -> None:
        self._path = path
        self._control = control
        self._admit = admit
        self._idle_s = idle_s
        self._server: asyncio.Server | None = None
        self._made: os.stat_result | None = None
        self._connections: set[asyncio.Task[object]] = set()

    async def open(self) -> None:
        """Make the socket and answer on it until `close`.

        Raises:
            StartRefused: the path cannot be had; naming it.
        """
        listener = claim(self._path)
        self._made = self._path.lstat()
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=LINE_BYTES_MAX, start_serving=False
        )
        await self._server.start_serving()

    async def close(self) -> None:
        """Remove the socket and end every connection, answered or not; safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        self._remove()
        server.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()

    def _remove(self) -> None:
        """Remove our socket, not one that somebody else has put in its place."""
        with suppress(OSError):
            if self._made is not None and is_same(self._path.lstat(), self._made):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._server is None or task is None:  # It came while we closed.
            writer.transport.abort()
        elif len(self._connections) >= CONNECTIONS_MAX:
            reason = f"{CONNECTIONS_MAX} control connections are open"
            writer.write(write_reply(refuse(deny(DenialCode.OVERLOADED, reason, "retry later"))))
            writer.close()
        else:
            task.set_name("control connection")
            self._connections.add(task)
            try:
                await self._converse(reader, writer)
            except asyncio.CancelledError:
                # Cancelled by `close`, who waits for the end; to others it is passed on.
                if self._server is not None:
                    raise
            finally:
                self._connections.discard(task)
                writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer line by line until the peer ends it, is too slow, or sends what has no end."""
        # Without a buffer of ours, what `drain` has let through is with the kernel.
        writer.transport.set_write_buffer_limits(high=0)
        uid = peer_uid(writer.get_extra_info("socket"))
        while (line := await self._read(reader)) is not None:
            reply = line if isinstance(line, ControlReply) else await self._answer(line, uid)
            if not await self._write(writer, reply) or reply is line:
                return

    async def _read(self, reader: asyncio.StreamReader) -> bytes | ControlReply | None:
        """Return the next line; the last reply if there can be no next one; None at the end."""
        try:
            async with asyncio.timeout(self._idle_s):
                return await self._read_line(reader)
        except asyncio.IncompleteReadError as end:
            return cut_off() if end.partial else None
        except (TimeoutError, OSError):
            return None

    async def _read_line(self, reader: asyncio.StreamReader) -> bytes | ControlReply:
        try:
            return await reader.readuntil()
        except asyncio.LimitOverrunError:
            # Taken in before it is answered, as far as bearable: who is still sending when we end
            # the connection may never get to read why.
            for _ in range(_SKIPPED_PIECES_MAX):
                piece = await reader.read(_PIECE_BYTES)
                if not piece or b"\n" in piece:
                    break
            return too_long()

    async def _answer(self, line: bytes, uid: int | None) -> ControlReply:
        call = read_call(line)
        if isinstance(call, ControlReply):
            return call
        asking = self._caller(call, uid)
        if isinstance(asking, Denial):
            return refuse(asking, call_id=call.id)
        return await self._control.handle(call, asking)

    def _caller(self, call: ControlCall, uid: int | None) -> Caller | Denial:
        """Return who asks: the user, when it is ours or root; else the owner of the token."""
        caller = caller_of(uid, own=os.geteuid())
        if caller is not None:
            return caller
        who = f"uid://{'unknown' if uid is None else uid}"
        if call.auth is not None:
            return self._admit(call.auth, who)
        if call.type == PAIR_CLAIM:
            return Caller(identity=who, role=Role.VIEWER)
        return deny(
            DenialCode.PERMISSION_DENIED,
            "the control socket serves the user who runs the runtime, root, and owners of a token",
            "run this as one of them, or send a token as auth",
        )

    async def _write(self, writer: asyncio.StreamWriter, reply: ControlReply) -> bool:
        """Send a reply; return False when the peer is gone or does not take it."""
        writer.write(write_reply(reply))
        try:
            async with asyncio.timeout(self._idle_s):
                await writer.drain()
        except (TimeoutError, OSError):
            return False
        return True
