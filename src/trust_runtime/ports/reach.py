"""Reaching a runtime beside the mesh, to find out why it is not heard."""

from collections.abc import Callable
from typing import Protocol

from trust_runtime.contracts.sight import Knock

DatagramHandler = Callable[[bytes, str], None]
"""Takes one datagram and the `IP:PORT` it came from, on the event loop."""


class Reach(Protocol):
    """Bare connections and datagrams to the addresses of mesh listeners.

    Nothing of it is trusted: a knock tells of a host, a datagram is what its signature makes it.
    """

    async def open(self, handler: DatagramHandler) -> None:
        """Take datagrams on the own mesh addresses.

        Raises:
            OSError: none of them can be used; knocking still works.
        """
        ...

    async def close(self) -> None:
        """Stop; safe to call twice."""
        ...

    def send(self, address: str, datagram: bytes) -> None:
        """Send one datagram to `IP:PORT`; never waits, a failure is silence."""
        ...

    async def knock(self, address: str, *, timeout_ms: int) -> Knock:
        """Return what a TCP connection to `IP:PORT` finds within `timeout_ms`."""
        ...
