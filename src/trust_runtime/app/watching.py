"""Builds what finds out why, remembers what was and tells who listens, and joins it."""

from trust_runtime.app.parts import Foundation, Senses, Services, Watching, World
from trust_runtime.services.chronicle import Chronicle
from trust_runtime.services.hails import Hails
from trust_runtime.services.history import History
from trust_runtime.services.link_refusals import LinkRefusals
from trust_runtime.services.stalls import Stalls
from trust_runtime.services.stream import Stream
from trust_runtime.services.timeline import Timeline
from trust_runtime.services.views import Views
from trust_runtime.services.witness import Witness


def build_watching(world: World, base: Foundation, senses: Senses) -> Watching:
    """Return these services of one process."""
    own, clock, mesh = base.running.settings.runtime_id, world.clock, world.mesh
    stalls = Stalls(clock=clock, log=world.log)
    hails = Hails(
        own=own,
        running=base.running,
        peers=base.peers,
        stalls=stalls,
        signer=world.signer,
        reach=world.reach,
        clock=clock,
    )
    stream, timeline = Stream(base.running.boot_id), _timeline(world, base)
    return Watching(
        stalls=stalls,
        hails=hails,
        views=Views(
            own=own,
            running=base.running,
            peers=base.peers,
            hails=hails,
            stalls=stalls,
            signing=base.signing,
            mesh=mesh,
            clock=clock,
        ),
        witness=_witness(world, base),
        timeline=timeline,
        stream=stream,
        history=History(
            fleet=senses.fleet,
            stream=stream,
            store=world.stores.history,
            health=base.health,
            clock=clock,
        ),
        chronicle=Chronicle(
            own=own, timeline=timeline, stream=stream, audit=base.audit, config=base.config
        ),
        refused=LinkRefusals(own=own, timeline=timeline, clock=clock, log=world.log),
    )


def _timeline(world: World, base: Foundation) -> Timeline:
    return Timeline(
        own=base.running.settings.runtime_id,
        running=base.running,
        peers=base.peers,
        signing=base.signing,
        mesh=world.mesh,
        store=world.stores.timeline,
        health=base.health,
        clock=world.clock,
        entropy=world.entropy,
    )


def _witness(world: World, base: Foundation) -> Witness:
    return Witness(
        own=base.running.settings.runtime_id,
        peers=base.peers,
        signing=base.signing,
        mesh=world.mesh,
        audit=base.audit,
        store=world.stores.heads,
        health=base.health,
        clock=world.clock,
        entropy=world.entropy,
        log=world.log,
    )


def join_watching(services: Services) -> None:
    """Let what changes be seen, told and remembered."""
    chronicle, peers, views = services.chronicle, services.peers, services.views

    def stalled(length_ns: int) -> None:
        peers.note_stall(length_ns)
        chronicle.stalled(length_ns)
        views.soon()

    def peers_changed() -> None:
        services.links.look()
        services.fleet.changed()
        views.soon()

    services.stalls.on_stall = stalled
    peers.before_judging = services.stalls.check
    peers.on_change = peers_changed
    peers.on_beacon = services.witness.take_beacon
    services.hails.on_change = lambda _runtime_id: views.soon()
    views.head_of = services.witness.head_of
    views.on_sight = chronicle.sight_changed
    views.on_view = services.witness.take_view
    services.witness.on_contradiction = chronicle.contradicted
    services.history.on_change = chronicle.state_changed
    services.fleet.newest_events = services.timeline.newest
    services.status.refused_links = services.refused
    services.refused.on_change = services.beacons.soon
    services.timeline.on_event = chronicle.event_made
    services.audit.on_records = chronicle.recorded
