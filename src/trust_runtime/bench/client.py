"""A client that costs little: one open connection, ready bytes out, one answer in.

It understands what the measured servers send (HTTP/1.1 with Content-Length) and nothing else, so
that what is measured is the server.
"""

import json
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.errors import StartRefused

API: Final = "/api/runtime-cloud"
_TIMEOUT_S: Final = 30.0
_CHUNK: Final = 262_144
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


def request(method: str, path: str, body: object = None, *, port: int) -> bytes:
    """Return the bytes of one request; `body` is sent as JSON, bytes as they are."""
    content = b"" if body is None else body if isinstance(body, bytes) else encode_json(body)
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
    if content:
        head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


class Answer:
    """One answer as it grows."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._whole: int | None = None
        self._body_at = 0

    def feed(self, data: bytes) -> bool:
        """Take what came; tell whether the answer is complete.

        Raises:
            StartRefused: the server closed in the midst of it.
        """
        if not data:
            raise StartRefused("the measured server closed the connection", "see its log")
        self._parts.append(data)
        self._held += len(data)
        if self._whole is None:
            content = b"".join(self._parts)
            end = content.find(_HEAD_END)
            if end < 0:
                return False
            self._parts = [content]
            self._body_at = end + len(_HEAD_END)
            self._whole = self._body_at + _length(content[:end])
        return self._held >= self._whole

    @property
    def status(self) -> int:
        """The status code."""
        return int(self._parts[0][9:12])

    @property
    def body(self) -> bytes:
        """What follows the head."""
        return b"".join(self._parts)[self._body_at :]


class Client:
    """One connection to a server on loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, message: bytes) -> Answer:
        """Send one request and return its answer."""
        self.socket.sendall(message)
        answer = Answer()
        while not answer.feed(self.socket.recv(_CHUNK)):
            pass
        return answer

    def timed(self, message: bytes) -> tuple[float, Answer]:
        """Return how long one exchange took, in microseconds, and its answer."""
        started = time.perf_counter_ns()
        answer = self.exchange(message)
        return (time.perf_counter_ns() - started) / 1_000, answer

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and decoded body of a GET."""
        answer = self.exchange(request("GET", path, port=self.port))
        return answer.status, json.loads(answer.body)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        """Return status and decoded body of a POST."""
        answer = self.exchange(request("POST", path, body, port=self.port))
        return answer.status, json.loads(answer.body)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def closed_loop(
    clients: Sequence[Client], message: bytes, *, count: int
) -> tuple[float, list[float]]:
    """Send `count` requests, each connection its next one as soon as it has its answer.

    Returns:
        Requests per second, and the time of each in microseconds.

    Raises:
        StartRefused: an answer was not 200.
    """
    count = max(count, len(clients))
    times: list[float] = []
    sent = 0
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter_ns()
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, _Turn(client))
        for key in list(selector.get_map().values()):
            key.data.send(message)
            sent += 1
        while len(times) < count:
            for key, _ in selector.select():
                turn: _Turn = key.data
                if not turn.receive():
                    continue
                times.append(turn.took_us)
                if sent < count:
                    turn.send(message)
                    sent += 1
        whole_s = (time.perf_counter_ns() - started) / 1e9
    return count / whole_s, times


class _Turn:
    """A connection with one request on its way."""

    def __init__(self, client: Client) -> None:
        self._socket = client.socket
        self._answer = Answer()
        self._started = 0
        self.took_us = 0.0

    def send(self, message: bytes) -> None:
        self._answer = Answer()
        self._started = time.perf_counter_ns()
        self._socket.sendall(message)

    def receive(self) -> bool:
        if not self._answer.feed(self._socket.recv(_CHUNK)):
            return False
        self.took_us = (time.perf_counter_ns() - self._started) / 1_000
        if self._answer.status != 200:  # noqa: PLR2004 - the one good status here
            raise StartRefused(f"status {self._answer.status}: {self._answer.body[:300]!r}", "")
        return True


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(_LENGTH) + len(_LENGTH)
    return int(lower[at:].split(b"\r\n", 1)[0])
