"""What an announcement says: names and TXT members of contract 5.1 (RFC 6763)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final

from trust_runtime.contracts.codec import sha256_hex
from trust_runtime.contracts.discovery import Advertisement, Sighting
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId, name_of, parse_runtime_id, site_of
from trust_runtime.contracts.settings import Address

SERVICE: Final = "_trust-plc._tcp.local."
TXT_VERSION: Final = "1"
ADDRESSES_MAX: Final = 16
_LABEL_HEAD_MAX: Final = 54  # With `-` and 8 digits a label of 63 bytes, RFC 1035.
_PORT_MAX: Final = 65_535
_PORT: Final = re.compile(r"[0-9]{1,5}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_FLAGS: Final = {"true": True, "false": False}


def instance_label(runtime: RuntimeId) -> str:
    """Return the instance name of a runtime, one DNS label.

    A dot in the name becomes `-`: the library under us ends a label at each dot. The digits after
    the name keep two such names apart.
    """
    return f"{name_of(runtime).replace('.', '-')[:_LABEL_HEAD_MAX]}-{_short_hash(runtime)}"


def host_label(host_name: str, runtime: RuntimeId) -> str:
    """Return the host name that carries the addresses of a runtime, one DNS label."""
    head = re.sub(r"[^A-Za-z0-9-]+", "-", host_name)[:_LABEL_HEAD_MAX] or "host"
    return f"{head}-{_short_hash(runtime)}"


def txt_members(advertisement: Advertisement) -> dict[str, str]:
    """Return the TXT members, each only when it has a value."""
    members: dict[str, str | None] = {
        "v": TXT_VERSION,
        "id": advertisement.runtime_id,
        "site": advertisement.site,
        "web_port": _port_text(advertisement.web_port),
        "web_tls": _flag(on=advertisement.web_tls),
        "mesh_port": _port_text(advertisement.mesh_port),
        "mesh_tls": _flag(on=advertisement.mesh_tls),
        "host_group": advertisement.host_group,
        "fp": advertisement.fingerprint,
    }
    return {name: value for name, value in members.items() if value is not None}


def parse_sighting(txt: Mapping[bytes, bytes | None], addresses: Sequence[str]) -> Sighting:
    """Return what an announcement claims.

    Args:
        txt: TXT members as they came.
        addresses: IP literals of the announced host; those nobody can dial are left out, and all
            beyond the first 16.

    Raises:
        ContractViolation: a member this product relies on is missing or malformed.
    """
    members = {name.lower(): _member_text(name, value) for name, value in txt.items()}
    version = members.get(b"v", "")
    if version != TXT_VERSION:
        raise ContractViolation("txt.v", version, TXT_VERSION)
    runtime = parse_runtime_id(members.get(b"id", ""))
    site = members.get(b"site", "")
    if site != site_of(runtime):
        raise ContractViolation("txt.site", site, f"the site of {runtime}")
    mesh_tls = _FLAGS.get(members.get(b"mesh_tls", ""))
    if mesh_tls is None:
        raise ContractViolation("txt.mesh_tls", members.get(b"mesh_tls"), "true or false")
    fingerprint = members.get(b"fp", "")
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ContractViolation("txt.fp", fingerprint, "64 lower-case hex digits")
    port = _parse_port(members.get(b"mesh_port"))
    dialable = [text for text in addresses if _can_be_dialled(text)] if port else []
    return Sighting(
        runtime_id=runtime,
        addresses=tuple(
            str(Address(ip=text, port=port or 0))
            for text in sorted(dict.fromkeys(dialable))[:ADDRESSES_MAX]
        ),
        mesh_tls=mesh_tls,
        fingerprint=fingerprint,
    )


def _short_hash(runtime: RuntimeId) -> str:
    return sha256_hex(runtime.encode("ascii"))[:8]


def _port_text(port: int | None) -> str | None:
    return None if port is None else str(port)


def _flag(*, on: bool) -> str:
    return "true" if on else "false"


def _member_text(name: bytes, value: bytes | None) -> str:
    try:
        return (value or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContractViolation(f"txt.{name!r}", value, "UTF-8 text") from error


def _parse_port(text: str | None) -> int | None:
    if text is None:
        return None
    if not (_PORT.fullmatch(text) and 1 <= int(text) <= _PORT_MAX):
        raise ContractViolation("txt.mesh_port", text, f"1..{_PORT_MAX}")
    return int(text)


def _can_be_dialled(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast)
