"""Sealed receipts: what a preflight was decided on, signed, for a dispatch to be held to (B1)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.ids import BootId

RECEIPT_LIFETIME_S: Final = 300
"""How long a receipt is good, in seconds by the clock of the runtime that made it."""


class TargetFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a target says of itself; it can compare all of it with what is so at its own end."""

    boot_id: BootId
    """Its incarnation: the presence epoch."""

    config_revision: int
    """Newest revision asked of its configuration."""

    config_etag: str
    """Fingerprint of that document."""

    policy_digest: str
    """Fingerprint of its profile, its inbound rules and its debug gate."""


class SealedTarget(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One target, as the decision saw it."""

    runtime_id: str
    """Canonical id."""

    target_state: str
    """Reachability used by the decision."""

    known: TargetFacts | None = None
    """Its last word; absent when it was never heard."""


class SealedFacts(Struct, frozen=True, kw_only=True):
    """Everything a receipt vouches for; readable, and sealed by its fingerprint."""

    origin: str
    """The runtime that decided."""

    request_id: str
    """The one request it is for."""

    request_digest: str
    """Fingerprint of that request: id, actor, action, payload and canonical targets."""

    decision_digest: str
    """Of the decision (contract 8.5)."""

    role: str
    """Role of the caller."""

    policy_digest: str
    """Fingerprint of the origin's profile, site, unmet preconditions and outbound rules."""

    targets: tuple[SealedTarget, ...]
    """In the order of the decision."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What preflight hands out and dispatch takes back."""

    facts: SealedFacts
    """For people to read; any other text breaks the seal."""

    seal: str
    """Compact JWS (`typ` `trust-receipt+jwt`) of the origin over the fingerprint of `facts`."""


class ReceiptClaims(Struct, frozen=True, kw_only=True):
    """Claims of a seal."""

    iss: str
    """SPIFFE id of the origin."""

    aud: str
    """The origin again: nobody else takes it."""

    digest: str
    """SHA-256 (`sha256:`...) of the facts as canonical JSON."""

    jti: str
    """UUIDv7."""

    iat: int
    """When it was made, seconds since the epoch by the origin's clock."""

    exp: int
    """From then on it is refused."""


@unique
class SeenBy(StrEnum):
    """Which end found out."""

    ORIGIN = "origin"
    TARGET = "target"


class MovedFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fact that is no longer what the receipt says."""

    runtime_id: str
    """Whose fact."""

    fact: str
    """`decision`, `role`, `policy`, `target_state`, `boot_id`, `config_revision`, `config_etag`."""

    expected: str | None = None
    """What the receipt says; absent: it was not known then."""

    found: str | None = None
    """What is so now; absent: it is not known now."""

    seen_by: SeenBy
    """Which end found out."""
