"""Answers of HTTP endpoints that no other contract has: lists, receipts, errors (contract 6)."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from trust_runtime.contracts.answers import HeldRecord
from trust_runtime.contracts.audit import AuditRecord
from trust_runtime.contracts.config import ConfigMeta, ConfigStatus
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.timeline import TimelineEvent

ENVELOPE_MEMBERS: Final = ("ok", "denial_code", "error", "remedy")
"""What every error answer has."""


class AuditPage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `GET audit`."""

    api_version: str
    """Always `1.0`."""
    items: tuple[AuditRecord, ...]
    """Newest first."""
    next_cursor: str | None = None
    """`cursor` of the next question; absent at the end of the log."""


class AuditRecords(Struct, frozen=True, kw_only=True):
    """The answer of `GET audit/{audit_id}`."""

    api_version: str
    """Always `1.0`."""
    records: tuple[HeldRecord, ...]
    """Oldest first; for a write its decision and its outcome."""


class TimelinePage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `GET timeline`."""

    api_version: str
    """Always `1.0`."""
    items: tuple[TimelineEvent, ...]
    """Oldest first."""
    next_since: str | None = None
    """`since` of the next question; absent when nothing newer is known."""


class DesiredDone(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `POST config/desired` when the write was accepted."""

    ok: bool
    """Always true."""
    changed: bool
    """Whether a new revision was made."""
    audit_id: str | None = None
    """The record of the write."""
    meta: ConfigMeta | None = None
    """The revisions as they are now."""
    status: ConfigStatus | None = None
    """How far they are in force."""
    replayed: bool = False
    """The same request had been executed before."""


class Alive(Struct, frozen=True, kw_only=True):
    """The answer of `GET /healthz`."""

    ok: bool
    """Always true."""


class Ready(Struct, frozen=True, kw_only=True):
    """The answer of `GET /readyz` when everything passes."""

    ok: bool
    """Always true."""
    checks: dict[str, str]
    """`ok`, `open`, `absent` or `off`, by part."""


class ErrorEnvelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every answer that is not 2xx; endpoints add members of their own, named at each."""

    ok: Annotated[bool, Meta(extra_json_schema={"const": False})]
    """Always false."""
    denial_code: DenialCode
    """What clients branch on."""
    error: str
    """For people; names the offending thing."""
    remedy: str
    """What to do about it."""
    request_id: str | None = None
    """As given, when the request had a usable one."""
    error_id: str | None = None
    """At 500: what to look for in the log of the runtime."""
    required_action: str | None = None
    """What a client must do first, such as `rebase_required`."""
    checks: dict[str, str] | None = None
    """At `/readyz`: every check, by part."""
    desired: dict[str, Any] | None = None
    """After a lost race for the configuration: the desired document as it is."""
    reported: dict[str, Any] | None = None
    """After a lost race for the configuration: the reported document as it is."""
    denial_reason: str | None = None
    """Where a decision refused a runtime addressed by name: the decision's reason."""
    preflight: Preflight | None = None
    """Where a decision refused a runtime addressed by name: the whole decision."""
    meta: ConfigMeta | None = None
    """After a lost race for the configuration: its revisions."""
    status: ConfigStatus | None = None
    """After a lost race for the configuration: how far it is in force."""
