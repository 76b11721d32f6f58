"""Desired and reported configuration (contract 11): documents, revisions, states, keys."""

from enum import StrEnum, unique
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.units import Unsigned

EMPTY_ETAG: Final = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""Etag of the empty desired document."""

HISTORY_LIMIT_MAX: Final = 500
"""Revisions of one answer."""

REVISION_MAX: Final = 2**63 - 1
"""The highest number a store can hold."""


@unique
class KeyEffect(StrEnum):
    """When a changed key is in force."""

    LIVE = "live"
    RESTART = "restart"
    FILE = "file"


class KeySpec(Struct, frozen=True, kw_only=True):
    """One configuration key (contract 4.2)."""

    path: str
    """TOML path, e.g. `runtime.log.level`."""

    key: str
    """Config key, e.g. `log.level`."""

    rule: str
    """What is allowed, for people: `"error" | "warn" | ...`, `1..3600000`."""

    default: Any = None
    """Value when absent; None when it has no value then."""

    required: bool = False
    """True: `runtime.toml` must have it."""

    effect: KeyEffect
    """Live, after a restart, or set in `runtime.toml` only."""

    role: Role = Role.ADMIN
    """Least role for a config write."""

    secret: bool = False
    """Write-only: shown as `<redacted>` everywhere."""


class SettingProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a configuration; all are reported at once (contract 4.3)."""

    path: str = field(name="key")
    """TOML path of the key that must change; empty for a syntax error."""

    value: str
    """The value as JSON text, `<redacted>` for a secret, `nothing` when missing, else in words."""

    allowed: str
    """The rule."""

    message: str | None = None
    """More than the rule says: the nearest known key, the other keys involved."""

    file: str | None = None
    """Name of the file; None when the value came from the desired document."""

    line: int | None = None
    """1-based line in that file."""

    column: int | None = None
    """1-based column, for a syntax error."""


@unique
class ConfigState(StrEnum):
    """How far the desired document is in force (contract 11.3)."""

    IN_SYNC = "in_sync"
    PENDING = "pending"
    ERROR = "error"
    BLOCKED = "blocked"


class ConfigMeta(Struct, frozen=True, kw_only=True):
    """Revisions and fingerprints of the documents."""

    api_version: str
    """Always `1.0`."""
    desired_revision: int
    """0 before the first write."""
    reported_revision: int
    """Newest revision fully in force."""
    desired_etag: str
    """Of the desired document; secrets count as `<redacted:REVISION>`."""
    reported_etag: str
    """Of the reported document, in the same way."""
    last_writer: str
    """Actor of the newest revision; `bootstrap` before the first."""
    apply_policy: str
    """Always `explicit`."""
    updated_at_ns: int
    """Wall clock of the newest revision."""


class ConfigStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the newest desired revision does."""

    api_version: str
    """Always `1.0`."""
    state: ConfigState
    """See `ConfigState`."""
    applied_revision: int
    """Newest revision fully in force."""
    pending_revision: int | None = None
    """Newest revision while it is not fully in force."""
    required_action: str | None = None
    """`restart_required` when only a restart is missing."""
    blocked_reason: str | None = None
    """`start_failed` or `desired_ignored`."""
    errors: tuple[str, ...]
    """Why it is in error or blocked."""
    restart_required: tuple[str, ...] | None = None
    """Keys that wait for a restart."""


class ConfigView(Struct, frozen=True, kw_only=True):
    """The answer of `GET config`; secrets are redacted."""

    api_version: str
    """Always `1.0`."""
    runtime_id: str
    """Whose configuration."""
    desired: dict[str, Any]
    """Keys asked for."""
    reported: dict[str, Any]
    """The same keys, read back from the running parts."""
    effective: dict[str, Any]
    """Every key that has a value, as running."""
    sources: dict[str, str]
    """`default`, `file` or `desired` for every effective key."""
    meta: ConfigMeta
    """Revisions."""
    status: ConfigStatus
    """State."""


class DesiredWrite(Struct, frozen=True, kw_only=True):
    """The body of `POST config/desired`."""

    api_version: str
    """`MAJOR.MINOR`."""
    actor: str
    """The claim."""
    desired: dict[str, Any]
    """RFC 7396 merge patch over config keys; null deletes."""
    expected_revision: Unsigned | None = None
    """Refused with 409 when the newest revision is another."""
    expected_etag: str | None = None
    """Refused with 409 when the desired etag is another."""
    request_id: str | None = None
    """Makes the write idempotent."""


class ConfigRollback(Struct, frozen=True, kw_only=True):
    """The body of `POST config/rollback`."""

    api_version: str
    """`MAJOR.MINOR`."""
    actor: str
    """The claim."""
    revision: int
    """The revision whose document is wanted again."""
    expected_revision: int | None = None
    """Refused with 409 when the newest revision is another."""
    request_id: str | None = None
    """Makes the rollback idempotent."""


class WriteParams(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What `config.write` is asked with."""

    params: dict[str, Any]
    """RFC 7396 merge patch over config keys."""
    expected_revision: int | None = None
    """Precondition."""
    expected_etag: str | None = None
    """Precondition."""
    if_match: str | None = None
    """Precondition of the HTTP header, without quotes; `*` matches anything."""


