"""The states the fleet went through, and what turned one into the next (contract 6.17)."""

from typing import Final

from msgspec import Struct

from trust_runtime.contracts.fleet import Edge, FeatureFlags, Node, Topology

STATES_KEPT: Final = 100_000
"""At most so many recorded states are kept; the oldest give way."""


class EdgeName(Struct, frozen=True, kw_only=True, order=True):
    """Which edge."""

    source: str
    """Who measured."""
    target: str
    """Whom it reached."""
    channel_type: str
    """Which channel."""


class NodeChanges(Struct, frozen=True, kw_only=True):
    """Nodes that are new or different, and nodes that are gone."""

    upsert: tuple[Node, ...] = ()
    """As they are now."""
    remove: tuple[str, ...] = ()
    """Canonical ids."""


class EdgeChanges(Struct, frozen=True, kw_only=True):
    """Edges that are new or different, and edges that are gone."""

    upsert: tuple[Edge, ...] = ()
    """As they are now."""
    remove: tuple[EdgeName, ...] = ()
    """Which ones."""


class StateDelta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What turns one state into the next; event `state` of the stream (contract 6.17)."""

    nodes: NodeChanges
    """Changes of nodes."""
    edges: EdgeChanges
    """Changes of edges."""
    host_groups: tuple[tuple[str, ...], ...] | None = None
    """All of them, when they changed."""
    feature_flags: FeatureFlags | None = None
    """All of them, when they changed."""


class RecordedState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the durable history of states: a whole topology, or what changed."""

    at_ns: int
    """Wall clock when it was recorded, nanoseconds since the epoch."""
    whole: Topology | None = None
    """A keyframe."""
    delta: StateDelta | None = None
    """A step from the entry before it."""
    ended: bool = False
    """The process stopped in order: nothing is known from here to the next keyframe."""
