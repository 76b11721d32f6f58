"""From one state of the fleet to the next, and back together (contract 6.17, D59). Pure.

The passing of time alone is no change: what moves with every beacon (`last_seen_ns`, `uptime_ms`,
`last_ok_ns`, a little latency) is carried along when something else changes.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from trust_runtime.contracts.fleet import Edge, Node, Topology
from trust_runtime.contracts.history import (
    EdgeChanges,
    EdgeName,
    NodeChanges,
    RecordedState,
    StateDelta,
)

_LATENCY_RATIO: Final = 0.25
_LATENCY_MS: Final = 1.0
_LOSS_POINTS: Final = 1.0


def diff(before: Topology, after: Topology) -> StateDelta | None:
    """Return what turns `before` into `after`, or None when nothing but time has passed."""
    nodes = {node.runtime_id: node for node in before.nodes}
    edges = {_place(edge): edge for edge in before.edges}
    here = {node.runtime_id for node in after.nodes}
    linked = {_place(edge) for edge in after.edges}
    delta = StateDelta(
        nodes=NodeChanges(
            upsert=tuple(n for n in after.nodes if _differs(nodes.get(n.runtime_id), n)),
            remove=tuple(i for i in nodes if i not in here),
        ),
        edges=EdgeChanges(
            upsert=tuple(e for e in after.edges if _has_moved(edges.get(_place(e)), e)),
            remove=tuple(_name(edge) for place, edge in edges.items() if place not in linked),
        ),
        host_groups=None if before.host_groups == after.host_groups else after.host_groups,
    )
    return None if delta == _NOTHING else delta


def apply(before: Topology, delta: StateDelta) -> Topology:
    """Return `before` with a delta applied."""
    nodes = {node.runtime_id: node for node in (*before.nodes, *delta.nodes.upsert)}
    edges = {_name(edge): edge for edge in (*before.edges, *delta.edges.upsert)}
    for runtime_id in delta.nodes.remove:
        nodes.pop(runtime_id, None)
    for name in delta.edges.remove:
        edges.pop(name, None)
    groups = delta.host_groups
    return Topology(
        nodes=tuple(nodes[i] for i in sorted(nodes)),
        edges=tuple(edges[name] for name in sorted(edges)),
        host_groups=before.host_groups if groups is None else groups,
    )


def rebuild(entries: Iterable[RecordedState]) -> Topology | None:
    """Return the state after the last of `entries`, oldest first; None when it is not known."""
    topology: Topology | None = None
    for entry in entries:
        if entry.whole is not None:
            topology = entry.whole
        elif entry.ended:
            topology = None
        elif entry.delta is not None and topology is not None:
            topology = apply(topology, entry.delta)
    return topology


_NOTHING: Final = StateDelta(nodes=NodeChanges(), edges=EdgeChanges())


def _name(edge: Edge) -> EdgeName:
    return EdgeName(source=edge.source, target=edge.target, channel_type=edge.channel_type)


def _place(edge: Edge) -> tuple[str, str, str]:
    """Return what tells edges apart, cheaper to make and to hash than their names."""
    return edge.source, edge.target, edge.channel_type


def _differs(before: Node | None, after: Node) -> bool:
    if before is None:
        return True
    then = structs.replace(after, last_seen_ns=before.last_seen_ns, uptime_ms=before.uptime_ms)
    return before != then


def _has_moved(before: Edge | None, after: Edge) -> bool:
    if before is None:
        return True
    if (before.state, before.stale) != (after.state, after.stale):
        return True
    near_ms = max(_LATENCY_MS, _LATENCY_RATIO * (before.latency_ms_p95 or 0.0))
    return _apart(before.latency_ms_p95, after.latency_ms_p95, near_ms) or _apart(
        before.loss_pct, after.loss_pct, _LOSS_POINTS
    )


def _apart(before: float | None, after: float | None, near: float) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= near
