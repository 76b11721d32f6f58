"""Events for whoever listens (6.17): numbered, resumable, bounded; who is slow is dropped."""

import asyncio
from collections import deque
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.ids import BootId

RING_MAX: Final = 4_096
READERS_MAX: Final = 64
QUEUE_MAX: Final = 4_096
QUEUE_BYTES_MAX: Final = 1_048_576
_TAIL: Final = 8


class StreamEvent(Struct, frozen=True, kw_only=True):
    """One event as it is sent."""

    event_id: str
    """Eight hex digits of the boot, `-`, and a counter."""
    kind: str
    """The SSE event name."""
    data: bytes
    """JSON in one line."""


class Reader:
    """What waits for one listener."""

    def __init__(self) -> None:
        self._waiting: deque[StreamEvent] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._is_woken = False
        self.is_dropped = False

    async def next(self, timeout_s: float) -> StreamEvent | None:
        """Return the next event, or None: none came in time, it was dropped or woken."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting and not self.is_dropped:
                    self._arrived.clear()
                    await self._arrived.wait()
                    if self._is_woken:
                        break
        except TimeoutError:
            return None
        self._is_woken = False
        if self.is_dropped or not self._waiting:
            return None
        event = self._waiting.popleft()
        self._bytes -= len(event.data)
        return event

    def offer(self, event: StreamEvent) -> None:
        """Queue an event; a reader that is too far behind is dropped, never waited for."""
        self._waiting.append(event)
        self._bytes += len(event.data)
        if len(self._waiting) > QUEUE_MAX or self._bytes > QUEUE_BYTES_MAX:
            self.drop()
        self._arrived.set()

    def wake(self) -> None:
        """Have whoever waits look whether it may still listen."""
        self._is_woken = True
        self._arrived.set()

    def drop(self) -> None:
        """End it; what waits is forgotten."""
        self.is_dropped = True
        self._waiting.clear()
        self._bytes = 0
        self._arrived.set()


class Stream:
    """Numbers events, remembers the newest, and hands them to every reader."""

    def __init__(self, boot_id: BootId) -> None:
        # The end of a UUIDv7 is random; its beginning is shared by starts of the same minute.
        self._boot = boot_id.replace("-", "")[-_TAIL:]
        self._count = 0
        self._ring: deque[StreamEvent] = deque(maxlen=RING_MAX)
        self._readers: list[Reader] = []
        self.dropped_readers = 0

    @property
    def readers(self) -> int:
        """How many listen."""
        return len(self._readers)

    @property
    def last_id(self) -> str:
        """Id of the newest event."""
        return f"{self._boot}-{self._count}"

    def send(self, kind: str, content: object) -> None:
        """Hand an event to everybody who listens."""
        self._count += 1
        event = StreamEvent(event_id=self.last_id, kind=kind, data=encode_json(content))
        self._ring.append(event)
        for reader in tuple(self._readers):
            reader.offer(event)
            if reader.is_dropped:
                self._readers.remove(reader)
                self.dropped_readers += 1

    def review(self) -> None:
        """Have every reader look at once whether it may still listen."""
        for reader in self._readers:
            reader.wake()

    def join(self, last_event_id: str | None) -> tuple[Reader, bool] | None:
        """Return a new reader, and whether it goes on where `last_event_id` ended.

        None when too many listen. A reader that goes on has the missed events queued already; one
        that missed more than a queue holds begins anew, as it would at once be dropped again.
        """
        if len(self._readers) >= READERS_MAX:
            return None
        reader = Reader()
        missed = None if last_event_id is None else self._since(last_event_id)
        for event in missed or ():
            reader.offer(event)
        goes_on = missed is not None and not reader.is_dropped
        if not goes_on:
            reader = Reader()
        self._readers.append(reader)
        return reader, goes_on

    def leave(self, reader: Reader) -> None:
        """Forget a reader; safe to call twice."""
        if reader in self._readers:
            self._readers.remove(reader)

    def close(self) -> None:
        """Drop everybody: the process stops."""
        for reader in self._readers:
            reader.drop()
        self._readers.clear()

    def _since(self, event_id: str) -> list[StreamEvent] | None:
        """Return the events after one, or None when it is of another boot or too old."""
        boot, dash, text = event_id.partition("-")
        if not dash or boot != self._boot or not text.isascii() or not text.isdigit():
            return None
        count = int(text[:20])
        oldest = self._count - len(self._ring)
        if not oldest <= count <= self._count:
            return None
        return list(self._ring)[count - oldest :]
