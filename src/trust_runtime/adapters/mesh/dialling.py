"""Making a link to an address found while the session is open (decision 63).

Zenoh 1.7.2 cannot add an endpoint to an open session. But peers that hear of each other by gossip
link by themselves. So a short-lived session, the introducer, connects to our own listener and to
the other one; both then hear of each other, and it leaves. No existing link is touched.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Callable
from typing import Final

import zenoh

from trust_runtime.adapters.mesh.blocking import close_in_thread, open_in_thread
from trust_runtime.adapters.mesh.problems import Problems
from trust_runtime.adapters.mesh.refusals import refusal_of
from trust_runtime.adapters.mesh.session_config import MeshOptions, introducer_config
from trust_runtime.adapters.mesh.tls_material import TlsMaterial
from trust_runtime.contracts.link_refusals import LinkRefusal

_AT_ONCE_MAX: Final = 4
_WAITING_MAX: Final = 64
_ADDRESSES_MAX: Final = 1_024
_CONNECT_S: Final = 0.4  # For a TCP connection alone; the introducer then has 1 s to connect.
_GREET_S: Final = 1.0  # With a TLS handshake on top.
_LINK_S: Final = 0.5  # For gossip and the link itself, once the introducer is connected.
_POLL_S_MIN: Final = 0.002
_POLL_S_MAX: Final = 0.02


class Dialler:
    """Dials addresses for one session."""

    def __init__(
        self,
        options: MeshOptions,
        password: str | None,
        *,
        problems: Problems,
        on_refused: Callable[[LinkRefusal], None],
    ) -> None:
        self._options = options
        self._password = password
        self._on_refused = on_refused
        self._problems = problems
        self._session: zenoh.Session | None = None
        self._material: TlsMaterial | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE_MAX)
        self._waiting = 0
        self._peer_at: dict[str, str] = {}

    def open(self, session: zenoh.Session, material: TlsMaterial | None) -> None:
        """Dial for `session` from now on, with the certificates it was opened with."""
        self._session = session
        self._material = material

    async def close(self) -> None:
        """End what is under way; return when no introducer is left."""
        self._session = None
        for _ in range(_AT_ONCE_MAX):
            await self._slots.acquire()
        for _ in range(_AT_ONCE_MAX):
            self._slots.release()

    async def dial(self, address: str) -> bool:
        """See `ports.mesh.Mesh.dial`."""
        session = self._session
        locator = _locator(self._options.scheme, address)
        if session is None or locator is None or not self._can_introduce():
            return False
        if locator in self._options.listen or self._is_linked(session, locator):
            return True
        if self._waiting >= _WAITING_MAX:
            self._problems.add("dialling refused: too many addresses wait", address)
            return False
        self._waiting += 1
        try:
            return await self._answers(address) and await self._introduce(session, locator)
        finally:
            self._waiting -= 1

    def _can_introduce(self) -> bool:
        if self._options.role == "peer" and self._options.listen:
            return True
        self._problems.add(
            "dialling refused: only a peer that listens can dial; name the address in "
            "runtime.mesh.connect",
            self._options.role,
        )
        return False

    def _is_linked(self, session: zenoh.Session, locator: str) -> bool:
        return self._peer_at.get(locator, "nobody") in _linked(session)

    async def _answers(self, address: str) -> bool:
        """Whether a listener is there: Zenoh itself would retry until its time is over.

        One with TLS is greeted with the same certificates: a bare connection would make Zenoh
        there pause its accepting, and we would not learn why it does not become a link.
        """
        context = None if self._material is None else self._material.context
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(_CONNECT_S if context is None else _GREET_S):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
        except ssl.SSLError as error:
            self._on_refused(refusal_of(error, address))
            return False
        except OSError:  # TimeoutError is one.
            return False
        writer.close()
        with contextlib.suppress(OSError):  # Also when the other end does not like us.
            await writer.wait_closed()
        return True

    async def _introduce(self, session: zenoh.Session, locator: str) -> bool:
        async with self._slots:
            if self._session is not session:  # Closed while this one waited.
                return False
            if self._is_linked(session, locator):  # By another dial meanwhile.
                return True
            config = introducer_config(
                self._options, self._password, locator, material=self._material
            )
            try:
                introducer = await open_in_thread(lambda: zenoh.open(config))
            except zenoh.ZError:  # It does not speak Zenoh, or refuses our password.
                return False
            try:
                return await self._acquaint(session, introducer, locator)
            finally:
                await close_in_thread(introducer)

    async def _acquaint(
        self, session: zenoh.Session, introducer: zenoh.Session, locator: str
    ) -> bool:
        """Wait until the session is linked to whom the introducer found at `locator`."""
        for peer in _linked(introducer) - {str(session.zid())}:  # One, unless nobody.
            self._remember(locator, peer)
        pause_s = _POLL_S_MIN
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINK_S):
                while self._session is session:
                    if self._is_linked(session, locator):
                        return True
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _POLL_S_MAX)
        return False

    def _remember(self, locator: str, peer: str) -> None:
        self._peer_at.pop(locator, None)
        self._peer_at[locator] = peer
        if len(self._peer_at) > _ADDRESSES_MAX:
            del self._peer_at[next(iter(self._peer_at))]


def _locator(scheme: str, address: str) -> str | None:
    """Return the Zenoh locator for `IP:PORT`; None for anything else, which mDNS may bring."""
    host, _, port = address.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        return f"{scheme}{host}:{int(port)}"
    except ValueError:
        return None


def _linked(session: zenoh.Session) -> set[str]:
    info = session.info
    return {str(zid) for zid in (*info.peers_zid(), *info.routers_zid())}