class RollbackParams(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What `config.rollback` is asked with."""

    revision: int
    """Whose document is wanted again."""
    expected_revision: int | None = None
    """Precondition."""


class HistoryParams(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What `config.history` is asked with."""

    limit: Annotated[int, Meta(ge=1, le=HISTORY_LIMIT_MAX)] = 50
    """How many revisions at most."""
    before: Annotated[int, Meta(ge=1, le=REVISION_MAX)] | None = None
    """Only revisions older than this one."""
    revision: Annotated[int, Meta(ge=1, le=REVISION_MAX)] | None = None
    """This one alone, with its whole document."""


class HistoryItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One revision as `GET config/history` shows it; secrets are redacted."""

    revision: int
    """Its number."""
    etag: str
    """Fingerprint of its document."""
    kind: str
    """`write` or `rollback`."""
    actor: str
    """The claim."""
    identity: str
    """What was authenticated."""
    request_id: str | None = None
    """As given."""
    audit_id: str
    """Its audit record."""
    patch: dict[str, Any]
    """What it changed, as a merge patch."""
    created_at_ns: int
    """Wall clock."""
    reached_reported_at_ns: int | None = None
    """Wall clock when it was first fully in force; None if it never was."""
    document: dict[str, Any] | None = None
    """The whole desired document; only where one revision was asked for."""
    secret_revisions: dict[str, int] | None = None
    """With the document: for each secret in it the revision that last changed it."""


class ConfigHistory(Struct, frozen=True, kw_only=True):
    """The answer of `GET config/history`, newest first."""

    api_version: str
    """Always `1.0`."""
    runtime_id: str
    """Whose configuration."""
    items: tuple[HistoryItem, ...]
    """Fewer than asked for when they are long; go on with `before`."""


class ConfigRevision(Struct, frozen=True, kw_only=True):
    """One stored revision, secrets included; never leaves the store unredacted."""

    revision: int
    """1, 2, 3, ... without gaps."""
    kind: str
    """`write` or `rollback`."""
    document: dict[str, Any]
    """The whole desired document of this revision."""
    patch: dict[str, Any]
    """What the writer sent; of a rollback what it changed."""
    secret_revisions: dict[str, int]
    """For each secret key in the document the revision that last changed it."""
    actor: str
    """The claim."""
    identity: str
    """What was authenticated."""
    request_id: str | None = None
    """As given."""
    audit_id: str
    """The write's audit record."""
    created_at_ns: int
    """Wall clock."""
    reached_at_ns: int | None = None
    """Wall clock when it was first fully in force."""


class BootRecord(Struct, frozen=True, kw_only=True):
    """Which revisions were started with (contract 11.5)."""

    attempted_revision: int = 0
    """Revision of the newest start."""
    ready_revision: int = 0
    """Newest revision whose start reached readiness."""
