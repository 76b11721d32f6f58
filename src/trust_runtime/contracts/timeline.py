"""What operators see of the past: the events of the timeline (contract 10.5)."""

from enum import StrEnum, unique
from typing import Any, Final

from msgspec import Struct

EVENTS_KEPT: Final = 100_000
"""At most so many events are kept; the oldest give way (contract 1.6)."""

KEPT_NS: Final = 30 * 24 * 3_600 * 1_000_000_000
"""Events, and states of the history, older than 30 days are dropped."""


@unique
class Category(StrEnum):
    """What an event is about."""

    AUDIT = "audit"
    CONFIG = "config"
    ROLLOUT = "rollout"
    COMMUNICATION = "communication"
    HA_ROLE = "ha_role"
    SECURITY = "security"


@unique
class Severity(StrEnum):
    """How much attention an event needs."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class TimelineEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that changed."""

    event_id: str
    """`evt-` and UUIDv7, made by whoever saw it."""
    timestamp_ns: int
    """Wall clock of whoever saw it, nanoseconds since the epoch."""
    category: Category
    """What it is about."""
    severity: Severity
    """How much attention it needs."""
    runtime_id: str
    """The runtime it is about, canonical id."""
    observer: str | None = None
    """Who saw it, when that is not the runtime itself."""
    request_id: str | None = None
    """The request it belongs to."""
    audit_id: str | None = None
    """The record it belongs to."""
    summary: str
    """For people, one sentence."""
    data: dict[str, Any] | None = None
    """For programs: small, without floats and secrets."""


class TimelineFilter(Struct, frozen=True, kw_only=True):
    """Which events a list shows, oldest first."""

    since: str | int | None = None
    """Only after this event id, or after these nanoseconds; None: the newest `limit`."""
    until_ns: int | None = None
    """Only up to these nanoseconds."""
    category: Category | None = None
    """Only this category."""
    runtime: str | None = None
    """Only about this canonical id."""
    limit: int = 100
    """1..1000."""
