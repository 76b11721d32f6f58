"""Datagrams and bare TCP connections by asyncio. Implements `ports.reach.Reach`."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from trust_runtime.contracts.sight import Knock
from trust_runtime.ports.reach import DatagramHandler

DATAGRAM_BYTES_MAX: Final = 4_096
_PORT_MAX: Final = 65_535
_TRIES: Final = 2
"""Connections at once: one lost SYN must not look like a cut."""


class SocketReach:
    """Uses the UDP ports of the same numbers as the own mesh listeners.

    Args:
        own: `IP:PORT` of every own mesh listener; concrete addresses.
    """

    def __init__(self, own: Sequence[str]) -> None:
        self._own = tuple(own)
        self._sockets: list[tuple[asyncio.DatagramTransport, _Receiver]] = []

    async def open(self, handler: DatagramHandler) -> None:
        """See `Reach.open`; an address in use by another process fails all."""
        loop = asyncio.get_running_loop()
        try:
            for address in self._own:
                opened = await loop.create_datagram_endpoint(
                    lambda: _Receiver(handler), local_addr=_place(address)
                )
                self._sockets.append(opened)
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        """See `Reach.close`."""
        for transport, _ in self._sockets:
            transport.close()
        self._sockets.clear()

    def send(self, address: str, datagram: bytes) -> None:
        """See `Reach.send`."""
        with suppress(OSError, ValueError):
            place = _place(address)
            version = ipaddress.ip_address(place[0]).version
            for transport, receiver in self._sockets:
                name = transport.get_extra_info("sockname")
                if ipaddress.ip_address(name[0]).version == version:
                    if not receiver.is_full:
                        transport.sendto(datagram, place)
                    return

    async def knock(self, address: str, *, timeout_ms: int) -> Knock:
        """See `Reach.knock`; any answer of the host wins over silence."""
        try:
            place = _place(address)
        except ValueError:
            return Knock.SILENT
        tries = [asyncio.ensure_future(_connect(place)) for _ in range(_TRIES)]
        try:
            async with asyncio.timeout(timeout_ms / 1_000):
                for done in asyncio.as_completed(tries):
                    found = await done
                    if found is not Knock.SILENT:
                        return found
        except TimeoutError:
            return Knock.SILENT
        finally:
            for one in tries:
                one.cancel()
            await asyncio.gather(*tries, return_exceptions=True)
        return Knock.SILENT


class _Receiver(asyncio.DatagramProtocol):
    """Hands over what arrives; what is too long to be ours is ignored.

    `is_full` while so much waits for the kernel that what is sent now would wait as well.
    """

    def __init__(self, handler: DatagramHandler) -> None:
        self._handler = handler
        self.is_full = False

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) <= DATAGRAM_BYTES_MAX:
            host = f"[{addr[0]}]" if ":" in addr[0] else addr[0]
            self._handler(data, f"{host}:{addr[1]}")


async def _connect(place: tuple[str, int]) -> Knock:
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(0)
        try:
            await asyncio.get_running_loop().sock_connect(link, place)
        except ConnectionRefusedError:
            return Knock.REFUSED
        except OSError:
            return Knock.SILENT
        return Knock.ACCEPTED


def _place(address: str) -> tuple[str, int]:
    """Return host and port of `IP:PORT`, IPv6 in brackets.

    Raises:
        ValueError: it is none.
    """
    host, _, text = address.rpartition(":")
    ip = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    port = int(text)
    # The address comes from another runtime's beacon; a socket raises for such a port.
    if not 0 < port <= _PORT_MAX:
        raise ValueError(f"{address} has no port")
    return str(ip), port
