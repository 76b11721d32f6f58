"""What became of a dispatch, kept at its origin so that it can be asked for (contract 6.9)."""

from enum import StrEnum, unique

from msgspec import Struct

from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.receipt import MovedFact
from trust_runtime.contracts.results import ControlReply, ResultStatus


@unique
class RowState(StrEnum):
    """How far a dispatch is."""

    RUNNING = "running"
    DONE = "done"


class RowResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one target; a target that is still out has no `status`."""

    runtime_id: str
    """The target."""

    status: ResultStatus | None = None
    """How it ended; None while it is still out."""

    ok: bool | None = None
    """As in a dispatch; None while it is still out."""

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
    """As in a dispatch."""


class RowReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of a dispatch as far as it is known."""

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

    ok: bool | None = None
    """True only when every result is ok; None while a target is still out."""

    denial_code: DenialCode | None = None
    """Of the first result that is not ok and has one."""

    denial_reason: str | None = None
    """Of that result."""

    moved: tuple[MovedFact, ...] = ()
    """As in a dispatch."""

    preflight: Preflight
    """The complete decision."""

    results: tuple[RowResult, ...]
    """Exactly one per distinct target."""


class RefusedReuse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Other requests that came under the id of a dispatch and were refused everywhere."""

    count: int
    """How many."""

    at_ns: int
    """Wall clock of the origin when it decided on the newest one."""

    actor: str
    """The claim of the newest one."""

    action_type: str
    """Of the newest one, as given."""

    denial_code: DenialCode | None = None
    """Why the newest one was refused."""

    denial_reason: str | None = None
    """For people."""

    audit_ids: tuple[str, ...] = ()
    """Its records, one per target."""


class ActionRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `GET actions/{request_id}`."""

    api_version: str
    """Always `1.0`."""

    request_id: str
    """As given."""

    state: RowState
    """Running until every target has a result."""

    actor: str
    """The claim."""

    action_type: str
    """As given."""

    created_at_ns: int
    """Wall clock of the origin when it decided."""

    finished_at_ns: int | None = None
    """Wall clock of the origin when the dispatch ended; None while it runs."""

    report: RowReport
    """As far as it is known; what is learned later replaces what was not known."""

    refused_reuse: RefusedReuse | None = None
    """Other requests under this id that were refused since; nothing of them happened."""


class KeptRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row as the origin keeps it."""

    request_id: str
    """The row's key."""

    row: ActionRow
    """What is shown."""

    digest: str
    """Digest of action and payload: only the truth about this very request settles it."""

    iat_s: int
    """When it was sent, seconds since the epoch."""

    unsettled: tuple[str, ...] = ()
    """Targets whose ledger has to tell what became of it."""

    former: "KeptRow | None" = None
    """While this one is not known to have an effect: the row of another request under its id,
    which is shown again when this one is refused everywhere."""
