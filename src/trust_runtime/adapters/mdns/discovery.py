"""mDNS with a lazily imported library. Implements `ports.discovery.Discovery`."""

from collections.abc import Callable
from typing import Protocol

from trust_runtime.contracts.discovery import Advertisement, Sighting


class _Session(Protocol):
    """What is open between `open` and `close`."""

    async def close(self) -> None: ...

    @property
    def ignored(self) -> int: ...


class MdnsDiscovery:
    """Announces and browses `_trust-plc._tcp.local.` on given interfaces."""

    def __init__(self) -> None:
        self._session: _Session | None = None
        self._ignored_before = 0

    @property
    def ignored(self) -> int:
        """How many announcements were ignored: malformed, or too many at once."""
        now = self._session.ignored if self._session is not None else 0
        return self._ignored_before + now

    async def open(
        self,
        advertisement: Advertisement | None,
        *,
        interfaces: tuple[str, ...],
        on_sighting: Callable[[Sighting], None],
    ) -> None:
        """See `Discovery.open`; opening again closes first."""
        # Imported here, because a runtime without discovery need not pay for the library.
        from trust_runtime.adapters.mdns.session import MdnsSession  # noqa: PLC0415 - see above

        await self.close()
        self._session = await MdnsSession.open(
            advertisement, interfaces=interfaces, on_sighting=on_sighting
        )

    async def close(self) -> None:
        """See `Discovery.close`."""
        if self._session is not None:
            session, self._session = self._session, None
            self._ignored_before += session.ignored
            await session.close()
