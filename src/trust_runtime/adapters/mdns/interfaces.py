"""Names of network interfaces as IP addresses."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

import ifaddr

LOOPBACK: Final = "lo"


def interface_addresses(names: Iterable[str]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the addresses of each named interface, and the names that have none.

    Per interface IPv4 comes first, then IPv6. Link-local IPv6 addresses are left out: they say
    nothing without a zone, and a zone means nothing to a peer. `lo` is the loopback interface on
    every platform, whatever its name there.

    Args:
        names: interface names such as `lo` or `eth0`; a repeated name counts once.
    """
    adapters = list(ifaddr.get_adapters())
    found: dict[str, tuple[str, ...]] = {}
    missing: list[str] = []
    for name in dict.fromkeys(names):
        addresses = [text for adapter in adapters for text in _addresses(adapter, name)]
        if addresses:
            found[name] = tuple(sorted(dict.fromkeys(addresses), key=_is_ipv6))
        else:
            missing.append(name)
    return found, tuple(missing)


def own_addresses() -> tuple[str, ...]:
    """Return every present address of this machine, without link-local ones; sorted."""
    every = {address for adapter in ifaddr.get_adapters() for address in _parsed(adapter)}
    return tuple(sorted(str(address) for address in every if not address.is_link_local))


def multicast_interfaces(addresses: Sequence[str]) -> list[str]:
    """Return those addresses that name a multicast interface here; `::1` cannot.

    Addresses that this machine does not have (any more) are left out. IPv6 interfaces count only
    when no IPv4 one is there: each record, of either version, travels over IPv4 multicast as
    well, and one family needs no dual-stack socket.
    """
    own = {str(address) for adapter in ifaddr.get_adapters() for address in _parsed(adapter)}
    unique = [text for text in dict.fromkeys(addresses) if text in own]
    ipv4 = [text for text in unique if not _is_ipv6(text)]
    ipv6 = [text for text in unique if _is_ipv6(text)]
    return ipv4 or [text for text in ipv6 if not ipaddress.ip_address(text).is_loopback]


def _addresses(adapter: ifaddr.Adapter, wanted: str) -> list[str]:
    """Return the usable addresses of one adapter, nothing when it is not the wanted one."""
    parsed = _parsed(adapter)
    if wanted == LOOPBACK:
        return [str(address) for address in parsed if address.is_loopback]
    if wanted not in {adapter.name, adapter.nice_name}:
        return []
    return [
        str(address)
        for address in parsed
        if not (address.version == 6 and address.is_link_local)  # noqa: PLR2004 - IPv6
    ]


def _parsed(adapter: ifaddr.Adapter) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return [
        ipaddress.ip_address(ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip) for ip in adapter.ips
    ]


def _is_ipv6(text: str) -> bool:
    return ":" in text
