"""Finding addresses of peers."""

from collections.abc import Callable
from typing import Protocol

from trust_runtime.contracts.discovery import Advertisement, Sighting


class Discovery(Protocol):
    """Announces this runtime and hears of others on its interfaces."""

    async def open(
        self,
        advertisement: Advertisement | None,
        *,
        interfaces: tuple[str, ...],
        on_sighting: Callable[[Sighting], None],
    ) -> None:
        """Start to browse, and to announce `advertisement` if given.

        `interfaces` are IP addresses of the interfaces to use. `on_sighting` is called on the
        event loop for each announcement, new or changed; own ones included.

        Raises:
            OSError: the multicast group cannot be joined.
        """
        ...

    async def close(self) -> None:
        """Send a goodbye and stop; safe to call twice."""
        ...
