"""The HTTP listener: opened first, served as a task, closed in order (contract 3.4, 6.1)."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from uvicorn.config import Config as UvicornConfig
from uvicorn.server import ServerState

from trust_runtime.adapters.http.arriving import Arrivals
from trust_runtime.adapters.http.endpoint import Actions, Audit, Backend, Config, Fleet, Watching
from trust_runtime.adapters.http.hosts import OwnHosts, shortest_ip
from trust_runtime.adapters.http.large_bodies import LargeBodies
from trust_runtime.adapters.http.operating import Operating
from trust_runtime.adapters.http.pipeline import Door, Entrance, Pipeline
from trust_runtime.adapters.http.protocol import Connection, Limits, Traffic
from trust_runtime.contracts.answers import Readiness
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.metrics import Metric
from trust_runtime.contracts.settings import Address, WebSettings

KEY: Final = "runtime.web.listen"
_PORT_MAX: Final = 65_535
_PORTS_TRIED: Final = 100
_BACKLOG: Final = 1_024
_GRACE_S: Final = 1.0


class HttpServer:
    """Serves the endpoints of `table.ROUTES` on one address.

    Attributes:
        refused: how many requests were refused before any decision, by stage.
    """

    _arrivals: Arrivals | None = None  # Only HTTPS has any, once it serves.
    _socket: socket.socket | None = None
    _listener: asyncio.Server | None = None

    def __init__(  # noqa: PLR0913 - one service each
        self,
        *,
        own: RuntimeId,
        web: Callable[[], WebSettings],
        fleet: Fleet,
        actions: Actions,
        config: Config,
        audit: Audit,
        watching: Watching,
        operating: Operating,
        readiness: Callable[[], Readiness],
        metrics: Callable[[], tuple[Metric, ...]],
        door: Door,
        limits: Limits | None = None,
        grace_s: float = _GRACE_S,
    ) -> None:
        """Build the server; nothing listens yet.

        Args:
            own: this runtime.
            web: the settings in force; `listen` is read once, the allowed hosts for each request.
            fleet: answers state.
            actions: answers preflight and dispatch.
            config: answers config.
            audit: answers audit.
            operating: answers actions by id, links, I/O configuration and proxied verbs.
            watching: answers timeline, past states, the matrix and the stream of events.
            readiness: answers readyz.
            metrics: gives what the services measured.
            door: asked for each request that is not to an open endpoint.
            limits: sizes and deadlines; absent: those of the contract.
            grace_s: how long running requests may take on closing.
        """
        self._web = web
        self._grace_s = grace_s
        self._tls = door.tls
        self._traffic = Traffic(limits or Limits())
        self._state, self._closed = ServerState(), asyncio.Event()
        self._hosts = OwnHosts(ips=frozenset(), names=frozenset(), port=0)
        self._large = LargeBodies(bytes_max=self._traffic.limits.body_bytes)
        self._pipeline = Pipeline(
            Backend(
                own=own,
                fleet=fleet,
                actions=actions,
                config=config,
                audit=audit,
                watching=watching,
                operating=operating,
                readiness=readiness,
                metrics=metrics,
                refused=self._traffic.refused,
            ),
            entrance=self._entrance,
            refused=self._traffic.refused,
            door=door,
            large=self._large,
            body_bytes_max=self._traffic.limits.body_bytes,
        )

    @property
    def refused(self) -> Counter[str]:
        """Requests refused before any decision, by stage."""
        return self._traffic.refused

    @property
    def port(self) -> int:
        """Where it listens, once open."""
        return self._hosts.port

    @property
    def reader_pid(self) -> int | None:
        """The process that reads large bodies; None while none was needed."""
        return self._large.pid

    async def open(self) -> None:
        """Listen; clients that connect wait until `serve` runs.

        Raises:
            StartRefused: the address is taken or not this machine's; names it and a free port.
        """
        address = self._web().listen
        try:
            self._socket = _listen(address)
        except OSError as error:
            free = _next_free_port(address)
            raise StartRefused(
                f"{KEY}: cannot listen on {address}: {error.strerror}",
                f"set {KEY} to another address"
                + (f", for example port {free}" if free is not None else ""),
            ) from error
        self._hosts = OwnHosts(
            ips=frozenset({shortest_ip(address.ip) or address.ip}),
            names=_own_names(),
            port=self._socket.getsockname()[1],
        )

    async def serve(self) -> None:
        """Serve until `close`, or until cancelled."""
        assert self._socket is not None, "serve() before open()"  # noqa: S101 - a mistake of the caller
        if self._closed.is_set():
            return
        config = _uvicorn_config(self._pipeline)
        loop = asyncio.get_running_loop()

        def connect() -> Connection:
            return Connection(config, self._state, self._traffic)

        if self._tls is not None:
            self._arrivals = Arrivals(self._traffic, self._tls, connect)
        self._listener = await loop.create_server(
            connect if self._arrivals is None else self._arrivals.arrive,
            sock=self._socket,
            backlog=_BACKLOG,
        )
        try:
            await self._closed.wait()
        finally:
            self._stop_listening()

    async def close(self) -> None:
        """Stop: new requests get 503, running ones the grace; idle connections end at once.

        May be called again, and without `open`.
        """
        self._pipeline.stopping = True
        self._closed.set()
        self._stop_listening()
        for connection in self._connections():
            connection.shutdown()
        try:
            async with asyncio.timeout(self._grace_s):
                await self._traffic.none_left.wait()
                if self._state.tasks:
                    await asyncio.wait(self._state.tasks)
        except TimeoutError:
            await self._cut()
        finally:
            await self._large.close()

    async def _cut(self) -> None:
        """End what did not end by itself; a cancelled request still says so to its client."""
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._connections():
            connection.abort()
        await asyncio.sleep(0)

    def _entrance(self) -> Entrance:
        return Entrance(
            hosts=self._hosts,
            allowed=self._web().allowed_hosts,
            is_secure=self._tls is not None,
        )

    def _connections(self) -> tuple[Connection, ...]:
        return tuple(c for c in self._state.connections if isinstance(c, Connection))

    def _stop_listening(self) -> None:
        if self._arrivals is not None:
            self._arrivals.close()
        if self._listener is not None:
            self._listener.close()
        elif self._socket is not None:
            self._socket.close()


def _uvicorn_config(app: Pipeline) -> UvicornConfig:
    """Return the configuration that the protocol reads; every default that acts is set here."""
    config = UvicornConfig(
        app=app,
        interface="asgi3",
        loop="none",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # The peer is who is connected, never who a header says.
        server_header=False,
        date_header=False,  # Each answer has its own.
        workers=1,
    )
    config.load()
    return config


def _own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name.partition('.')[0]}.local"})


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's delay off only where a socket says TCP, and with
    # it every answer to a waiting client would be 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port whose last connections are still in TIME_WAIT is free; one with a listener is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.ip, address.port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _next_free_port(address: Address) -> int | None:
    """Return the next port above that can be listened on, or None."""
    last = min(address.port + _PORTS_TRIED, _PORT_MAX)
    for port in range(address.port + 1, last + 1):
        try:
            _listen(Address(ip=address.ip, port=port)).close()
        except OSError:
            continue
        return port
    return None
