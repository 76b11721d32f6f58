"""What became of a dispatch: exactly one result per target (contract 6.8)."""

from enum import StrEnum, unique
from typing import Any

from msgspec import Struct

from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.receipt import MovedFact


@unique
class ResultStatus(StrEnum):
    """How one target ended."""

    EXECUTED = "executed"
    DENIED = "denied"
    SKIPPED = "skipped"
    TIMEOUT = "timeout"
    FAILED = "failed"


class ControlReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The target's own answer to an executed action (contract 14.4)."""

    id: int
    """1 in a dispatch; the line's id on the control socket."""

    ok: bool
    """False: execution ended in an error."""

    request_id: str | None = None
    """As given."""

    audit_id: str | None = None
    """The audit record of the execution."""

    result: Any = None
    """What the verb gives."""

    error: str | None = None
    """Why it is not ok."""

    denial_code: DenialCode | None = None
    """Code when it is not ok."""

    remedy: str | None = None
    """What to do when it is not ok."""


class TargetReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a signed reply from target to origin."""

    status: ResultStatus
    """`executed`, `denied` or `failed`."""

    denial_code: DenialCode | None = None
    """For everything not executed."""

    denial_reason: str | None = None
    """For everything not executed."""

    remedy: str | None = None
    """For everything not executed."""

    retry_after_ms: int | None = None
    """Set when the same request is still running, or none is taken now."""

    response: ControlReply | None = None
    """Set when something was executed."""

    replayed: bool = False
    """True when the answer comes from the ledger."""

    audit_id: str | None = None
    """The record of the execution; for a replay that of the first one."""

    moved: tuple[MovedFact, ...] = ()
    """Facts of its own that are not what the receipt says."""


class TargetResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the caller is told of one target."""

    runtime_id: str
    """The target."""

    status: ResultStatus
    """How it ended."""

    ok: bool
    """True only for executed, and for skipped in an allowed dry run."""

    denial_code: DenialCode | None = None
    """For everything not ok, except skipped by abort."""

    denial_reason: str | None = None
    """Why it is not ok."""

    remedy: str | None = None
    """What to do about it, when the target said so."""

    retry_after_ms: int | None = None
    """When the same request can be asked for again, in milliseconds; set while it still runs, and
    when the target is overloaded."""

    audit_id: str | None = None
    """Names the record at origin and target."""

    response: ControlReply | None = None
    """The target's control reply."""

    replayed: bool = False
    """True when the target answered from its ledger."""

    moved: tuple[MovedFact, ...] = ()
    """Facts about it that are not what the receipt says, by origin and by target."""


class DispatchReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole answer of a dispatch."""

    api_version: str
    """Always `1.0`."""

    request_id: str
    """As given."""

    connected_via: str
    """Canonical id of the origin."""

    acting_on: tuple[str, ...]
    """Canonical targets."""

    dry_run: bool
    """As asked."""

    ok: bool
    """True only when every result is ok."""

    denial_code: DenialCode | None = None
    """Of the first result that is not ok and has one."""

    denial_reason: str | None = None
    """Of that result."""

    moved: tuple[MovedFact, ...] = ()
    """Every fact that is not what the receipt says: the origin's own, and those of the results."""

    preflight: Preflight
    """The complete decision."""

    results: tuple[TargetResult, ...]
    """Exactly one per distinct target."""
