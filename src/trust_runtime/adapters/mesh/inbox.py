"""From Zenoh's threads to the event loop: a bounded queue with one wake-up per burst."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

ITEMS_MAX: Final = 4_096
BYTES_MAX: Final = 16 * 2**20
_BURST: Final = 256  # Items handled per turn of the loop, so that others get their turn too.


class Inbox(Generic[Item]):
    """Holds items until the loop takes them, in order; the oldest give way and are counted.

    Waking a loop costs more than handing over an item: it is woken once for all that came since.
    """

    def __init__(
        self,
        take: Callable[[Item], None],
        *,
        items_max: int = ITEMS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self.dropped = 0
        self._take = take
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._awake = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Accept items and hand them over on `loop`."""
        with self._lock:
            self._loop = loop
            self._awake = False

    def close(self) -> None:
        """Forget what waits and accept no more."""
        with self._lock:
            self._loop = None
            self._items.clear()
            self._bytes = 0

    def offer(self, item: Item, size: int) -> None:
        """Queue `item` of `size` bytes; callable from any thread, never waits for the loop."""
        with self._lock:
            loop = self._loop
            if loop is None:
                return
            self._items.append((item, size))
            self._bytes += size
            while len(self._items) > self._items_max or self._bytes > self._bytes_max:
                self._bytes -= self._items.popleft()[1]
                self.dropped += 1
            asleep, self._awake = not self._awake, True
        if asleep:
            wake(loop, self._drain)

    def _drain(self) -> None:
        for _ in range(_BURST):
            with self._lock:
                if self._loop is None or not self._items:
                    self._awake = False
                    return
                item, size = self._items.popleft()
                self._bytes -= size
            self._take(item)
        asyncio.get_running_loop().call_soon(self._drain)


def wake(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> bool:
    """Have `loop` call `call` soon; False when it is closed, as at the end of the process."""
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        return False
    return True
