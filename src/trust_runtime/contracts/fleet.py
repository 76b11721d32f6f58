"""The fleet as one runtime shows it (contract 7); an unmeasured value is None and omitted."""

from enum import StrEnum, unique

from msgspec import Struct

from trust_runtime.contracts.presence import Lifecycle, LinkState, TrustReason
from trust_runtime.contracts.timeline import TimelineEvent


@unique
class Health(StrEnum):
    """How well a runtime says it does."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAULTED = "faulted"


@unique
class TrustState(StrEnum):
    """Whether a runtime's identity is accepted here."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Node(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One runtime of the fleet."""

    runtime_id: str
    """Canonical id."""
    site: str
    """Its site."""
    display_name: str
    """Its name without the site."""
    role: str
    """`ACTIVE`, `STANDBY` or `MEMBER`."""
    lifecycle_state: Lifecycle
    """Verdict of the answering runtime."""
    health_state: Health | None = None
    """Its own report, at best degraded while it is not online; None if never reported."""
    health_reasons: tuple[str, ...] = ()
    """Its own report."""
    trust_state: TrustState
    """Verdict of the answering runtime."""
    trust_reason: TrustReason | None = None
    """Why untrusted."""
    config_state: str | None = None
    """Its own report; None if never reported."""
    last_seen_ns: int
    """Observer's wall clock at its last valid beacon; 0 if never."""
    clock_skew_ms: int | None = None
    """Measured, rounded to 100 ms; None while unknown."""
    profile: str | None = None
    """Its own report."""
    version: str | None = None
    """Its own report."""
    boot_id: str | None = None
    """Its own report."""
    uptime_ms: int | None = None
    """Its own report."""
    engine_state: str | None = None
    """Its own report; `absent` where there is no program engine."""
    host_group: str | None = None
    """Configured host group."""
    desired_revision: int | None = None
    """Its own report."""
    reported_revision: int | None = None
    """Its own report."""


class Edge(Struct, frozen=True, kw_only=True):
    """One measured link; `latency_ms_p95` and `loss_pct` are null until measured."""

    source: str
    """Who measured."""
    target: str
    """Whom it reached."""
    channel_type: str
    """`mesh_t2_ops`."""
    state: LinkState
    """Verdict of contract 7.3."""
    stale: bool
    """Target not online."""
    latency_ms_p95: float | None
    """95th percentile of the round trips of answered probes of the window, milliseconds."""
    loss_pct: float | None
    """Unanswered probes of the same window, percent."""
    last_ok_ns: int
    """Wall clock of the last answered probe; 0 if none."""


class Topology(Struct, frozen=True, kw_only=True):
    """Nodes, links and hosts."""

    nodes: tuple[Node, ...]
    """Ascending by id, the own node included."""
    edges: tuple[Edge, ...]
    """Ascending by source, target, channel."""
    host_groups: tuple[tuple[str, ...], ...]
    """Ids of one host together."""


class FeatureFlags(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the UI may offer (contract 7.4)."""

    device_discovery: bool = False
    """Dev only."""
    edit_mode: bool = False
    """Dev only."""
    host_containers: bool = False
    """Every profile."""
    module_slots: bool = False
    """Dev only."""


class Context(Struct, frozen=True, kw_only=True):
    """Who asks, and through whom."""

    connected_via: str
    """The answering runtime."""
    acting_on: tuple[str, ...]
    """Known peers ascending, then the own id."""
    site_scope: tuple[str, ...]
    """Own site first, then the others ascending."""
    identity: str
    """What was authenticated."""
    role: str
    """Role in force."""
    mode: str
    """`edit` or `view`."""


class StateDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `GET state`."""

    api_version: str
    """Always `1.0`."""
    context: Context
    """Differs per caller."""
    topology: Topology
    """The same for every caller."""
    timeline: tuple[TimelineEvent, ...]
    """The newest 100 events, oldest first."""
    feature_flags: FeatureFlags
    """By profile."""
    at_ns: int | None = None
    """The past instant asked for, nanoseconds since the epoch; None for the present."""
    recorded_at_ns: int | None = None
    """When what is shown of that instant was recorded; nothing changed in between."""
