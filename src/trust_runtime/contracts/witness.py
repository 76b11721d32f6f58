"""What runtimes tell each other about their audit logs (contract 10.2, 10.4)."""

from enum import StrEnum, unique

from msgspec import Struct

from trust_runtime.contracts.audit import ChainHead, ChainReport, WitnessedHead


@unique
class WitnessQuestion(StrEnum):
    """What is asked on `diag/audit`; the `op` of its envelope."""

    AT = "audit.at"
    """The hash of one record."""
    HEADS = "audit.heads"
    """The result of verifying the own chain, and every head held of others."""


class HashAt(Struct, frozen=True, kw_only=True):
    """Question and answer of `audit.at`."""

    seq: int
    """Which record."""
    hash: str | None = None
    """Its hash; None in a question, and in an answer when there is no such record."""


class HeldHeads(Struct, frozen=True, kw_only=True):
    """Answer of `audit.heads`."""

    report: ChainReport
    """What verifying its own chain found."""
    held: tuple[WitnessedHead, ...]
    """Heads it holds of others, ascending by id."""


@unique
class Standing(StrEnum):
    """What the fleet says of one runtime's audit log."""

    OK = "ok"
    """Its chain verifies and continues every head that others hold of it."""
    CONTRADICTED = "contradicted"
    """It does not."""
    NOT_VERIFIED = "not_verified"
    """It could not be asked."""


class Unasked(Struct, frozen=True, kw_only=True):
    """Why a runtime could not be asked."""

    reason: str
    """For people."""
    remedy: str
    """What to do about it."""


class RuntimeStanding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `audit verify --fleet`."""

    runtime_id: str
    """Whose log."""
    standing: Standing
    """The verdict."""
    head: ChainHead | None = None
    """Its newest verified record; None when it could not be asked."""
    witnesses: tuple[str, ...] = ()
    """Who holds a head of it."""
    detail: str | None = None
    """Why it is not ok."""
    remedy: str | None = None
    """What to do about it; set when it could not be asked."""


class FleetAudit(Struct, frozen=True, kw_only=True):
    """The answer of `audit verify --fleet`."""

    asked_by: str
    """Who asked."""
    ok: bool
    """True when every runtime is `ok`."""
    runtimes: tuple[RuntimeStanding, ...]
    """Ascending by id, the asking one included."""
