"""Queries that arrive: each is answered by its own task, and dropped on every path."""

import asyncio
import contextlib
import threading
from typing import Final

import zenoh
from zenoh.handlers import Callback

from trust_runtime.adapters.mesh.inbox import wake
from trust_runtime.adapters.mesh.problems import Problems
from trust_runtime.adapters.mesh.qos import answer_qos_of
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.ports.mesh import QueryHandler

OVERLOADED: Final = b"overloaded"
"""What the error says to whom no place was left."""

_FAREWELL_S: Final = 1.0  # How long close waits for handlers that do not heed their cancellation.


class Responder:
    """Answers the queries on one key."""

    def __init__(
        self, key: str, handler: QueryHandler, problems: Problems, *, waiting_max: int
    ) -> None:
        self.key = key
        self.dropped = 0
        self._handler = handler
        self._problems = problems
        self._waiting_max = waiting_max
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer on `loop` from now on."""
        with self._lock:
            self._loop = loop

    def declare(self, session: zenoh.Session) -> None:
        """Take queries from `session` until it closes."""
        session.declare_queryable(self.key, Callback(self._on_query, indirect=False))

    def close(self) -> None:
        """Take no more queries and cancel the handlers that still run."""
        with self._lock:
            self._loop = None
        for task in self._tasks:
            task.cancel()

    async def finished(self) -> None:
        """Wait until no handler runs, or some do not end within a second."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_FAREWELL_S)

    def _on_query(self, query: zenoh.Query) -> None:
        # Runs on a Zenoh thread: only counts, and hands over.
        with self._lock:
            loop = self._loop
            full = self._waiting >= self._waiting_max
            if loop is not None and not full:
                self._waiting += 1
            self.dropped += loop is not None and full
        if loop is None:
            _drop(query)
        elif full:
            # Said as an error: silence would read as "nobody answers on that key".
            _refuse(query, OVERLOADED)
            _drop(query)
        elif not wake(loop, self._start, query):
            self._leave(query)

    def _start(self, query: zenoh.Query) -> None:
        if self._loop is None:
            self._leave(query)
            return
        task = self._loop.create_task(self._answer(query), name=f"answer {self.key}")
        self._tasks.add(task)

        def finish(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._leave(query)

        task.add_done_callback(finish)

    def _leave(self, query: zenoh.Query) -> None:
        with self._lock:
            self._waiting -= 1
        _drop(query)

    async def _answer(self, query: zenoh.Query) -> None:
        try:
            question = self._question_of(query)
            answer = await self._handler(question)
            if answer is not None:
                priority, congestion_control = answer_qos_of(question.key)
                query.reply(
                    question.key,
                    answer.body,
                    attachment=answer.token or None,
                    priority=priority,
                    congestion_control=congestion_control,
                )
        except asyncio.CancelledError:
            # It may have had its effect: the asker must not read silence as "nobody was there".
            _refuse(query, b"closing")
            raise
        except Exception as error:  # noqa: BLE001 - the asker must hear that it failed
            self._problems.add(f"handler of queries on {self.key} failed", error)
            _refuse(query, b"failed")

    def _question_of(self, query: zenoh.Query) -> MeshMessage:
        # The asker may have used a wildcard; an answer must name one key, or only one of several
        # runtimes' answers would survive.
        key = str(query.key_expr) if "*" in self.key else self.key
        payload, attachment = query.payload, query.attachment
        return MeshMessage(
            key=key,
            body=b"" if payload is None else payload.to_bytes(),
            token=b"" if attachment is None else attachment.to_bytes(),
        )


def _drop(query: zenoh.Query) -> None:
    # Left to the garbage collector, it would keep the asker waiting for its whole timeout.
    query.drop()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks the return type.


def _refuse(query: zenoh.Query, reason: bytes) -> None:
    with contextlib.suppress(zenoh.ZError):  # The asker is gone.
        query.reply_err(reason)
