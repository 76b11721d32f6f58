"""One HTTP connection: uvicorn's parser under deadlines and limits that uvicorn does not have.

A connection is always in one phase, and each phase has one timer, so no client can hold a
connection by sending slowly, by sending nothing, or by not reading its answer.
"""

import asyncio
import math
from collections import Counter
from enum import Enum, unique
from typing import Any, Final, cast

import httptools
from msgspec import Struct
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from trust_runtime.adapters.http.errors import Refusal, refuse_malformed, to_bytes
from trust_runtime.contracts.denial import DenialCode, deny

TARGET: Final = "target"
"""Member of the ASGI scope's `state` that has the request target exactly as it was sent."""

SURPLUS: Final = "surplus"
"""Member of the ASGI scope's `state` that is True on a connection beyond the limit."""

_REQUEST_TIMEOUT: Final = 408
_TOGETHER_BYTES_MAX: Final = 16_384
_FIELD_EXTRA_BYTES: Final = 4  # ": " and the end of the line


class Limits(Struct, frozen=True, kw_only=True):
    """How much and how long (contract 1.6)."""

    connections: int = 256
    """At the same time; further ones are answered with 503."""

    surplus_connections: int = 256
    """Beyond `connections`; still further ones are cut without an answer."""

    head_bytes: int = 16_384
    """Request line and headers."""

    head_s: float = 10.0
    """From the first byte of a request until its head is complete."""

    body_bytes: int = 1_048_576
    """Exactly that many are accepted."""

    body_s: float = 10.0
    """From the end of the head until the body is complete."""

    keep_alive_s: float = 60.0
    """How long a connection may be idle, and how long an answer may lie unread."""

    linger_s: float = 2.0
    """How long a client has to close its side after the last answer."""


