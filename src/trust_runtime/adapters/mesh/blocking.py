"""Zenoh calls that block, made in a thread without losing what they return."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import zenoh


class _Handover:
    """Passes a session from the thread that opens it to the task that waits, or closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._abandoned = False
        self._session: zenoh.Session | None = None

    def keep(self, session: zenoh.Session) -> None:
        with self._lock:
            self._session = session
            abandoned = self._abandoned
        if abandoned:
            close_session(session)

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            session = self._session
        if session is not None:
            close_session(session)


async def open_in_thread(make: Callable[[], zenoh.Session]) -> zenoh.Session:
    """Return `make()`; when cancelled while it runs, its session is closed by that thread.

    Raises:
        zenoh.ZError: as `make` does.
    """
    handover = _Handover()

    def run() -> zenoh.Session:
        session = make()
        handover.keep(session)
        return session

    try:
        return await asyncio.to_thread(run)
    except asyncio.CancelledError:
        handover.abandon()
        raise


async def close_in_thread(session: zenoh.Session) -> None:
    """Close `session`, even when cancelled meanwhile."""
    await asyncio.shield(asyncio.to_thread(close_session, session))


def close_session(session: zenoh.Session) -> None:
    """Close `session` here and now; a few milliseconds, 50 with a frozen peer.

    Up to 2 s while a handshake is under way with somebody who does not answer.
    """
    # Zenoh gives up waiting after 10 s, and ends by itself what still runs.
    with contextlib.suppress(zenoh.ZError):
        session.close()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks the return type.
