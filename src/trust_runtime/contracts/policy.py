"""Who may do what: profiles, roles, callers and the rules for crossing sites."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct, field

from trust_runtime.contracts.ids import SiteName


@unique
class Profile(StrEnum):
    """The set of security preconditions in force (contract 9.1), weakest first."""

    DEV = "dev"
    PLANT = "plant"
    WAN = "wan"


@unique
class Role(StrEnum):
    """What a caller may do; each role includes those before it (contract 6.3)."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


def allows(role: Role, needed: Role) -> bool:
    """Tell whether `role` includes `needed`."""
    return _RANK[role] >= _RANK[needed]


def lower(first: Role, second: Role) -> Role:
    """Return the weaker of two roles."""
    return first if _RANK[first] <= _RANK[second] else second


class Caller(Struct, frozen=True, kw_only=True):
    """Who was authenticated at an entrance; never what the body claims."""

    identity: str
    """`local://admin`, `token://OWNER`, `uid://N` or a SPIFFE id."""

    role: Role
    """The role in force for this caller."""

    scope: tuple[SiteName, ...] | None = None
    """Sites its actors may claim; None means any."""


class AllowRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of `runtime.cloud.wan.allow_write` (contract 9.2)."""

    action: str
    """`cfg_apply`, `cmd_invoke`, `status_read` or `*`."""

    target: str
    """Pattern over canonical ids: `*`, `PREFIX*`, `*SUFFIX` or exact."""

    origin: str = field(name="from", default="*")
    """Pattern over the id of the runtime that asks."""
