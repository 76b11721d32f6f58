"""Messages between runtimes."""

from collections.abc import Awaitable, Callable
from enum import Enum, unique
from typing import Protocol

from trust_runtime.contracts.envelope import MeshMessage


@unique
class Silence(Enum):
    """Why a query has no answer; never confused with an empty one."""

    NOBODY = "nobody"
    """Nobody answers on that key: said at once, not after the timeout."""
    TIMEOUT = "timeout"
    """Somebody may have got it; nothing came back in time."""
    OVERLOADED = "overloaded"
    """It reached the runtime that serves the key, which has too many waiting and did not take it.

    Nobody signed that: it is a reason to wait, and no proof that nothing happened.
    """


QueryHandler = Callable[[MeshMessage], Awaitable[MeshMessage | None]]
"""Answers one query; None drops it unanswered. Runs on the event loop, never on a mesh thread."""

MessageHandler = Callable[[MeshMessage], None]
"""Takes one message, quickly, on the event loop."""

TokenHandler = Callable[[str, bool], None]
"""Told on the event loop of a liveliness token's key and whether it appeared (True) or vanished."""


class Mesh(Protocol):
    """One session with the other runtimes.

    Subscriptions, tokens and queryables may be declared before `open`; they are (re)declared on
    every opened session. Handlers run on the event loop in order of arrival per key; queues are
    bounded, the oldest message gives way and is counted in `dropped`.
    """

    async def open(self) -> None:
        """Open the session and declare everything; return when it is usable.

        Raises:
            MeshUnavailable: the session could not be opened; nothing is left behind.
        """
        ...

    async def close(self) -> None:
        """Withdraw tokens and close the session; safe to call twice."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether a session is open."""
        ...

    def subscribe(self, key: str, handler: MessageHandler) -> None:
        """Hand every message put on `key` (a key expression) to `handler`."""
        ...

    def watch_tokens(self, key: str, handler: TokenHandler) -> None:
        """Tell `handler` of every liveliness token on `key`, those already there first."""
        ...

    def serve(self, key: str, handler: QueryHandler, *, waiting_max: int) -> None:
        """Answer queries on `key`; more than `waiting_max` unanswered ones are dropped.

        Who asked for one that is dropped is told `Silence.OVERLOADED`.
        """
        ...

    def hold_token(self, key: str) -> None:
        """Hold a liveliness token until `release_token`, `close`, or the death of the process."""
        ...

    def release_token(self, key: str) -> None:
        """Withdraw a token held before; unknown keys are ignored."""
        ...

    def put(self, message: MeshMessage) -> None:
        """Send to all subscribers; dropped silently while the session is closed or a link full."""
        ...

    async def query(self, message: MeshMessage, *, timeout_ms: int) -> MeshMessage | Silence:
        """Ask the one runtime that serves `message.key` and return its answer."""
        ...

    async def dial(self, address: str) -> bool:
        """Make a link to the listener at `address` (`IP:PORT`) without disturbing others.

        Returns whether something answered there; being linked already counts as True.
        """
        ...

    def dropped(self) -> dict[str, int]:
        """Return how many messages each key lost to a full queue, by key expression."""
        ...
