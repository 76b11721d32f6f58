"""Knocks and datagrams over the network in memory. Implements `ports.reach.Reach`."""

import asyncio
from typing import Final

from fakes.network import Network
from trust_runtime.contracts.sight import Knock
from trust_runtime.contracts.units import MS_PER_S
from trust_runtime.ports.reach import DatagramHandler

_TRIES: Final = 2


class Post:
    """Where the datagrams of every member arrive."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.handlers: dict[str, DatagramHandler] = {}


class FakeReach:
    """Reaches out from the machine of one member, whose mesh listens on `own`."""

    def __init__(self, post: Post, own: str) -> None:
        self._post = post
        self._own = own
        self._handler: DatagramHandler | None = None

    async def open(self, handler: DatagramHandler) -> None:
        """See `Reach.open`."""
        self._handler = handler
        self._post.handlers[self._own] = handler

    async def close(self) -> None:
        """See `Reach.close`."""
        if self._handler is not None and self._post.handlers.get(self._own) == self._handler:
            del self._post.handlers[self._own]

    def send(self, address: str, datagram: bytes) -> None:
        """See `Reach.send`."""
        if self._handler is not None:
            self._post.network.post((self._own, address), self._deliver, address, datagram)

    async def knock(self, address: str, *, timeout_ms: int) -> Knock:
        """See `Reach.knock`."""
        network = self._post.network
        tries = [network.there_and_back_s(self._own, address) for _ in range(_TRIES)]
        answered_s = min((one for one in tries if one is not None), default=None)
        if answered_s is None or answered_s > timeout_ms / MS_PER_S:
            await _wait_s(timeout_ms / MS_PER_S)
            return Knock.SILENT
        await _wait_s(answered_s)
        return Knock.ACCEPTED if network.is_taken(address) else Knock.REFUSED

    def _deliver(self, address: str, datagram: bytes) -> None:
        handler = self._post.handlers.get(address)
        if handler is not None:
            handler(datagram, self._own)


async def _wait_s(length_s: float) -> None:
    await asyncio.sleep(length_s)