class Traffic:
    """What the connections of one server share."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refused: Counter[str] = Counter()
        self.none_left = asyncio.Event()
        self.none_left.set()


@unique
class _Phase(Enum):
    IDLE = "idle"  # Between requests, or while one is being answered.
    HEAD = "head"
    BODY = "body"
    CLOSING = "closing"  # Whatever still comes is thrown away.


class Connection(HttpToolsProtocol):
    """One client."""

    def __init__(self, config: Config, state: ServerState, traffic: Traffic) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self._traffic = traffic
        self._limits = traffic.limits
        self._phase = _Phase.IDLE
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = math.inf
        self._given_s = 0.0
        self._head_bytes = 0
        self._field_bytes = 0
        self._surplus = False
        self._last_request = False
        self._deaf = False
        self._heard_all = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn declares it
        """Count the connection in and start its idle timer."""
        super().connection_made(transport)
        self._traffic.none_left.clear()
        surplus = len(self.connections) - self._limits.connections
        self._surplus = surplus > 0
        if surplus > self._limits.surplus_connections:
            self._traffic.refused["connections_cut"] += 1
            self.abort()
            return
        self._arm(self._limits.head_s if self._surplus else self._limits.keep_alive_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._phase = _Phase.CLOSING
        self._disarm()
        if self._timer is not None:
            self._timer.cancel()
        if not self.connections:
            self._traffic.none_left.set()

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse what is no HTTP/1.1 or too long."""
        if self._phase is _Phase.CLOSING or self._deaf:
            return
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.HEAD)
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here: the request is answered as it stands (RFC 9110,
            # 7.8), but what follows it may already be in the other protocol.
            self._end_with_last_answer()
        except httptools.HttpParserError:
            if self._field_bytes > self._limits.head_bytes:
                self._refuse_long_head()
            else:
                self._refuse(refuse_malformed("the request is no well-formed HTTP/1.1"))

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn drops what is being answered
        """Answer a client that says it has sent everything; tell whether to stay open for that.

        A client that says so in the midst of its answer has left: nobody reads a stream to its end
        with its own side closed.
        """
        if self.transport.get_extra_info("ssl_object") is not None:
            return False  # TLS says goodbye in both directions at once.
        newest = self._newest()
        if self._phase in (_Phase.BODY, _Phase.CLOSING) or newest is None:
            return False
        if newest.response_started:
            return False
        self._heard_all = True
        self._end_with_last_answer()
        return True

    def on_message_begin(self) -> None:
        """Note a head that begins behind another request in the same packet."""
        super().on_message_begin()
        self._field_bytes = 0
        if self._phase is not _Phase.HEAD:
            self._enter(_Phase.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, unless the head grew too long with it."""
        self._field_bytes += len(name) + len(value) + _FIELD_EXTRA_BYTES
        if self._field_bytes + len(self.url) > self._limits.head_bytes:
            self._field_bytes = self._limits.head_bytes + 1
            raise ValueError(self._limits.head_bytes)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request to the application; its body may follow until the deadline."""
        self.scope["state"] = {TARGET: self.url, SURPLUS: self._surplus}
        super().on_headers_complete()
        self.cycle.transport = _AnswerSide(self)
        if self._surplus or self._last_request:
            self.cycle.keep_alive = False
        self._enter(_Phase.BODY)

    def on_message_complete(self) -> None:
        """Stop the body's deadline."""
        super().on_message_complete()
        self._enter(_Phase.IDLE)

    def on_response_complete(self) -> None:
        """Go on with a waiting request, or start the idle timer."""
        if self._phase is _Phase.CLOSING:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        self._unset_keepalive_if_required()  # Every phase here has one timer, and it is ours.
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.IDLE)

    def shutdown(self) -> None:
        """Take no further request: close an idle connection now, another one with its answer."""
        self._last_request = True
        newest = self._newest()
        if self._phase is _Phase.IDLE and not self._is_answering():
            self.close()
        elif newest is not None:
            newest.keep_alive = False

    def answered(self) -> None:
        """End the connection after its last answer."""
        if self._heard_all:
            self.close()
        elif self._phase is not _Phase.CLOSING:
            self._linger()

    def close(self) -> None:
        """Close when everything written has been read; cut a client that does not read."""
        self._phase = _Phase.CLOSING
        self.transport.close()
        self._arm(self._limits.keep_alive_s)

    def abort(self) -> None:
        """Cut the connection."""
        self._phase = _Phase.CLOSING
        self.transport.abort()

    def _feed(self, data: bytes) -> None:
        """Feed the parser; a head in pieces so small that it cannot exceed its limit unseen."""
        at = 0
        while at < len(data) and self._phase is not _Phase.CLOSING and not self._deaf:
            if self._phase is not _Phase.HEAD:
                self.parser.feed_data(data[at:])
                return
            piece = data[at : at + self._limits.head_bytes - self._head_bytes]
            self._head_bytes += len(piece)
            at += len(piece)
            self.parser.feed_data(piece)
            if self._is_head_too_long():
                self._refuse_long_head()

    def _is_head_too_long(self) -> bool:
        return self._phase is _Phase.HEAD and self._head_bytes >= self._limits.head_bytes

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        if phase is _Phase.HEAD:
            self._head_bytes = 0
            self._arm(self._limits.head_s)
        elif phase is _Phase.BODY:
            self._arm(self._limits.body_s)
        elif self._is_answering():
            self._disarm()
        else:
            self._arm(self._limits.keep_alive_s)

    def _is_answering(self) -> bool:
        """Tell whether a request that was received is not answered yet."""
        newest = self._newest()
        return newest is not None and not newest.response_complete

    def _newest(self) -> RequestResponseCycle | None:
        """Return the newest request whose head was complete; None before the first."""
        return cast("RequestResponseCycle | None", self.cycle)  # Declared by uvicorn as never None.

    def _arm(self, seconds: float) -> None:
        """Set the deadline; a timer that runs already is taken anew when it turns out too early.

        Each request moves the deadline four times, and almost none is ever reached.
        """
        self._given_s = seconds
        self._due_s = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._due_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self.loop.call_at(self._due_s, self._look)

    def _disarm(self) -> None:
        self._due_s = math.inf

    def _look(self) -> None:
        """Act if the deadline passed; wait on if it was moved, and for nothing if there is none."""
        self._timer = None
        if self.loop.time() >= self._due_s:
            self._due_s = math.inf
            self._late(self._given_s)
        elif self._due_s < math.inf:
            self._timer = self.loop.call_at(self._due_s, self._look)

    def _late(self, seconds: float) -> None:
        """Act on a deadline that passed."""
        if self._phase is _Phase.CLOSING:
            self.abort()
        elif self._phase is _Phase.IDLE:
            self._end_idle()
        elif self.flow.read_paused or (self._phase is _Phase.HEAD and self._is_answering()):
            self._arm(seconds)  # We are the slow side: an earlier request is being answered.
        else:
            self._refuse_late(seconds)

    def _end_idle(self) -> None:
        if self.transport.get_write_buffer_size():
            self.abort()
        else:
            self.close()

    def _refuse_late(self, seconds: float) -> None:
        what = "head" if self._phase is _Phase.HEAD else "body"
        denial = deny(
            DenialCode.TIMEOUT,
            f"the {what} of the request was not complete within {seconds:g} s",
            "send the request at once",
        )
        self._refuse(Refusal(denial=denial, status=_REQUEST_TIMEOUT))

    def _refuse_long_head(self) -> None:
        most = self._limits.head_bytes
        self._refuse(refuse_malformed(f"request line and headers have more than {most} bytes"))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer below the application and end the connection."""
        late = refusal.status == _REQUEST_TIMEOUT
        self._traffic.refused["late" if late else "malformed"] += 1
        if self._phase is not _Phase.BODY and self._is_answering():
            self._end_with_last_answer()  # Its answer comes first; the rest cannot be understood.
        elif self._phase is not _Phase.BODY:
            self._write_last(refusal)
        elif self.pipeline or self.cycle.response_started:
            self.abort()  # In the midst of another answer there is no place for this one.
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._write_last(refusal)

    def _end_with_last_answer(self) -> None:
        """Read nothing more; close with the newest request's answer, or now if it is given."""
        self._deaf = True
        if self._is_answering():
            self.cycle.keep_alive = False
        else:
            self.close()

    def _write_last(self, refusal: Refusal) -> None:
        self.transport.write(to_bytes(refusal))
        self._linger()

    def _linger(self) -> None:
        """Say that nothing follows, and throw away what still comes until the client closes.

        Closing at once would destroy the answer on its way when something comes (RFC 9112, 9.6).
        """
        self._phase = _Phase.CLOSING
        self.flow.resume_reading()
        try:
            if not self.transport.can_write_eof():
                self.close()  # Over TLS the goodbye waits for that of the client, for as long.
                return
            self.transport.write_eof()
        except OSError:  # Reset by the client, a moment before the loop hears of it.
            self.abort()
            return
        unsent = self.transport.get_write_buffer_size() > 0
        self._arm(self._limits.keep_alive_s if unsent else self._limits.linger_s)


class _AnswerSide(asyncio.Transport):
    """The transport as the writer of one answer sees it: closing it ends the connection well.

    The head waits for the first part of the body, if that comes in the same turn of the loop: both
    leave in one packet then, unless the body is so long that copying it costs more than a packet.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._head: bytes | None = None
        self._started = False

    def write(self, data: Any) -> None:
        if not self._started:
            self._started = True
            self._head = data
            asyncio.get_running_loop().call_soon(self._flush)
            return
        if len(data) > _TOGETHER_BYTES_MAX:
            self._flush()
        head, self._head = self._head, None
        self._send(data if head is None else head + data)

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._send(head)

    def _send(self, data: bytes) -> None:
        if not self._connection.transport.is_closing():
            self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._flush()
        self._connection.answered()
