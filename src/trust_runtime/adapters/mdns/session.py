"""One open set of multicast sockets: an announcement, a browser, and what they need."""

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from zeroconf import Error, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from trust_runtime.adapters.mdns.announcement import (
    SERVICE,
    host_label,
    instance_label,
    parse_sighting,
    txt_members,
)
from trust_runtime.adapters.mdns.interfaces import multicast_interfaces
from trust_runtime.adapters.mdns.sightings import SightingTable
from trust_runtime.contracts.discovery import Advertisement, Sighting
from trust_runtime.contracts.errors import ContractViolation

RESOLVE_TIMEOUT_MS: Final = 2_000
RESOLVING_MAX: Final = 32
_IP_MULTICAST_ALL: Final = 49  # Linux, ip(7); not in the socket module.


class MdnsSession:
    """Open from `open` to `close`; everything in it runs on the event loop."""

    def __init__(self, sockets: AsyncZeroconf, on_sighting: Callable[[Sighting], None]) -> None:
        self._sockets = sockets
        self._on_sighting = on_sighting
        self._table = SightingTable()
        self._resolving: dict[str, asyncio.Task[None]] = {}
        self._browser: AsyncServiceBrowser | None = None
        self._announcing: asyncio.Future[None] | None = None
        self._ignored = 0

    @classmethod
    async def open(
        cls,
        advertisement: Advertisement | None,
        *,
        interfaces: tuple[str, ...],
        on_sighting: Callable[[Sighting], None],
    ) -> "MdnsSession":
        """Join the group on `interfaces`, announce and browse; see `Discovery.open`.

        Raises:
            OSError: the multicast group cannot be joined on any of them; nothing is left open.
        """
        usable = multicast_interfaces(interfaces)
        if not usable:
            given = ", ".join(interfaces) or "no interfaces"
            raise OSError(f"no multicast on {given}: name an interface that is up")
        try:
            sockets = AsyncZeroconf(interfaces=usable)
        except RuntimeError as error:  # What the library says of an address nobody has.
            raise OSError(f"mDNS cannot use {', '.join(usable)}") from error
        session = cls(sockets, on_sighting)
        try:
            await session._start(advertisement, usable)
        except BaseException as error:
            await session.close()
            if isinstance(error, Error):
                raise OSError(f"mDNS did not start on {', '.join(usable)}") from error
            raise
        return session

    @property
    def ignored(self) -> int:
        """How many announcements were ignored: malformed, or too many at once."""
        return self._ignored

    async def close(self) -> None:
        """Send a goodbye, close every socket and end every task."""
        unfinished: list[asyncio.Future[None]] = list(self._resolving.values())
        self._resolving.clear()
        if self._browser is not None:
            browser, self._browser = self._browser, None
            await browser.async_cancel()
        if self._announcing is not None:
            unfinished.append(self._announcing)
            self._announcing = None
        for future in unfinished:
            future.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._sockets.async_close()

    async def _start(self, advertisement: Advertisement | None, interfaces: list[str]) -> None:
        await self._sockets.zeroconf.async_wait_for_start()
        if not self._sockets.zeroconf.engine.senders:
            raise OSError(f"the mDNS group cannot be joined on {', '.join(interfaces)}")
        self._listen_here_only()
        self._browser = AsyncServiceBrowser(
            self._sockets.zeroconf, SERVICE, handlers=[self._on_change]
        )
        if advertisement is not None:
            # Cooperating: no probe for the name, which carries a hash of the id already and would
            # cost a second. Two processes that claim one id are both heard, and refused by the
            # signed messages that follow, not here.
            self._announcing = asyncio.ensure_future(
                await self._sockets.async_register_service(
                    _service_info(advertisement), cooperating_responders=True
                )
            )

    def _listen_here_only(self) -> None:
        """Hear the group on the joined interfaces alone.

        Linux by default hands a socket every group that anybody on the machine has joined, on
        any interface: a runtime on `lo` would hear the whole network.
        """
        if sys.platform != "linux":
            return
        for reader in self._sockets.zeroconf.engine.readers:
            bound = reader.transport.get_extra_info("socket")
            with suppress(OSError):  # A kernel without the option: hearing more is no fault.
                bound.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)

    def _on_change(
        self,
        *,
        zeroconf: Zeroconf,
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        """Take one change from the browser, on the event loop; the names are the library's."""
        if state_change is ServiceStateChange.Removed:
            self._table.forget(name)
            return
        try:
            info = AsyncServiceInfo(service_type, name)
        except Error:
            self._ignored += 1
            return
        if info.load_from_cache(zeroconf):
            self._take(info)
        else:
            self._ask_for_rest(info)

    def _ask_for_rest(self, info: AsyncServiceInfo) -> None:
        """Ask for the records that did not come with the pointer."""
        name = info.name
        if name in self._resolving:
            return
        if len(self._resolving) >= RESOLVING_MAX:
            self._ignored += 1
            return
        # Held until it ends or `close` cancels and awaits it: there is no group around a callback.
        task = asyncio.get_running_loop().create_task(self._resolve(info), name=f"mdns {name}")
        self._resolving[name] = task
        task.add_done_callback(lambda _: self._resolving.pop(name, None))

    async def _resolve(self, info: AsyncServiceInfo) -> None:
        try:
            complete = await info.async_request(self._sockets.zeroconf, RESOLVE_TIMEOUT_MS)
        except (Error, OSError):
            complete = False
        if complete:
            self._take(info)
        else:
            self._ignored += 1

    def _take(self, info: AsyncServiceInfo) -> None:
        try:
            sighting = parse_sighting(info.properties, info.parsed_scoped_addresses())
        except ContractViolation:
            self._ignored += 1
            return
        if self._table.hear(info.name, sighting):
            self._on_sighting(sighting)


def _service_info(advertisement: Advertisement) -> AsyncServiceInfo:
    runtime = advertisement.runtime_id
    return AsyncServiceInfo(
        SERVICE,
        f"{instance_label(runtime)}.{SERVICE}",
        port=advertisement.mesh_port or advertisement.web_port or 0,
        properties=txt_members(advertisement),
        server=f"{host_label(advertisement.host_name, runtime)}.local.",
        parsed_addresses=list(advertisement.addresses),
    )
