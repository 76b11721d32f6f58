"""Signed messages between runtimes (contract 5.6): claims, and what a signature proved."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.ids import BootId, RuntimeId
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.receipt import TargetFacts

BROADCAST: Final = "spiffe://trust"
"""Audience of beacons and events."""


@unique
class TokenType(StrEnum):
    """The JWT header `typ`; a token of one type is never accepted as another."""

    ACTION = "trust-action+jwt"
    REPLY = "trust-reply+jwt"
    BEACON = "trust-beacon+jwt"
    EVENT = "trust-event+jwt"
    HAIL = "trust-hail+jwt"
    RECEIPT = "trust-receipt+jwt"


class ActionClaims(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Claims of a request from an origin to one target."""

    iss: str
    """SPIFFE id of the origin."""
    aud: str
    """SPIFFE id of the target."""
    sub: str
    """The actor, a claim."""
    role: Role
    """Role of the caller at the origin."""
    caller: str
    """Identity of the caller at the origin."""
    op: str
    """The action type, e.g. `cmd_invoke`, or the operation, e.g. `config.write`."""
    request_id: str
    """Key of idempotency."""
    audit_id: str
    """Of the origin's decision."""
    digest: str
    """SHA-256 (`sha256:`...) of the body bytes."""
    jti: str
    """UUIDv7 per sending."""
    iat: int
    """Send time, seconds since the epoch by the origin's clock."""
    exp: int
    """Deadline in seconds, rounded up."""
    deadline_ns: int
    """Exact deadline, nanoseconds since the epoch by the origin's clock."""
    boot_id: BootId | None = None
    """Incarnation of the origin; a question without effect may leave it out."""
    deadline_uptime_ns: int = 0
    """The same deadline in nanoseconds of that incarnation's uptime."""
    expects: TargetFacts | None = None
    """What the target is to find at its own end; set when the caller presented a receipt."""


class ReplyClaims(Struct, frozen=True, kw_only=True):
    """Claims of a target's answer."""

    iss: str
    """SPIFFE id of the target."""
    aud: str
    """SPIFFE id of the origin."""
    sub: str
    """As in the request."""
    op: str
    """As in the request."""
    request_id: str
    """As in the request."""
    audit_id: str
    """As in the request."""
    digest: str
    """SHA-256 of the body bytes."""
    jti: str
    """UUIDv7."""
    irt: str
    """`jti` of the request."""
    iat: int
    """Seconds since the epoch."""


class BroadcastClaims(Struct, frozen=True, kw_only=True):
    """Claims of a beacon or an event."""

    iss: str
    """SPIFFE id of the owner."""
    aud: str
    """`spiffe://trust`."""
    sub: str
    """The owner again."""
    digest: str
    """SHA-256 of the body bytes."""
    iat: int
    """Seconds since the epoch."""
    sent_ns: int
    """Exact send time, nanoseconds since the epoch by the owner's clock."""
    seq: int
    """1, 2, 3, ... per boot and type."""
    boot_id: BootId
    """Incarnation of the owner."""


class MeshMessage(Struct, frozen=True, kw_only=True):
    """What travels: a body and, beside it, the signature over its digest."""

    key: str
    """Zenoh key expression it was sent on."""
    body: bytes
    """Canonical JSON; empty for a probe."""
    token: bytes = b""
    """Compact JWS (RFC 7515); empty for a probe."""


class SignerFacts(Struct, frozen=True, kw_only=True):
    """What a verified signature says about its signer; trust is decided elsewhere."""

    runtime_id: RuntimeId
    """From the certificate's one URI SAN."""
    pin: str
    """SHA-256 hex of its public key (DER SubjectPublicKeyInfo)."""
    not_before_s: int
    """Start of the certificate's validity, seconds since the epoch."""
    not_after_s: int
    """End of the certificate's validity, seconds since the epoch."""
    chain: tuple[bytes, ...] = ()
    """DER certificates as sent, the signer's own first; only `Signer.chain_of` reads them."""


class ActionBody(Struct, frozen=True, kw_only=True):
    """Body of an action on `cmd/action`, and of an operation on `cfg/agent`."""

    action_type: str
    """As in the claims' `op`: the action, or the operation."""
    payload_json: str
    """The payload as canonical JSON text, so that its digest is the same at both ends."""
