"""Builds every object of a process, by hand, in reading order; no container, no globals."""

from collections.abc import Callable
from typing import Any

from trust_runtime import __version__
from trust_runtime.app.addresses import mesh_addresses
from trust_runtime.app.configuring import build_configuring
from trust_runtime.app.knowing import join_identity
from trust_runtime.app.operating import (
    build_calls,
    build_operating,
    build_receipts,
    build_settling,
    join_operating,
)
from trust_runtime.app.parts import Deeds, Foundation, Senses, Services, World
from trust_runtime.app.verbs import build_verbs
from trust_runtime.app.watching import build_watching, join_watching
from trust_runtime.contracts.ids import BootId
from trust_runtime.contracts.keyspace import action_key, config_key, probe_key, token_key
from trust_runtime.contracts.settings import Settings
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.action_rows import ActionRows
from trust_runtime.services.actions import Actions
from trust_runtime.services.audit import Audit
from trust_runtime.services.beacons import Beacons
from trust_runtime.services.config_agent import ConfigAgent, StartState
from trust_runtime.services.control import Control
from trust_runtime.services.dialling import Dialling
from trust_runtime.services.doorkeeper import Doorkeeper
from trust_runtime.services.execution import Execution, VerbRunner
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.identity_watch import IdentityWatch
from trust_runtime.services.live_parts import LiveParts
from trust_runtime.services.pairings import Pairings
from trust_runtime.services.peers import Peers
from trust_runtime.services.presence import Presence
from trust_runtime.services.probes import Probes
from trust_runtime.services.refusals import Refusals
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing
from trust_runtime.services.status import Status
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.target import WAITING_MAX

_PROBES_WAITING_MAX = 1_024


def build(
    world: World,
    *,
    settings: Settings,
    file_values: dict[str, Any],
    start: StartState,
    stop: Callable[[], None],
) -> Services:
    """Return the services of one process.

    Args:
        world: the adapters.
        settings: in force at this start.
        file_values: TOML path to value, as `runtime.toml` has them.
        start: how these settings came about.
        stop: begins the orderly stop of the process.
    """
    running = Running(
        settings=settings,
        file_values=file_values,
        boot_id=BootId(world.entropy.uuid7()),
        clock=world.clock,
    )
    foundation = _foundation(world, running, start)
    senses = _senses(world, foundation)
    watching = build_watching(world, foundation, senses)
    verbs = build_verbs(foundation, watching, stop)
    deeds = _deeds(world, foundation, senses, verbs=verbs)
    services = Services(**vars(foundation), **vars(senses), **vars(watching), **vars(deeds))
    _join(services, world.mesh)
    join_watching(services)
    join_operating(services)
    return services


def _foundation(world: World, running: Running, start: StartState) -> Foundation:
    own, clock, log = running.settings.runtime_id, world.clock, world.log
    health = StoreHealth(log)
    signing = Signing(own=own, signer=world.signer, clock=clock, entropy=world.entropy)
    peers = Peers(own=own, running=running, signing=signing, clock=clock, log=log)
    audit = Audit(
        own=own,
        store=world.stores.audit,
        health=health,
        clock=clock,
        entropy=world.entropy,
        log=log,
    )
    config = ConfigAgent(
        running=running,
        store=world.stores.config,
        audit=audit,
        parts=LiveParts(running=running, log=world.log_control),
        clock=clock,
        log=log,
        start=start,
    )
    status = Status(
        version=__version__,
        host_key=world.host_key,
        mesh_addresses=_own_addresses(running.settings),
        running=running,
        peers=peers,
        config=config,
        audit=audit,
        health=health,
        mesh=world.mesh,
    )
    pairings = _pairings(world, running, audit=audit, health=health)
    return Foundation(
        fingerprint=world.signer.own_fingerprint,
        running=running,
        health=health,
        signing=signing,
        peers=peers,
        audit=audit,
        refusals=Refusals(audit=audit, log=log),
        pairings=pairings,
        doorkeeper=Doorkeeper(running=running, clock=clock, paired=pairings.owner_of),
        identity=IdentityWatch(
            running=running,
            signing=signing,
            peers=peers,
            files=world.identity_files,
            clock=clock,
            log=log,
        ),
        config=config,
        status=status,
    )


