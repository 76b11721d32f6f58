"""The fleet as shown: facts in any order give the same document (contract 7)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.fleet import (
    Context,
    Edge,
    FeatureFlags,
    Health,
    Node,
    Topology,
    TrustState,
)
from trust_runtime.contracts.ids import RuntimeId, name_of, site_of
from trust_runtime.contracts.policy import Caller, Profile, Role, allows
from trust_runtime.contracts.presence import BeaconStatus, Lifecycle, TrustReason

_GROUP_PREFIX: Final = "group:"
_SKEW_STEP_MS: Final = 100
_HEALTH: Final[Mapping[str, Health]] = {health.value: health for health in Health}


class NodeFacts(Struct, frozen=True, kw_only=True):
    """What is known of one runtime."""

    runtime_id: RuntimeId
    """Whose facts."""

    lifecycle: Lifecycle
    """The observer's verdict; online for itself."""

    trust_reason: TrustReason | None
    """Why untrusted; None when trusted."""

    last_seen_ns: int
    """Observer's wall clock at the last valid beacon; 0 if never."""

    clock_skew_ms: int | None = None
    """Measured; None for itself and while unknown."""

    status: BeaconStatus | None = None
    """The runtime's last own report; None if there never was one."""


class EdgeFacts(Struct, frozen=True, kw_only=True):
    """Edges one runtime measured, and how alive that runtime is."""

    lifecycle: Lifecycle
    """Edges of a runtime that is not online are not shown."""

    edges: tuple[Edge, ...]
    """As measured by it."""


def project(own: NodeFacts, peers: Iterable[NodeFacts], edges: Iterable[EdgeFacts]) -> Topology:
    """Return nodes, edges and hosts, sorted; the same for any order of the facts."""
    facts = sorted([own, *peers], key=lambda f: f.runtime_id)
    shown = {
        (edge.source, edge.target, edge.channel_type): edge
        for measured in edges
        if measured.lifecycle is Lifecycle.ONLINE
        for edge in measured.edges
    }
    return Topology(
        nodes=tuple(_node(fact, is_own=fact.runtime_id == own.runtime_id) for fact in facts),
        edges=tuple(shown[key] for key in sorted(shown)),
        host_groups=_host_groups(facts),
    )


def context(own: RuntimeId, topology: Topology, caller: Caller) -> Context:
    """Return who asks, through whom, and whom they can see."""
    others = [node.runtime_id for node in topology.nodes if node.runtime_id != own]
    sites = sorted({node.site for node in topology.nodes} - {site_of(own)})
    return Context(
        connected_via=own,
        acting_on=(*others, own),
        site_scope=(site_of(own), *sites),
        identity=caller.identity,
        role=caller.role,
        mode="edit" if allows(caller.role, Role.ENGINEER) else "view",
    )


def feature_flags(profile: Profile) -> FeatureFlags:
    """Return what a UI may offer in `profile`."""
    dev = profile is Profile.DEV
    return FeatureFlags(device_discovery=dev, edit_mode=dev, host_containers=True, module_slots=dev)


def _node(facts: NodeFacts, *, is_own: bool) -> Node:
    status = facts.status
    online = facts.lifecycle is Lifecycle.ONLINE
    group = None
    if status is not None and status.host_key.startswith(_GROUP_PREFIX):
        group = status.host_key.removeprefix(_GROUP_PREFIX)
    skew = facts.clock_skew_ms
    return Node(
        runtime_id=facts.runtime_id,
        site=site_of(facts.runtime_id),
        display_name=name_of(facts.runtime_id),
        role="MEMBER",
        lifecycle_state=facts.lifecycle,
        health_state=_health(status, online=online),
        health_reasons=() if status is None else status.health_reasons,
        trust_state=(TrustState.TRUSTED if facts.trust_reason is None else TrustState.UNTRUSTED),
        trust_reason=facts.trust_reason,
        config_state=_config_state(status, online=online),
        last_seen_ns=facts.last_seen_ns,
        clock_skew_ms=None if skew is None or is_own else _rounded(skew),
        profile=None if status is None else status.profile,
        version=None if status is None else status.version,
        boot_id=None if status is None else status.boot_id,
        uptime_ms=None if status is None else status.uptime_ms,
        engine_state=None if status is None else status.engine_state,
        host_group=group,
        desired_revision=None if status is None else status.config.desired_revision,
        reported_revision=None if status is None else status.config.reported_revision,
    )


def _health(status: BeaconStatus | None, *, online: bool) -> Health | None:
    """Return its own report; while it is not online the worse of that and degraded.

    A word this version does not know (a newer peer's) is shown as unknown.
    """
    reported = None if status is None else _HEALTH.get(status.health)
    if reported is None or online or reported is Health.FAULTED:
        return reported
    return Health.DEGRADED


def _config_state(status: BeaconStatus | None, *, online: bool) -> str | None:
    if status is None:
        return None
    if online or status.config.state in ("blocked", "error"):
        return status.config.state
    return "pending"


def _rounded(skew_ms: int) -> int:
    return round(skew_ms / _SKEW_STEP_MS) * _SKEW_STEP_MS


def _host_groups(facts: Sequence[NodeFacts]) -> tuple[tuple[str, ...], ...]:
    # A runtime that was never heard shares its host with nobody we know of.
    alone = [(fact.runtime_id,) for fact in facts if fact.status is None]
    by_key: dict[str, list[str]] = {}
    for fact in facts:
        if fact.status is not None:
            by_key.setdefault(fact.status.host_key, []).append(fact.runtime_id)
    return tuple(sorted([*alone, *map(tuple, by_key.values())]))
