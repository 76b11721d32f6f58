"""Queries that we send."""

import asyncio
import time
from typing import Final

import zenoh
from zenoh.handlers import Callback

from trust_runtime.adapters.mesh.answering import OVERLOADED
from trust_runtime.adapters.mesh.inbox import wake
from trust_runtime.adapters.mesh.listening import message_of
from trust_runtime.adapters.mesh.qos import qos_of
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.ports.mesh import Silence

_GRACE_S: Final = 0.1  # Zenoh ends a query at its timeout; past this we no longer rely on it.

_EARLY_S: Final = 0.005  # A timer of the other side may end so much before ours.


async def ask(
    session: zenoh.Session, message: MeshMessage, *, timeout_ms: int
) -> MeshMessage | Silence:
    """Send one query and return the first answer, or why there is none.

    Raises:
        zenoh.ZError: the session is closed.
    """
    if timeout_ms <= 0:
        return Silence.TIMEOUT
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[MeshMessage | Silence] = loop.create_future()

    def settle(answer: MeshMessage | Silence) -> None:
        if not answered.done():
            answered.set_result(answer)

    def on_reply(reply: zenoh.Reply) -> None:
        wake(loop, settle, _answer_of(reply))

    started_s = time.monotonic()

    def on_end() -> None:
        # Access control keeps Zenoh's own "Timeout" from us, as it bears no key: what ends without
        # an answer when its time is over was a timeout, what ends before had nobody to answer.
        over = time.monotonic() - started_s >= timeout_ms / 1_000 - _EARLY_S
        wake(loop, settle, Silence.TIMEOUT if over else Silence.NOBODY)

    cancellation = zenoh.CancellationToken()
    priority, congestion_control = qos_of(message.key)
    # On the loop on purpose: a hop to a thread costs more than the call. A full link to a stuck
    # runtime holds it 50 ms at most, once, and is closed then.
    session.get(
        message.key,
        Callback(on_reply, on_end, indirect=False),
        payload=message.body,
        attachment=message.token or None,
        timeout=timeout_ms / 1_000,
        consolidation=zenoh.ConsolidationMode.NONE,  # Hand over an answer when it comes.
        priority=priority,
        congestion_control=congestion_control,
        cancellation_token=cancellation,
    )
    try:
        async with asyncio.timeout(timeout_ms / 1_000 + _GRACE_S):
            return await answered
    except TimeoutError:
        return Silence.TIMEOUT
    finally:
        if answered.cancelled():
            cancellation.cancel()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks it.


def _answer_of(reply: zenoh.Reply) -> MeshMessage | Silence:
    if reply.ok is not None:
        return message_of(reply.ok)
    # An error says that somebody was asked: its queue is full, the time ran out ("Timeout", from
    # Zenoh itself), or it could not answer.
    full = reply.err is not None and reply.err.payload.to_bytes() == OVERLOADED
    return Silence.OVERLOADED if full else Silence.TIMEOUT
