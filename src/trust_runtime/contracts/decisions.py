"""What a decision looks like: checks, one decision per target, all of them (contract 6.7, 8.2)."""

from enum import StrEnum, unique

from msgspec import Struct

from trust_runtime.contracts.counterfactual import WouldAllow
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.receipt import Receipt


@unique
class CheckOutcome(StrEnum):
    """Outcome of one rule."""

    PASS = "pass"  # noqa: S105 - no password: the outcome's name in the contract
    DENY = "deny"
    SKIP = "skip"


@unique
class TargetState(StrEnum):
    """How reachable a target looks from the origin."""

    LOCAL = "local"
    REACHABLE = "reachable"
    STALE = "stale"
    PARTITIONED = "partitioned"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Check(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One rule applied to one target."""

    check: str
    """Stable name of the rule."""

    outcome: CheckOutcome
    """What it found."""

    detail: str
    """For people; names thresholds, never ages."""

    remedy: str | None = None
    """Only for a denial: what to do about it."""


class TargetDecision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decision on one target."""

    runtime_id: str
    """Canonical id, or the text as given when it is none."""

    allowed: bool
    """True when no check denies."""

    target_state: TargetState
    """Reachability used by the decision."""

    denial_code: DenialCode | None = None
    """Code of the first denying check (a failing profile comes first)."""

    denial_reason: str | None = None
    """Detail of that check."""

    checks: tuple[Check, ...]
    """Every check in order; what denies and what passes."""


class Preflight(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole answer of a preflight; holds no time, age or random id but those of a receipt."""

    api_version: str
    """Always `1.0`."""

    request_id: str
    """As given."""

    connected_via: str
    """Canonical id of the origin."""

    acting_on: tuple[str, ...]
    """Canonical targets, duplicates removed."""

    allowed: bool
    """True when there is at least one decision and all allow."""

    denial_code: DenialCode | None = None
    """Of the first denied decision."""

    denial_reason: str | None = None
    """Of the first denied decision."""

    decision_digest: str
    """Fingerprint of what was decided (contract 8.5)."""

    decisions: tuple[TargetDecision, ...]
    """One per distinct target, in order."""

    receipt: Receipt | None = None
    """Set when it was wanted and all is allowed; good for five minutes, for this request alone."""

    would_allow: WouldAllow | None = None
    """Set when denied: the smallest change that would allow all of it, and who may make it."""
