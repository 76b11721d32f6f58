"""A client before its TLS handshake is done: bounded in time and number, like any other."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from trust_runtime.adapters.http.protocol import Connection, Traffic


class Arrivals:
    """The handshakes of one listener."""

    def __init__(
        self, traffic: Traffic, context: ssl.SSLContext, connect: Callable[[], Connection]
    ) -> None:
        """Let clients in whose handshake succeeds.

        Args:
            traffic: counts; a handshake takes a place as a connection does.
            context: the server's side of the handshake.
            connect: makes what serves a client that is in.
        """
        self._traffic = traffic
        self._context = context
        self._connect = connect
        self._tasks: set[asyncio.Task[None]] = set()

    def arrive(self) -> asyncio.Protocol:
        """Return the protocol of a client that has just connected."""
        return _Arrival(self)

    def begin(self, transport: asyncio.Transport) -> None:
        """Shake hands with a client, unless too many are at it."""
        limits = self._traffic.limits
        if len(self._tasks) >= limits.connections + limits.surplus_connections:
            self._traffic.refused["connections_cut"] += 1
            transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._shake(transport), name="TLS handshake")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Cut whoever is not in yet."""
        for task in self._tasks:
            task.cancel()

    async def _shake(self, transport: asyncio.Transport) -> None:
        early = _Early()
        limits = self._traffic.limits
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=limits.head_s,
                ssl_shutdown_timeout=limits.linger_s,
            )
        except (OSError, TimeoutError):  # An ssl.SSLError is an OSError.
            self._traffic.refused["tls"] += 1
            transport.abort()
            return
        except asyncio.CancelledError:
            transport.abort()
            raise
        if secure is None or secure.is_closing():
            transport.abort()
            return
        connection = self._connect()
        connection.connection_made(secure)
        if early.is_lost:
            connection.connection_lost(None)
            return
        secure.set_protocol(connection)
        early.hand_over(connection)


class _Arrival(asyncio.Protocol):
    """The plain connection, for the moment until its handshake begins."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._arrivals.begin(cast("asyncio.Transport", transport))


class _Early(asyncio.Protocol):
    """Keeps what a client sends together with the end of its handshake."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._has_ended = False
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self._content += data

    def eof_received(self) -> None:
        self._has_ended = True

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_lost = True

    def hand_over(self, connection: Connection) -> None:
        if self._content:
            connection.data_received(bytes(self._content))
        if self._has_ended:
            with suppress(OSError):
                connection.eof_received()
