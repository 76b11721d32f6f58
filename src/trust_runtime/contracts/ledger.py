"""What an executing runtime remembers of writes (contract 8.7)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.results import TargetReply


class LedgerKey(Struct, frozen=True, kw_only=True):
    """The key of idempotency."""

    origin: str
    """Authenticated origin, canonical id."""
    request_id: str
    """As given by the caller."""


@unique
class LedgerState(StrEnum):
    """How far a remembered write is."""

    RUNNING = "running"
    DONE = "done"


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """One remembered write."""

    key: LedgerKey
    """Whose request."""
    digest: str
    """Digest of `{action_type, op, payload}`."""
    audit_id: str
    """Of the first execution's records."""
    state: LedgerState
    """Running until its outcome is durable."""
    reply: TargetReply | None = None
    """The stored result; None while running."""
    created_at_ns: int
    """Wall clock of the target."""
    iat_s: int
    """`iat` of the envelope, seconds since the epoch."""


@unique
class LedgerVerdict(StrEnum):
    """What a request means against what is remembered."""

    FIRST = "first"
    REPLAY = "replay"
    RUNNING = "running"
    CONFLICT = "conflict"
    TOO_OLD = "too_old"


LEDGER_READ: Final = "ledger.read"
"""Operation on `cmd/action`: an origin asks what became of a write of its own."""


class LedgerQuestion(Struct, frozen=True, kw_only=True):
    """Payload of `ledger.read`; the origin is the one that signed it."""

    request_id: str
    """Whose outcome is wanted."""


class LedgerAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a ledger says of one request."""

    state: LedgerState | None = None
    """None: it has no such request."""
    digest: str | None = None
    """Of the request it remembers."""
    reply: TargetReply | None = None
    """The stored result; None while running or unknown."""
    low_water_s: int
    """`iat` (s) below which it has forgotten; an older request may have been executed."""
