"""May two runtimes be joined like that, and how is their link shown then (contract 6.13, 14.1)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct, structs

from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.links import (
    CONFIG_ACTOR,
    LINKS_MAX,
    LinkEntry,
    LinkOrigin,
    LinkPreference,
    Transport,
    TransportWrite,
)
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.presence import LinkState, TrustReason
from trust_runtime.core.naming import resolve
from trust_runtime.core.policy.config_request import scope_denial
from trust_runtime.core.policy.contract import is_actor, is_supported

CHANNEL: Final = "mesh_t2_ops"
"""How a link is shown that nobody has a preference for."""

REALTIME_CHANNEL: Final = "t0_hard_rt"
_BRIDGE: Final = "federation_bridge"
_CHANNELS: Final[Mapping[Transport, str]] = {
    Transport.REALTIME: CHANNEL,
    Transport.ZENOH: CHANNEL,
    Transport.MESH: "mesh_t1_fast",
    Transport.DISCOVERY: "mesh_t3_diag",
    Transport.MQTT: _BRIDGE,
    Transport.MODBUS_TCP: _BRIDGE,
    Transport.OPCUA: _BRIDGE,
    Transport.WEB: _BRIDGE,
}


class LinkFacts(Struct, frozen=True, kw_only=True):
    """What a decision about a link knows."""

    own: RuntimeId
    """The deciding runtime."""

    site: SiteName
    """Its site."""

    own_host: str
    """Its host key."""

    hosts: Mapping[RuntimeId, str | None]
    """Every other known runtime with the host key of its last word; None if it never spoke."""

    own_trust_reason: TrustReason | None = None
    """Why the deciding runtime is untrusted to itself; None when it is not."""

    stored: Collection[str] = ()
    """Targets that have a preference set through the API."""

    @property
    def known(self) -> set[RuntimeId]:
        """Every runtime that names can mean."""
        return {self.own, *self.hosts}


class Joined(Struct, frozen=True, kw_only=True):
    """A link that may be made."""

    source: RuntimeId
    """Whose process data."""

    target: RuntimeId
    """The other end."""

    transport: Transport
    """By what."""


def judge_link(write: TransportWrite, caller: Caller, facts: LinkFacts) -> Joined | Denial:
    """Return the link a request asks for, or the first thing that is wrong with it, in order."""
    if not is_supported(write.api_version):
        return _violation(
            f"api_version {write.api_version!r} is not supported", "send api_version 1.0"
        )
    joined = _form(write, facts)
    if isinstance(joined, Denial):
        return joined
    if joined.source != facts.own:
        return deny(
            DenialCode.PERMISSION_DENIED,
            f"links of {joined.source} are stored by itself, and this is {facts.own}",
            f"ask {joined.source}",
        )
    same_host = facts.hosts.get(joined.target) == facts.own_host
    if joined.transport is Transport.REALTIME and not same_host:
        return _violation(
            f"{joined.target} is not known to run on the same host as {facts.own}",
            "use realtime between runtimes of the same host, or set discovery.host_group alike",
        )
    if not is_actor(write.actor):
        return _violation("actor is blank", "name the actor")
    denial = scope_denial(write.actor, caller) or _untrusted(facts)
    if denial is None and joined.target not in facts.stored and len(facts.stored) >= LINKS_MAX:
        denial = deny(
            DenialCode.OVERLOADED,
            f"{facts.own} stores {LINKS_MAX} link preferences already",
            "delete one that is not needed",
        )
    return denial or joined


def warnings_about(joined: Joined, facts: LinkFacts) -> tuple[str, ...]:
    """Return what is unwise about a link that may be made, one sentence each."""
    if joined.target == facts.own or facts.hosts.get(joined.target) is not None:
        return ()
    heard: list[str] = [name for name, host in sorted(facts.hosts.items()) if host is not None]
    hint = nearest(joined.target, heard)
    kept = "the preference is kept, and acts once it is heard"
    return (f"{joined.target} was never heard by {facts.own}{hint}: {kept}",)


def judge_removal(
    source: str, target: str, facts: LinkFacts, *, present: Iterable[LinkPreference]
) -> LinkPreference | Denial:
    """Return the preference a request removes, or why it removes none.

    Args:
        source: one end as given.
        target: the other end as given.
        facts: what is known.
        present: the preferences in force.
    """
    ends = _ends(source, target, facts)
    if isinstance(ends, Denial):
        return ends
    found = next((one for one in present if (one.source, one.target) == ends), None)
    if found is None:
        return deny(
            DenialCode.PEER_NOT_AVAILABLE,
            f"{facts.own} has no link preference from {source} to {target}",
            "check source and target against GET links",
        )
    if found.origin is LinkOrigin.CONFIG:
        return deny(
            DenialCode.CONFLICT,
            f"the link to {found.target} stands in the configuration",
            "remove it from runtime_cloud.links.transports",
        )
    return _untrusted(facts) or found


def merge_links(
    own: RuntimeId,
    stored: Iterable[LinkPreference],
    entries: Mapping[LinkEntry, int],
) -> tuple[LinkPreference, ...]:
    """Return the preferences in force, ascending by source and target.

    Args:
        own: this runtime, source of every entry of the configuration.
        stored: set through the API; they win over the configuration.
        entries: of the configuration, each with the wall clock when it came into force.
    """
    merged = {
        (str(own), str(entry.target)): LinkPreference(
            source=own,
            target=entry.target,
            transport=entry.transport,
            actor=CONFIG_ACTOR,
            updated_at_ns=entries[entry],
            origin=LinkOrigin.CONFIG,
        )
        for entry in entries
    }
    merged |= {(one.source, one.target): one for one in stored}
    return tuple(merged[pair] for pair in sorted(merged))


def shown_edges(edge: Edge, transport: Transport | None, *, same_host: bool) -> tuple[Edge, ...]:
    """Return how a measured link is shown.

    Args:
        edge: as measured.
        transport: the preference for its target; None: there is none.
        same_host: whether both ends run on one host.
    """
    if transport is None:
        return (edge,)
    channel = _CHANNELS[transport]
    if channel == _BRIDGE:
        return (structs.replace(edge, channel_type=channel, latency_ms_p95=None, loss_pct=None),)
    base = structs.replace(edge, channel_type=channel)
    if transport is not Transport.REALTIME or not same_host:
        return (base,)
    # No channel is declared in this version, and that is what the link says.
    realtime = Edge(
        source=edge.source,
        target=edge.target,
        channel_type=REALTIME_CHANNEL,
        state=LinkState.DEGRADED,
        stale=edge.stale,
        latency_ms_p95=None,
        loss_pct=None,
        last_ok_ns=0,
    )
    return (base, realtime)


def _form(write: TransportWrite, facts: LinkFacts) -> Joined | Denial:
    ends = _ends(write.source, write.target, facts)
    if isinstance(ends, Denial):
        return ends
    if write.transport not in set(Transport):
        hint = nearest(write.transport, list(Transport))
        return _violation(
            f"transport {write.transport!r} is unknown{hint}", "use " + ", ".join(Transport)
        )
    source, target = ends
    if source == target:
        return _violation(
            f"{write.target} is both source and target", "name another runtime as the target"
        )
    return Joined(source=source, target=target, transport=Transport(write.transport))


def _ends(source: str, target: str, facts: LinkFacts) -> tuple[RuntimeId, RuntimeId] | Denial:
    """Return both ends as canonical ids, or why one is none."""
    for name, text in (("source", source), ("target", target)):
        if not text.strip():
            return _violation(f"{name} is blank", f"name the {name}")
    one = resolve(source, own_site=facts.site, known=facts.known)
    other = resolve(target, own_site=facts.site, known=facts.known)
    if isinstance(one, Denial):
        return one
    return other if isinstance(other, Denial) else (one, other)


def _untrusted(facts: LinkFacts) -> Denial | None:
    if facts.own_trust_reason is None:
        return None
    return deny(
        DenialCode.PERMISSION_DENIED,
        f"{facts.own} itself is untrusted: {facts.own_trust_reason}",
        "stop the other process with this id, or repair the identity",
    )


def _violation(reason: str, remedy: str) -> Denial:
    return deny(DenialCode.CONTRACT_VIOLATION, reason, remedy)
