"""Concrete addresses of this machine for listeners and announcements."""

import ipaddress
import socket
from typing import Final

from trust_runtime.adapters.mdns.interfaces import interface_addresses
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.settings import Address, Settings

_PORT_MAX: Final = 65_535


def mesh_addresses(settings: Settings) -> tuple[Address, ...]:
    """Return where the mesh listens; a wildcard becomes concrete addresses (5.2)."""
    if not settings.mesh.enabled or settings.mesh.role == "client":
        return ()
    listen = settings.mesh.listen
    if not ipaddress.ip_address(listen.ip).is_unspecified:
        return (listen,)
    found, _ = interface_addresses(("lo", *settings.discovery.interfaces))
    family = ipaddress.ip_address(listen.ip).version
    addresses = sorted(
        {a for ips in found.values() for a in ips if ipaddress.ip_address(a).version == family}
    )
    return tuple(Address(ip=ip, port=listen.port) for ip in addresses)


def mesh_locators(settings: Settings) -> tuple[str, ...]:
    """Return the same as Zenoh locators, `tcp/IP:PORT` or `tls/IP:PORT`."""
    scheme = "tls" if settings.mesh.tls else "tcp"
    return tuple(f"{scheme}/{address}" for address in mesh_addresses(settings))


def discovery_addresses(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the IP addresses mDNS uses, and the configured interfaces that are missing."""
    names = settings.discovery.interfaces
    if not names:
        listening = {address.ip for address in mesh_addresses(settings)}
        return tuple(sorted(listening)) or (settings.web.listen.ip,), ()
    found, missing = interface_addresses(names)
    return tuple(a for name in sorted(found) for a in found[name]), missing


def require_free(address: Address, key: str) -> None:
    """Refuse the start when somebody listens there already.

    Raises:
        StartRefused: the address is taken or not this machine's; the remedy names a free port.
    """
    try:
        _bind(address)
    except OSError as error:
        free = next_free_port(address)
        raise StartRefused(
            f"{key}: cannot listen on {address}: {error.strerror}",
            f"set {key} to another address"
            + (f", for example port {free}" if free is not None else ""),
        ) from error


def next_free_port(address: Address) -> int | None:
    """Return the next port above that can be listened on, or None."""
    for port in range(address.port + 1, min(address.port + 100, _PORT_MAX) + 1):
        try:
            _bind(Address(ip=address.ip, port=port))
        except OSError:
            continue
        return port
    return None


def _bind(address: Address) -> None:
    family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.ip, address.port))
        listener.listen(1)
