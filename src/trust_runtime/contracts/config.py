"""Desired and reported configuration (contract 11): documents, revisions, states, keys."""

from enum import StrEnum, unique
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.policy import Role

EMPTY_ETAG: Final = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""Etag of the empty desired document."""


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

    path: str
    """TOML path of the key that must change; empty for a syntax error."""

    value: str
    """The value as JSON text, `<redacted>` for a secret, `nothing` when missing."""

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
    expected_revision: int | None = None
    """Refused with 409 when the newest revision is another."""
    expected_etag: str | None = None
    """Refused with 409 when the desired etag is another."""
    request_id: str | None = None
    """Makes the write idempotent."""


class ConfigRevision(Struct, frozen=True, kw_only=True):
    """One stored revision, secrets included; never leaves the store unredacted."""

    revision: int
    """1, 2, 3, ... without gaps."""
    kind: str
    """`write`."""
    document: dict[str, Any]
    """The whole desired document of this revision."""
    patch: dict[str, Any]
    """What the writer sent."""
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


class BootRecord(Struct, frozen=True, kw_only=True):
    """Which revisions were started with (contract 11.5)."""

    attempted_revision: int = 0
    """Revision of the newest start."""
    ready_revision: int = 0
    """Newest revision whose start reached readiness."""
