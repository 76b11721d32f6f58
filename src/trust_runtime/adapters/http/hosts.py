"""Who a request says it is for: the Host and Origin headers, read strictly (contract 6.1)."""

import functools
import ipaddress
import re
from collections.abc import Collection
from typing import Final

from msgspec import Struct

HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443
_PORT_MAX: Final = 65_535
_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?"
)


class Authority(Struct, frozen=True):
    """A host and a port, so written that equal ones compare equal."""

    host: str
    """A lower-case name, or an IP address in its shortest form without brackets."""

    port: int
    """1..65535."""


class OwnHosts(Struct, frozen=True, kw_only=True):
    """The hosts a server answers for."""

    ips: frozenset[str]
    """Its addresses, in their shortest form."""

    names: frozenset[str]
    """Its names, in lower case."""

    port: int
    """Where it listens."""


def parse_authority(text: str, *, default_port: int = HTTP_PORT) -> Authority | None:
    """Return what a Host header names, or None when it is malformed.

    Userinfo, paths, blanks, percent signs, a port out of range and everything that is neither a
    name nor an IP literal are malformed.
    """
    match = _AUTHORITY.fullmatch(text.lower())
    if match is None or not text.isascii():
        return None
    port = default_port if match["port"] is None else int(match["port"])
    if not 1 <= port <= _PORT_MAX:
        return None
    if match["ipv6"] is not None:
        ipv6 = shortest_ip(match["ipv6"])
        return Authority(ipv6, port) if ipv6 is not None and ":" in ipv6 else None
    return Authority(shortest_ip(match["name"]) or match["name"], port)


def is_own_host(authority: Authority, own: OwnHosts, allowed: Collection[str]) -> bool:
    """Tell whether a request for `authority` is for this server.

    Args:
        authority: what the Host header names.
        own: addresses, names and port of the server.
        allowed: further hosts, `NAME` at the server's port or `NAME:PORT`.
    """
    if authority.port == own.port and authority.host in own.ips | own.names:
        return True
    return any(authority == parse_authority(entry, default_port=own.port) for entry in allowed)


def is_own_origin(origin: str, host: Authority, *, is_secure: bool = False) -> bool:
    """Tell whether a page of this very server sent the request (`null` is none of its pages).

    Args:
        origin: as the header has it.
        host: what the Host header names.
        is_secure: whether the server speaks HTTPS, and nothing else.
    """
    scheme, separator, rest = origin.strip().lower().removesuffix("/").partition("://")
    wanted, port = ("https", HTTPS_PORT) if is_secure else ("http", HTTP_PORT)
    return scheme == wanted and bool(separator) and parse_authority(rest, default_port=port) == host


@functools.lru_cache(maxsize=64)
def is_loopback(ip: str) -> bool:
    """Tell whether a peer's address is one of this machine's own loopback addresses."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


@functools.lru_cache(maxsize=64)
def shortest_ip(text: str) -> str | None:
    """Return an IP address in its shortest form, or None when `text` is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
