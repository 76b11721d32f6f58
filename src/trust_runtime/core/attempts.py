"""Has this address failed so often that its failing requests have to wait (contract 6.3)."""

import ipaddress
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.units import NS_PER_S, MonotonicNs

FAILURES_MAX: Final = 10
WINDOW_NS: Final = 60 * NS_PER_S
BLOCKED_NS: Final = 60 * NS_PER_S
_IPV6_NETWORK_BITS: Final = 64


class Attempts(Struct, frozen=True, kw_only=True):
    """What is remembered of one address."""

    failed_ns: tuple[MonotonicNs, ...] = ()
    """When it failed within the window, oldest first; fewer than `most`."""

    blocked_until_ns: int = 0
    """Until when its failing requests are refused unseen, by the same clock."""


def after_failure(
    before: Attempts,
    now_ns: MonotonicNs,
    *,
    most: int = FAILURES_MAX,
    window_ns: int = WINDOW_NS,
    blocked_ns: int = BLOCKED_NS,
) -> Attempts:
    """Return what is to be remembered after one more failure, which was answered as such.

    Args:
        before: what was remembered.
        now_ns: when it failed.
        most: so many failures within the window block the address.
        window_ns: how long a failure counts.
        blocked_ns: how long it stays blocked.
    """
    recent = (*(at for at in before.failed_ns if now_ns - at < window_ns), now_ns)
    if len(recent) >= most:
        return Attempts(blocked_until_ns=now_ns + blocked_ns)
    return Attempts(failed_ns=recent, blocked_until_ns=before.blocked_until_ns)


def wait_ns(attempts: Attempts, now_ns: MonotonicNs) -> int:
    """Return how long failing requests of an address have to wait; 0 when they need not."""
    return max(0, attempts.blocked_until_ns - now_ns)


def counted_as(address: str) -> str:
    """Return under which name the failures of an address are counted.

    A host of IPv6 has a network of 64 bits to itself, so all of it is one client.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), _IPV6_NETWORK_BITS), strict=False))
