"""Subscriptions: messages and liveliness tokens that arrive unasked."""

import asyncio
from typing import Final, NamedTuple

import zenoh
from zenoh.handlers import Callback

from trust_runtime.adapters.mesh.inbox import Inbox
from trust_runtime.adapters.mesh.problems import Problems
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.ports.mesh import MessageHandler, TokenHandler

_TOKENS_MAX: Final = 65_536  # Losing word of a token costs more than holding one; they are small.
_LOOK_AGAIN_S: Final = (0.2, 2.0)
"""How long after a token vanished all are asked for anew."""

_LOOK_S_MAX: Final = 1.0


class MessageListener:
    """Hands every message put on a key expression to a handler."""

    def __init__(self, key: str, handler: MessageHandler, problems: Problems) -> None:
        self.key = key
        self._handler = handler
        self._problems = problems
        self._inbox: Inbox[MeshMessage] = Inbox(self._take)

    @property
    def dropped(self) -> int:
        """How many messages a full queue lost."""
        return self._inbox.dropped

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the handler on `loop` from now on."""
        self._inbox.open(loop)

    def declare(self, session: zenoh.Session) -> None:
        """Subscribe on `session`, which keeps the subscription until it closes."""
        # Direct: no thread per subscription. With one, a process that ends without closing its
        # session would wait for that thread for ever.
        session.declare_subscriber(self.key, Callback(self._on_sample, indirect=False))

    def close(self) -> None:
        """Call the handler no more."""
        self._inbox.close()

    def _on_sample(self, sample: zenoh.Sample) -> None:
        # Runs on a Zenoh thread: calling Zenoh, or waiting, from here may deadlock.
        if sample.kind != zenoh.SampleKind.PUT:
            return
        message = message_of(sample)
        self._inbox.offer(message, len(message.body) + len(message.token))

    def _take(self, message: MeshMessage) -> None:
        try:
            self._handler(message)
        except Exception as error:  # noqa: BLE001 - one handler's bug must not silence the others
            self._problems.add(f"handler of messages on {self.key} failed", error)


class _TokenChange(NamedTuple):
    key: str
    alive: bool


class TokenWatcher:
    """Tells a handler of liveliness tokens, those already there first.

    When a link is lost and made anew at once, Zenoh may tell of the token over the new link before
    it tells that the old one took it away, and never again. So after each loss the tokens there
    are asked for, once for all that vanish together.
    """

    def __init__(self, key: str, handler: TokenHandler, problems: Problems) -> None:
        self.key = key
        self._handler = handler
        self._problems = problems
        self._alive: set[str] = set()
        self._inbox: Inbox[_TokenChange] = Inbox(self._take, items_max=_TOKENS_MAX)
        self._session: zenoh.Session | None = None
        self._looks: list[asyncio.TimerHandle] = []

    @property
    def dropped(self) -> int:
        """How many changes a full queue lost."""
        return self._inbox.dropped

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the handler on `loop` from now on."""
        self._inbox.open(loop)

    def declare(self, session: zenoh.Session) -> None:
        """Watch on `session` until it closes."""
        self._session = session
        session.liveliness().declare_subscriber(
            self.key, Callback(self._on_sample, indirect=False), history=True
        )

    def close(self) -> None:
        """Tell that every token vanished: without a session none is seen."""
        self._inbox.close()
        self._session = None
        for key in sorted(self._alive):
            self._take(_TokenChange(key, alive=False))

    def _on_sample(self, sample: zenoh.Sample) -> None:
        alive = sample.kind == zenoh.SampleKind.PUT
        key = str(sample.key_expr)
        self._inbox.offer(_TokenChange(key, alive), len(key))

    def _take(self, change: _TokenChange) -> None:
        if change.alive == (change.key in self._alive):
            return  # Told before: the same token can be heard of over two links.
        if change.alive:
            self._alive.add(change.key)
        else:
            self._alive.discard(change.key)
            self._look_again_soon()
        try:
            self._handler(change.key, change.alive)
        except Exception as error:  # noqa: BLE001 - one handler's bug must not silence the others
            self._problems.add(f"handler of tokens on {self.key} failed", error)

    def _look_again_soon(self) -> None:
        if self._session is None or self._looks:
            return
        loop = asyncio.get_running_loop()
        self._looks = [loop.call_later(wait_s, self._look) for wait_s in _LOOK_AGAIN_S]

    def _look(self) -> None:
        del self._looks[0]
        if self._session is None:
            return
        try:
            self._session.liveliness().get(
                self.key, Callback(self._on_reply, indirect=False), timeout=_LOOK_S_MAX
            )
        except zenoh.ZError as error:
            self._problems.add(f"tokens on {self.key} not asked for", str(error))

    def _on_reply(self, reply: zenoh.Reply) -> None:
        if reply.ok is not None:
            self._on_sample(reply.ok)


def message_of(sample: zenoh.Sample) -> MeshMessage:
    """Return a sample's content, copied out of Zenoh's receive buffers."""
    attachment = sample.attachment
    return MeshMessage(
        key=str(sample.key_expr),
        body=sample.payload.to_bytes(),
        token=b"" if attachment is None else attachment.to_bytes(),
    )