def _pairings(world: World, running: Running, *, audit: Audit, health: StoreHealth) -> Pairings:
    return Pairings(
        running=running,
        store=world.stores.pairings,
        audit=audit,
        health=health,
        clock=world.clock,
        entropy=world.entropy,
    )


def _senses(world: World, base: Foundation) -> Senses:
    own, clock, mesh = base.running.settings.runtime_id, world.clock, world.mesh
    beacons = Beacons(
        own=own,
        running=base.running,
        signing=base.signing,
        mesh=mesh,
        clock=clock,
        entropy=world.entropy,
        status=base.status.beacon,
    )
    probes = Probes(
        own=own,
        running=base.running,
        peers=base.peers,
        signing=base.signing,
        mesh=mesh,
        clock=clock,
    )
    return Senses(
        presence=Presence(
            peers=base.peers,
            mesh=mesh,
            store=world.stores.peers,
            clock=clock,
            health=base.health,
        ),
        beacons=beacons,
        probes=probes,
        dialling=Dialling(
            own=own,
            own_addresses=_own_addresses(base.running.settings),
            tls=base.running.settings.mesh.tls,
            peers=base.peers,
            mesh=mesh,
            clock=clock,
            entropy=world.entropy,
            log=world.log,
        ),
        fleet=Fleet(
            own=own,
            running=base.running,
            peers=base.peers,
            probes=probes,
            beacons=beacons,
            status=base.status,
            config=base.config,
            health=base.health,
            clock=clock,
        ),
    )


def _deeds(
    world: World, base: Foundation, senses: Senses, *, verbs: dict[str, VerbRunner]
) -> Deeds:
    own, clock = base.running.settings.runtime_id, world.clock
    execution = Execution(
        own=own,
        ledger=world.stores.ledger,
        audit=base.audit,
        config=base.config,
        health=base.health,
        verbs=verbs,
        clock=clock,
        log=world.log,
    )
    calls = build_calls(world, base)
    rows = ActionRows(
        store=world.stores.action_rows, audit=base.audit, health=base.health, clock=clock
    )
    actions = Actions(
        own=own,
        running=base.running,
        fleet=senses.fleet,
        audit=base.audit,
        execution=execution,
        calls=calls,
        rows=rows,
        receipts=build_receipts(world, own, senses.fleet),
        clock=clock,
    )
    configuring = build_configuring(world, base, senses, execution=execution, calls=calls)
    operating = build_operating(
        world,
        base,
        senses,
        actions=actions,
        io=configuring.io,
        errands=configuring.errands,
    )
    return Deeds(
        **vars(operating),
        rows=rows,
        settling=build_settling(world, base, rows=rows, calls=calls),
        execution=execution,
        actions=actions,
        desired=configuring.desired,
        fleet_config=configuring.fleet_config,
        target=configuring.target,
        control=Control(
            own=own,
            actions=actions,
            audit=base.audit,
            peers=base.peers,
            pairings=base.pairings,
            entropy=world.entropy,
            verbs=verbs,
            keep_peers=senses.presence.keep_now,
        ),
    )


def _own_addresses(settings: Settings) -> tuple[str, ...]:
    return tuple(str(address) for address in mesh_addresses(settings))


def _join(services: Services, mesh: Mesh) -> None:
    """Let what changes in one service be told by the others."""
    own = services.running.settings.runtime_id

    def changed_here() -> None:
        services.links.look()
        services.fleet.changed()
        services.beacons.soon()
        services.stream.review()
        services.chronicle.config_changed()

    services.pairings.on_ended = services.stream.review
    services.peers.on_token = services.beacons.soon
    services.beacons.on_sent = services.fleet.changed
    services.config.on_change = changed_here
    services.health.on_change = changed_here
    services.status.on_change = changed_here
    join_identity(services, changed_here)
    mesh.hold_token(token_key(own, services.running.boot_id))
    mesh.serve(probe_key(own), services.probes.answer, waiting_max=_PROBES_WAITING_MAX)
    for key in (action_key(own), config_key(own)):
        mesh.serve(key, services.target.answer, waiting_max=WAITING_MAX)
