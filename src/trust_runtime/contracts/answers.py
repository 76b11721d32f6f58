"""What services answer to the entrances (HTTP, control socket)."""

from typing import Any, Generic, TypeVar

from msgspec import Struct, field

from trust_runtime.contracts.audit import AuditRecord
from trust_runtime.contracts.config import ConfigMeta, ConfigStatus
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import Denial, DenialCode

T = TypeVar("T")


class Shown(Struct, Generic[T], frozen=True, kw_only=True):
    """What was read, here or at another runtime."""

    content: T
    """As its owner gave it."""

    audit_id: str | None = None
    """The record of the read; None for a local one, which makes none."""


class Unanswered(Struct, frozen=True, kw_only=True):
    """Why a runtime that was addressed by name gave no answer of its own (contract 6.5)."""

    denial: Denial
    """The reason."""

    refused: bool
    """True: a decision refused it, here or there (403); else it failed on the way."""

    preflight: Preflight
    """The decision taken here."""

    audit_id: str | None = None
    """Its record; None only when the store failed."""


class ConfigAnswer(Struct, frozen=True, kw_only=True):
    """What became of a configuration write (contract 6.11)."""

    denial: Denial | None = None
    """Why nothing was stored; None when it was."""

    if_match_failed: bool = False
    """The denial comes from the `If-Match` header (412 instead of 409)."""

    changed: bool = False
    """Whether a new revision was made."""

    audit_id: str | None = None
    """The write's record; None only when the store failed."""

    replayed: bool = False
    """The same request had been executed before."""

    desired: dict[str, Any] = field(default_factory=dict)
    """Present desired document, secrets redacted."""

    reported: dict[str, Any] = field(default_factory=dict)
    """Present reported document, secrets redacted."""

    meta: ConfigMeta | None = None
    """Present revisions; None only when the store failed."""

    status: ConfigStatus | None = None
    """Present state; None only when the store failed."""


class Readiness(Struct, frozen=True, kw_only=True):
    """The answer of `/readyz`."""

    ok: bool
    """Every check passes."""

    checks: dict[str, str]
    """`ok`, `absent`, `off`, or what is wrong, by part."""

    denial_code: DenialCode | None = None
    """`not_configured` if only the profile fails, else `transport_failure`."""


class ControlCall(Struct, frozen=True, kw_only=True):
    """One line of the control socket (contract 14.4)."""

    id: int
    """Repeated in the reply."""

    type: str
    """The verb."""

    params: dict[str, Any] = field(default_factory=dict)
    """Its parameters."""

    auth: str | None = None
    """A token, for users other than the one who runs the process, and root."""

    request_id: str | None = None
    """Key of idempotency."""


class HeldRecord(AuditRecord, frozen=True, kw_only=True, omit_defaults=True):
    """An audit record and which runtime holds it."""

    held_by: str
    """Canonical id of the holder."""
