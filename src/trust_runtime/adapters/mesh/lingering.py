"""Keeps the end of a dead link from blocking Zenoh's threads.

Zenoh 1.7.2 sets SO_LINGER to 10 s on every TCP link (eclipse-zenoh/zenoh issue 2350). Closing a
link whose other end vanished with something under way to it then blocks, for those 10 s, one of
the two threads that receive: after a partition nothing is received from anybody, and whoever is
still there loses its lease too. Zenoh offers no setting, so the option is taken back from outside.
"""

import asyncio
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

_OPEN_FILES: Final = Path("/dev/fd")
_LINGER: Final = struct.Struct("ii")
"""Whether, and for how many seconds."""

_PERIOD_S: Final = 0.5
"""Shorter than a link lives whose other end never answers: the lease, 1 s by default."""


class Lingering:
    """Takes SO_LINGER back from all links, again and again while it is open."""

    def __init__(self) -> None:
        self._next: asyncio.TimerHandle | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take it back from now on."""
        stop_lingering()
        self._next = loop.call_later(_PERIOD_S, self.open, loop)

    def close(self) -> None:
        """Leave new links alone."""
        if self._next is not None:
            self._next.cancel()


def stop_lingering() -> int:
    """Switch SO_LINGER off on every TCP socket of this process; return on how many it was on.

    No other part of this process wants it: a close that blocks helps nobody on an event loop.
    """
    found = 0
    for entry in tuple(_OPEN_FILES.iterdir()):
        with suppress(OSError):  # Closed meanwhile: the listing's own file, or a link.
            # A copy, so that the number cannot come to mean another file in between.
            found += _stop_at(os.dup(int(entry.name)))
    return found


def _stop_at(file: int) -> bool:
    """Switch it off on an open file that is ours to close; tell whether it was on."""
    if not stat.S_ISSOCK(os.fstat(file).st_mode):
        os.close(file)
        return False
    with socket.socket(fileno=file) as one:
        if one.type != socket.SOCK_STREAM or one.family == socket.AF_UNIX:
            return False
        lingers, _ = _LINGER.unpack(
            one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.size)
        )
        if lingers:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(0, 0))
        return bool(lingers)
