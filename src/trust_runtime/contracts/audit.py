"""Records of what was decided and done, chained by hash (contract 10.1)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Role

GENESIS_HASH: Final = "0" * 64
"""`prev_hash` of the first record."""


@unique
class Phase(StrEnum):
    """Which of the records of one audit id this is."""

    DECISION = "decision"
    OUTCOME = "outcome"
    SINGLE = "single"


@unique
class Verdict(StrEnum):
    """What was decided."""

    ALLOWED = "allowed"
    DENIED = "denied"


@unique
class Outcome(StrEnum):
    """What became of it."""

    EXECUTED = "executed"
    FAILED = "failed"
    DENIED = "denied"
    SKIPPED = "skipped"
    TIMEOUT = "timeout"
    REPLAYED = "replayed"
    DECIDED = "decided"
    UNKNOWN = "unknown"


class AuditDraft(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record before the store gave it its place in the chain."""

    audit_id: str
    """`audit-` and UUIDv7; unique together with `phase`."""

    phase: Phase
    """`single`, or one of the two records of an effect."""

    timestamp_ns: int
    """Wall clock, nanoseconds since the epoch."""

    origin: str
    """Canonical id of the deciding origin."""

    target: str | None = None
    """Canonical id of the target; None when there is none."""

    actor: str
    """The claim."""

    identity: str
    """What was authenticated."""

    role: Role
    """The role in force."""

    action_type: str
    """An action, or a local event such as `process.start`."""

    verb: str | None = None
    """The verb of a `cmd_invoke`."""

    request_id: str
    """As given."""

    decision: Verdict
    """Allowed or denied."""

    denial_code: DenialCode | None = None
    """Why not."""

    outcome: Outcome | None = None
    """Absent on phase `decision`."""

    replay_of: str | None = None
    """For `replayed`: the audit id of the first execution."""

    payload_digest: str
    """Digest of the payload with secrets redacted; payloads are never stored."""

    count: int | None = None
    """How many equal refusals this one record stands for (D60); absent: it stands for itself."""


class AuditRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A durable record; its JSON form is what the hash covers (without `hash`)."""

    audit_id: str
    """See `AuditDraft`; the same for all members down to `count`."""
    phase: Phase
    """See `AuditDraft`."""
    seq: int
    """1, 2, 3, ... per runtime, without gaps."""
    timestamp_ns: int
    """See `AuditDraft`."""
    origin: str
    """See `AuditDraft`."""
    target: str | None = None
    """See `AuditDraft`."""
    actor: str
    """See `AuditDraft`."""
    identity: str
    """See `AuditDraft`."""
    role: Role
    """See `AuditDraft`."""
    action_type: str
    """See `AuditDraft`."""
    verb: str | None = None
    """See `AuditDraft`."""
    request_id: str
    """See `AuditDraft`."""
    decision: Verdict
    """See `AuditDraft`."""
    denial_code: DenialCode | None = None
    """See `AuditDraft`."""
    outcome: Outcome | None = None
    """See `AuditDraft`."""
    replay_of: str | None = None
    """See `AuditDraft`."""
    payload_digest: str
    """See `AuditDraft`."""
    count: int | None = None
    """See `AuditDraft`."""
    prev_hash: str
    """Hash of the record before this one, 64 hex digits."""
    hash: str
    """SHA-256 over the canonical JSON of this record without `hash`, 64 hex digits."""


class ChainHead(Struct, frozen=True, kw_only=True):
    """The newest record of a chain."""

    seq: int
    """0 while the chain is empty."""

    hash: str
    """64 hex digits; 64 zeros while the chain is empty."""


EMPTY_CHAIN: Final = ChainHead(seq=0, hash=GENESIS_HASH)


class WitnessedHead(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The head of another runtime's chain, as its own signed beacon told it."""

    runtime_id: str
    """Whose chain."""

    head: ChainHead
    """The newest one accepted."""

    seen_at_ns: int
    """Wall clock of the witness, nanoseconds since the epoch."""

    contradiction: str | None = None
    """Why what it tells now does not continue what it told before; None while it does."""


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which records a list shows; exact matches, newest first."""

    request_id: str | None = None
    """Only this request."""

    actor: str | None = None
    """Only this claim."""

    runtime: str | None = None
    """Only records whose origin or target is this canonical id."""

    limit: int = 100
    """1..1000."""

    before_seq: int | None = None
    """Only records older than this one."""


class ChainProblem(Struct, frozen=True, kw_only=True):
    """The first place where a chain, or the store under it, is damaged."""

    seq: int | None
    """The first bad record; None when the damage lies elsewhere in the file."""

    detail: str
    """What is wrong there."""


class ChainReport(Struct, frozen=True, kw_only=True):
    """What `audit verify` found."""

    runtime_id: str
    """Whose chain."""

    records: int
    """How many records were verified, from the oldest on."""

    head: ChainHead
    """The newest verified record."""

    problem: ChainProblem | None = None
    """None when everything is as it was written."""
