"""`GET events`: what happens from now on, as server-sent events (contract 6.17)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from trust_runtime.adapters.http.answers import common
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.policy import Caller
from trust_runtime.services.stream import READERS_MAX, Reader, Stream, StreamEvent

KEEP_ALIVE_S: Final = 15.0
MEDIA_TYPE: Final = "text/event-stream"
SEND_S: Final = 15.0
"""A client that takes nothing for so long is let go."""

_RETRY_AFTER_MS: Final = 5_000


async def get_events(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return a stream that goes on where `Last-Event-ID` ended, or begins with a snapshot."""
    stream = backend.watching.stream
    last_event_id = asked.headers.get("last-event-id")
    joined = stream.join(last_event_id)
    if joined is None:
        return refusal_of(
            deny(
                DenialCode.OVERLOADED,
                f"{READERS_MAX} clients listen already",
                retry_after_ms=_RETRY_AFTER_MS,
            )
        )
    reader, goes_on = joined
    first: list[StreamEvent] = []
    if not goes_on:
        first = _beginning(stream, backend, asked.caller, is_reset=last_event_id is not None)
    return EventAnswer(stream, reader, first, holds=asked.holds)


class EventAnswer(Response):
    """Sends events until the client goes, falls too far behind, or the runtime stops."""

    def __init__(
        self,
        stream: Stream,
        reader: Reader,
        first: list[StreamEvent],
        *,
        holds: Callable[[], bool],
    ) -> None:
        """Answer one listener.

        Args:
            stream: what it left when this ends.
            reader: what waits for it.
            first: sent before that.
            holds: whether it may still listen; asked before each event.
        """
        super().__init__(
            headers=common(),
            media_type=MEDIA_TYPE,
        )
        del self.headers["content-length"]
        self._stream = stream
        self._reader = reader
        self._first = first
        self._holds = holds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends; a client that is gone or does not read ends it too."""
        head = scope["method"] == "HEAD"
        gone = asyncio.ensure_future(_until_gone(receive))
        gone.add_done_callback(lambda _: self._reader.drop())
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            if not head:
                await self._send_all(send)
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, asyncio.CancelledError):
            return  # Only a stop cancels a request: this is where its task ends.
        finally:
            gone.cancel()
            self._stream.leave(self._reader)

    async def _send_all(self, send: Send) -> None:
        async for text in self._texts():
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": text, "more_body": True})

    async def _texts(self) -> AsyncIterator[bytes]:
        for first in self._first:
            yield _text(first)
        while not self._reader.is_dropped:
            event = await self._reader.next(KEEP_ALIVE_S)
            if not self._holds():
                return
            if event is not None:
                yield _text(event)
            elif not self._reader.is_dropped:
                yield b": still here\n\n"


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _beginning(
    stream: Stream, backend: Backend, caller: Caller, *, is_reset: bool
) -> list[StreamEvent]:
    """Return what a client that cannot go on gets first; numbered as the newest event."""
    snapshot = StreamEvent(
        event_id=stream.last_id, kind="snapshot", data=backend.fleet.state_json(caller)
    )
    if not is_reset:
        return [snapshot]
    reason = {"reason": "the events since that id are not kept any more"}
    return [
        StreamEvent(event_id=stream.last_id, kind="reset", data=encode_json(reason)),
        snapshot,
    ]


def _text(event: StreamEvent) -> bytes:
    head = f"id: {event.event_id}\nevent: {event.kind}\ndata: ".encode()
    return head + event.data + b"\n\n"
