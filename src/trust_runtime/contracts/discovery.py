"""What mDNS says; it yields addresses to dial, nothing else (contract 5.1)."""

from msgspec import Struct

from trust_runtime.contracts.ids import RuntimeId


class Advertisement(Struct, frozen=True, kw_only=True):
    """What this runtime announces as `_trust-plc._tcp.local.`."""

    runtime_id: RuntimeId
    """Canonical id."""
    site: str
    """Its site."""
    host_name: str
    """This machine's name, without a domain."""
    addresses: tuple[str, ...]
    """IP literals of the interfaces that carry the announcement."""
    mesh_port: int | None
    """None while the mesh is not ready or the role is client."""
    mesh_tls: bool
    """Whether mesh links are TLS."""
    web_port: int | None
    """None when web is off."""
    web_tls: bool
    """Whether HTTP is TLS."""
    host_group: str | None
    """If set."""
    fingerprint: str
    """SHA-256 hex of the DER certificate."""


class Sighting(Struct, frozen=True, kw_only=True):
    """One announcement heard; unverified."""

    runtime_id: RuntimeId
    """The id it claims."""
    addresses: tuple[str, ...]
    """`IP:PORT` of its mesh listener, IPv6 in brackets; empty when it has none."""
    mesh_tls: bool
    """What it claims."""
    fingerprint: str
    """What it claims."""
