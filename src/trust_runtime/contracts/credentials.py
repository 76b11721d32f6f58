"""What a request shows of whoever sent it."""

from typing import Final

from msgspec import Struct

STATIC_ADMIN: Final = "token://static-admin"
"""Identity of whoever knows `control.auth_token`."""

LOCAL_ADMIN: Final = "local://admin"
"""Identity of whoever asks from this machine under `web.auth = "local"`."""


class Presented(Struct, frozen=True, kw_only=True):
    """The facts an entrance has of a client; nothing of it is believed yet."""

    address: str
    """IP address of the peer as the kernel says it; empty when it is gone already."""

    is_loopback: bool
    """Whether that address is one of this machine's own loopback addresses."""

    is_forwarded: bool
    """Whether a header says that somebody else asked and the peer only passes it on."""

    tokens: tuple[bytes, ...] = ()
    """The distinct tokens of its headers; more than one authenticates nobody."""

    def __repr__(self) -> str:
        """Return it without the tokens."""
        return f"Presented({self.address!r}, {len(self.tokens)} tokens)"
