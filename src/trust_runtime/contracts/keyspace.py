"""Mesh key expressions, built and parsed here only (contract 5.4)."""

from typing import Final

from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import (
    BootId,
    RuntimeId,
    SiteName,
    name_of,
    runtime_id,
    site_of,
)

ROOT: Final = "truST"
ALL_BEACONS: Final = f"{ROOT}/*/*/svc/beacon"
ALL_EDGES: Final = f"{ROOT}/*/*/diag/edges"
ALL_VIEWS: Final = f"{ROOT}/*/*/diag/view"
ALL_TIMELINES: Final = f"{ROOT}/*/*/diag/timeline"
ALL_TOKENS: Final = f"{ROOT}/*/*/svc/liveliness/*"

_OWNER_PARTS: Final = 3
_TOKEN_PARTS: Final = 6


def own_prefix(owner: RuntimeId) -> str:
    """Return `truST/SITE/NAME`, under which only `owner` speaks."""
    return f"{ROOT}/{site_of(owner)}/{name_of(owner)}"


def beacon_key(owner: RuntimeId) -> str:
    """Return where `owner` puts its beacons."""
    return own_prefix(owner) + "/svc/beacon"


def probe_key(owner: RuntimeId) -> str:
    """Return where `owner` answers probes."""
    return own_prefix(owner) + "/svc/probe"


def edges_key(owner: RuntimeId) -> str:
    """Return where `owner` puts the edges it measured."""
    return own_prefix(owner) + "/diag/edges"


def view_key(owner: RuntimeId) -> str:
    """Return where `owner` puts what it sees of the others."""
    return own_prefix(owner) + "/diag/view"


def held_views_key(owner: RuntimeId) -> str:
    """Return where `owner` hands on the views of others that it holds."""
    return own_prefix(owner) + "/diag/views"


def timeline_key(owner: RuntimeId) -> str:
    """Return where `owner` puts its timeline events."""
    return own_prefix(owner) + "/diag/timeline"


def action_key(owner: RuntimeId) -> str:
    """Return where `owner` takes actions."""
    return own_prefix(owner) + "/cmd/action"


def config_key(owner: RuntimeId) -> str:
    """Return where `owner` takes operations on its configuration."""
    return own_prefix(owner) + "/cfg/agent"


def audit_key(owner: RuntimeId) -> str:
    """Return where `owner` answers questions about its audit records."""
    return own_prefix(owner) + "/diag/audit"


def token_key(owner: RuntimeId, boot: BootId) -> str:
    """Return the liveliness token of one incarnation."""
    return f"{own_prefix(owner)}/svc/liveliness/{boot}"


def owner_of(key: str) -> RuntimeId:
    """Return whose key this is, or raise ContractViolation."""
    parts = key.split("/")
    if len(parts) <= _OWNER_PARTS or parts[0] != ROOT:
        raise ContractViolation("key", key, f"{ROOT}/SITE/NAME/...")
    return runtime_id(SiteName(parts[1]), parts[2])


def parse_token_key(key: str) -> tuple[RuntimeId, BootId]:
    """Return owner and incarnation of a liveliness token, or raise ContractViolation."""
    parts = key.split("/")
    is_token = len(parts) == _TOKEN_PARTS and parts[3:5] == ["svc", "liveliness"] and parts[5]
    if not is_token:
        raise ContractViolation("key", key, f"{ROOT}/SITE/NAME/svc/liveliness/BOOT_ID")
    return owner_of(key), BootId(parts[5])
