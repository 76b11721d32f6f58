"""From one state to the next: what an operator should read of it (contract 10.5). Pure."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.fleet import Edge, Health, Node, Topology, TrustState
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.timeline import Category, Severity
from trust_runtime.contracts.units import CLOCK_SKEW_MS_MAX


class Happening(Struct, frozen=True, kw_only=True):
    """One transition, before it becomes an event with a time and an id."""

    category: Category
    """What it is about."""
    severity: Severity
    """How much attention it needs."""
    about: RuntimeId
    """The runtime it is about."""
    summary: str
    """For people."""
    data: dict[str, Any]
    """For programs."""


_LIFECYCLE_SEVERITY: Final = {
    Lifecycle.ONLINE: Severity.INFO,
    Lifecycle.OFFLINE: Severity.INFO,
    Lifecycle.STALE: Severity.WARNING,
    Lifecycle.PARTITIONED: Severity.CRITICAL,
}
_FIRST_TRUST: Final = (TrustState.TRUSTED, None)
"""Whoever appears like that makes no event of its own: it is what is expected."""

_HEALTH_SEVERITY: Final = {"healthy": Severity.INFO, "degraded": Severity.WARNING}
_CONFIG_SEVERITY: Final = {
    "in_sync": Severity.INFO,
    "pending": Severity.INFO,
    "blocked": Severity.WARNING,
    "error": Severity.WARNING,
}


def happenings(own: RuntimeId, before: Topology, after: Topology) -> tuple[Happening, ...]:
    """Return every transition between two states as `own` sees it, in the order of ids.

    Of itself a runtime tells health and configuration; of others what it concludes from outside.
    Their health is theirs to tell.
    """
    known = {node.runtime_id: node for node in before.nodes}
    links = {(edge.source, edge.target, edge.channel_type): edge for edge in before.edges}
    found: list[Happening] = []
    for node in after.nodes:
        earlier = known.get(node.runtime_id)
        if node.runtime_id == own:
            found += () if earlier is None else _of_itself(earlier, node)
        else:
            found += _of_another(earlier, node)
    present = {node.runtime_id for node in after.nodes}
    found += [_forgotten(node) for node in before.nodes if node.runtime_id not in present]
    for edge in after.edges:
        earlier_edge = links.get((edge.source, edge.target, edge.channel_type))
        if edge.source == own and earlier_edge is not None:
            found += _of_link(earlier_edge, edge)
    return tuple(found)


def _of_itself(before: Node, after: Node) -> Iterator[Happening]:
    about = RuntimeId(after.runtime_id)
    yield from _trust(before, after)
    if _health(before) != _health(after) and after.health_state is not None:
        reasons = "; ".join(after.health_reasons)
        yield Happening(
            category=Category.COMMUNICATION,
            severity=_HEALTH_SEVERITY.get(after.health_state, Severity.CRITICAL),
            about=about,
            summary=f"{about} is {after.health_state}" + (f": {reasons}" if reasons else ""),
            data={"health_state": after.health_state, "reasons": list(after.health_reasons)},
        )
    if before.config_state != after.config_state and after.config_state is not None:
        yield Happening(
            category=Category.CONFIG,
            severity=_CONFIG_SEVERITY.get(after.config_state, Severity.WARNING),
            about=about,
            summary=f"configuration of {about} is {after.config_state.replace('_', ' ')}"
            f" at revision {after.desired_revision}",
            data={
                "config_state": after.config_state,
                "desired_revision": after.desired_revision,
                "reported_revision": after.reported_revision,
            },
        )


def _of_another(before: Node | None, after: Node) -> Iterator[Happening]:
    about = RuntimeId(after.runtime_id)
    state = after.lifecycle_state
    if before is None or before.lifecycle_state is not state:
        yield Happening(
            category=Category.COMMUNICATION,
            severity=_LIFECYCLE_SEVERITY[state],
            about=about,
            summary=f"{about} is {state}",
            data={"lifecycle_state": state},
        )
    elif before.boot_id != after.boot_id and after.boot_id is not None:
        yield Happening(
            category=Category.COMMUNICATION,
            severity=Severity.WARNING,
            about=about,
            summary=f"{about} was restarted",
            data={"boot_id": after.boot_id},
        )
    yield from _trust(before, after)
    yield from _skew(before, after)


def _health(node: Node) -> tuple[Health | None, tuple[str, ...]]:
    """Return the state and what its reasons are about; their numbers change all the time."""
    return node.health_state, tuple(reason.partition(":")[0] for reason in node.health_reasons)


def _trust(before: Node | None, after: Node) -> Iterator[Happening]:
    known = _FIRST_TRUST if before is None else (before.trust_state, before.trust_reason)
    now = (after.trust_state, after.trust_reason)
    if now == known or (before is None and after.trust_reason is TrustReason.NEVER_SEEN):
        return
    about = RuntimeId(after.runtime_id)
    trusted = after.trust_state is TrustState.TRUSTED
    reason = "" if after.trust_reason is None else f": {after.trust_reason.replace('_', ' ')}"
    yield Happening(
        category=Category.SECURITY,
        severity=Severity.INFO if trusted else Severity.CRITICAL,
        about=about,
        summary=f"{about} is {after.trust_state}{reason}",
        data={"trust_state": after.trust_state, "trust_reason": after.trust_reason},
    )


def _skew(before: Node | None, after: Node) -> Iterator[Happening]:
    was, now = before is not None and _is_skewed(before), _is_skewed(after)
    if was == now:
        return
    about = RuntimeId(after.runtime_id)
    yield Happening(
        category=Category.COMMUNICATION,
        severity=Severity.WARNING if now else Severity.INFO,
        about=about,
        summary=f"clock of {about} differs by {after.clock_skew_ms} ms"
        if now
        else f"clock of {about} agrees again",
        data={"clock_skew_ms": after.clock_skew_ms},
    )


def _is_skewed(node: Node) -> bool:
    return node.clock_skew_ms is not None and abs(node.clock_skew_ms) > CLOCK_SKEW_MS_MAX


def _of_link(before: Edge, after: Edge) -> Iterator[Happening]:
    # Stale and failed say what the peer's own lifecycle says already.
    if before.state is after.state or before.stale or after.stale:
        return
    yield Happening(
        category=Category.COMMUNICATION,
        severity=Severity.INFO if after.state == "healthy" else Severity.WARNING,
        about=RuntimeId(after.target),
        summary=f"link to {after.target} is {after.state}",
        data={"channel_type": after.channel_type, "state": after.state},
    )


def _forgotten(node: Node) -> Happening:
    about = RuntimeId(node.runtime_id)
    return Happening(
        category=Category.COMMUNICATION,
        severity=Severity.INFO,
        about=about,
        summary=f"{about} was forgotten: it was not seen for too long"
        if node.last_seen_ns > 0
        else f"{about} was never heard, and nothing names it any more",
        data={"last_seen_ns": node.last_seen_ns},
    )
