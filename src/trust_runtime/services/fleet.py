"""The fleet as this runtime shows it: facts projected at most ten times a second (D59)."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Raw, structs

from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.fleet import StateDocument, Topology
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Profile
from trust_runtime.contracts.presence import BeaconStatus, Lifecycle, TrustReason
from trust_runtime.contracts.timeline import TimelineEvent
from trust_runtime.contracts.units import API_VERSION, NS_PER_MS
from trust_runtime.core.policy.case import ConfigFacts, DecisionFacts, PeerFacts
from trust_runtime.core.projection import (
    EdgeFacts,
    NodeFacts,
    context,
    feature_flags,
    project,
)
from trust_runtime.ports.clock import Clock
from trust_runtime.services.beacons import Beacons
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers
from trust_runtime.services.probes import Probes
from trust_runtime.services.running import Running
from trust_runtime.services.status import Status
from trust_runtime.services.store_health import StoreHealth

_REBUILD_MS_MIN: Final = 100
_AGE_MS_MAX: Final = 1_000
_DOCUMENTS_MAX: Final = 8
"""Callers whose state is kept, as bytes, until something changes."""

_PROFILES: Final = frozenset(Profile)
_TARGET_STATE: Final = {
    Lifecycle.ONLINE: TargetState.REACHABLE,
    Lifecycle.STALE: TargetState.STALE,
    Lifecycle.PARTITIONED: TargetState.PARTITIONED,
    Lifecycle.OFFLINE: TargetState.OFFLINE,
}


class Fleet:
    """Answers `GET state`, and gives decisions their snapshot of the fleet.

    `newest_events` is what the state shows of the timeline.
    """

    def __init__(  # noqa: PLR0913 - one port or service each
        self,
        *,
        own: RuntimeId,
        running: Running,
        peers: Peers,
        probes: Probes,
        beacons: Beacons,
        status: Status,
        config: ConfigAgent,
        health: StoreHealth,
        clock: Clock,
    ) -> None:
        self._own = own
        self._running = running
        self._peers = peers
        self._probes = probes
        self._beacons = beacons
        self._status = status
        self._config = config
        self._health = health
        self._clock = clock
        self._topology: Topology | None = None
        self._topology_json: Raw | None = None
        self._documents: dict[tuple[str, str, str], bytes] = {}
        self._events: tuple[TimelineEvent, ...] = ()
        self._built_ns = 0
        self._dirty = True
        self.newest_events: Callable[[], tuple[TimelineEvent, ...]] = tuple

    def changed(self) -> None:
        """Have the next answer built anew."""
        self._dirty = True

    def state_json(self, caller: Caller) -> bytes:
        """Return the state document for `caller`, as JSON.

        Encoded once for each change; only what differs between callers is put in for each (D59).
        """
        topology, events = self.topology(), self.newest_events()
        profile = self._running.settings.profile
        if events != self._events:
            self._events = events
            self._documents.clear()
        asking = (caller.identity, caller.role, profile)
        if asking not in self._documents:
            if len(self._documents) >= _DOCUMENTS_MAX:
                self._documents.clear()
            if self._topology_json is None:
                self._topology_json = Raw(encode_json(topology))
            self._documents[asking] = encode_json(
                {
                    "api_version": API_VERSION,
                    "context": context(self._own, topology, caller),
                    "topology": self._topology_json,
                    "timeline": events,
                    "feature_flags": feature_flags(profile),
                }
            )
        return self._documents[asking]

    def past_json(
        self,
        caller: Caller,
        topology: Topology,
        events: tuple[TimelineEvent, ...],
        *,
        at_ns: int,
        recorded_at_ns: int,
    ) -> bytes:
        """Return the state document of a past instant, as JSON."""
        document = self._document(caller, topology, events)
        return encode_json(structs.replace(document, at_ns=at_ns, recorded_at_ns=recorded_at_ns))

    def _document(
        self, caller: Caller, topology: Topology, events: tuple[TimelineEvent, ...]
    ) -> StateDocument:
        return StateDocument(
            api_version=API_VERSION,
            context=context(self._own, topology, caller),
            topology=topology,
            timeline=events,
            feature_flags=feature_flags(self._running.settings.profile),
        )

    def decision_facts(self) -> DecisionFacts:
        """Return everything a decision may know, as of now."""
        settings = self._running.settings
        return DecisionFacts(
            own=self._own,
            site=settings.site,
            profile=settings.profile,
            store_fault=self._health.fault,
            unmet=self._status.unmet(),
            own_trust_reason=self._peers.own_trust_reason,
            allow_write=settings.allow_write,
            config=ConfigFacts(
                file_values=self._running.file_values, document=self._config.document
            ),
            peers={peer.record.runtime_id: _peer_facts(peer) for peer in self._peers},
        )

    def word_of(self, runtime_id: RuntimeId) -> BeaconStatus | None:
        """Return what a runtime says of itself: this one now, another one last; None if never."""
        if runtime_id == self._own:
            return self._status.beacon()
        peer = self._peers.get(runtime_id)
        return None if peer is None else peer.record.status

    def topology(self) -> Topology:
        """Return nodes, edges and hosts as they are now; the same for every caller."""
        now_ns = self._clock.monotonic_ns()
        age_ms = (now_ns - self._built_ns) // NS_PER_MS
        limit_ms = _REBUILD_MS_MIN if self._dirty else _AGE_MS_MAX
        if self._topology is None or age_ms >= limit_ms:
            self._dirty = False
            self._built_ns = now_ns
            self._topology = self._project()
            self._topology_json = None
            self._documents.clear()
        return self._topology

    def _project(self) -> Topology:
        own = NodeFacts(
            runtime_id=self._own,
            lifecycle=Lifecycle.ONLINE,
            trust_reason=self._peers.own_trust_reason,
            last_seen_ns=self._beacons.last_sent_ns or self._clock.wall_ns(),
            status=self._status.beacon(),
        )
        own_edges = EdgeFacts(lifecycle=Lifecycle.ONLINE, edges=self._probes.edges())
        return project(
            own,
            [*(_node_facts(peer) for peer in self._peers), *self._named()],
            [
                own_edges,
                *(EdgeFacts(lifecycle=p.lifecycle, edges=p.edges) for p in self._peers),
            ],
        )

    def _named(self) -> list[NodeFacts]:
        """Return runtimes that the links of the configuration name and nobody heard yet (5.3)."""
        names = {entry.target: None for entry in self._running.settings.links}
        return [
            NodeFacts(
                runtime_id=name,
                lifecycle=Lifecycle.OFFLINE,
                trust_reason=TrustReason.NEVER_SEEN,
                last_seen_ns=0,
            )
            for name in names
            if name != self._own and self._peers.get(name) is None
        ]


def _node_facts(peer: Peer) -> NodeFacts:
    return NodeFacts(
        runtime_id=peer.record.runtime_id,
        lifecycle=peer.lifecycle,
        trust_reason=peer.trust_reason,
        last_seen_ns=peer.record.last_seen_ns,
        clock_skew_ms=peer.clock_skew_ms,
        status=peer.record.status,
    )


def _peer_facts(peer: Peer) -> PeerFacts:
    status = peer.record.status
    return PeerFacts(
        target_state=_TARGET_STATE[peer.lifecycle],
        trust_reason=peer.trust_reason,
        clock_skew_ms=peer.clock_skew_ms,
        **({} if status is None else _word_of(status)),
    )


def _word_of(status: BeaconStatus) -> dict[str, Any]:
    """Return what a peer's own last beacon adds to what is known of it."""
    known_profile = status.profile in _PROFILES
    return {
        "accepts": status.accepts,
        "accepts_cut": status.accepts_cut,
        "profile": Profile(status.profile) if known_profile else None,
        "without_tls": _without_tls(status),
        "debug_enabled": status.debug_enabled,
    }


def _without_tls(status: BeaconStatus) -> tuple[str, ...]:
    web_open = status.web is not None and not status.web.tls
    return (
        *(("runtime.web.tls",) if web_open else ()),
        *(() if status.mesh.tls else ("runtime.mesh.tls",)),
    )
