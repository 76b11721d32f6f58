"""Names and addresses of machines in certificates (RFC 5280, section 4.2.1.6)."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from cryptography import x509

from trust_runtime.contracts.errors import ContractViolation

HOSTS_MAX: Final = 64
ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
"""Every runtime can be reached by these from its own machine."""

_NAME_LENGTH_MAX: Final = 253
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ALLOWED: Final = "a DNS name without wildcard, or an IP address"


def host_names(hosts: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """Return hosts as DNS and IP SANs, each once, in order.

    Raises:
        ContractViolation: one is neither, or there are too many.
    """
    names = tuple(dict.fromkeys(_name(host) for host in hosts))
    if len(names) > HOSTS_MAX:
        raise ContractViolation("hosts", len(names), f"at most {HOSTS_MAX}")
    return names


def is_host(text: str) -> bool:
    """Tell whether a text can be a SAN."""
    try:
        _name(text)
    except ContractViolation:
        return False
    return True


def hosts_in(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    """Return the DNS and IP SANs among `names` as texts, in order."""
    return tuple(
        str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
    )


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS and IP SANs of a readable certificate as texts, in order."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return hosts_in(found.value)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        # A text of digits and dots would be read as an address by some and as a name by others.
        digits = host.replace(".", "").isdigit()
        if digits or len(host) > _NAME_LENGTH_MAX or _NAME.fullmatch(host) is None:
            raise ContractViolation("host", host, _ALLOWED) from None
        return x509.DNSName(host.lower())
