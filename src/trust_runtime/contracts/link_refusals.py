"""A mesh link that was not made, and why (contract 5.2)."""

from enum import StrEnum, unique

from msgspec import Struct


@unique
class LinkSide(StrEnum):
    """Who wanted the link."""

    ACCEPT = "accept"
    """Somebody came to our listener."""
    CONNECT = "connect"
    """We went to theirs."""


@unique
class LinkFault(StrEnum):
    """Why there is no link."""

    EXPIRED = "certificate_expired"
    NOT_YET_VALID = "certificate_not_yet_valid"
    UNKNOWN_CA = "unknown_ca"
    NAME_MISMATCH = "name_mismatch"
    NO_CERTIFICATE = "no_certificate"
    BAD_CERTIFICATE = "bad_certificate"
    NOT_TLS = "not_tls"
    OLD_TLS = "old_tls"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - what is wrong with one
    CLOSED = "closed_by_the_other_end"
    HANDSHAKE = "handshake_failed"


class LinkRefusal(Struct, frozen=True, kw_only=True):
    """One link that was refused by either end."""

    side: LinkSide
    """Who wanted it."""
    fault: LinkFault
    """Why it was refused."""
    detail: str
    """The same in the words of the library that refused it; no secrets."""
    address: str | None = None
    """`HOST:PORT` of the other end; None: the library does not tell who came."""
    by_them: bool = False
    """True: the other end refused us."""
