"""Builds what operates on links, I/O configuration and verbs from outside, and joins it."""

from dataclasses import dataclass

from trust_runtime.app.parts import Foundation, Senses, Services, World
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.links import LinkPreference
from trust_runtime.contracts.timeline import Category, Severity
from trust_runtime.services.action_rows import ActionRows
from trust_runtime.services.actions import Actions
from trust_runtime.services.calls import Calls
from trust_runtime.services.errands import Errands
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.fleet_io import FleetIo
from trust_runtime.services.io_orders import IoOrders
from trust_runtime.services.ledger_reads import LedgerReads
from trust_runtime.services.links import Links
from trust_runtime.services.proxies import Proxies
from trust_runtime.services.receipts import Receipts
from trust_runtime.services.settling import Settling


@dataclass(frozen=True, kw_only=True)
class Operating:
    """These services of one process."""

    links: Links
    io: IoOrders
    fleet_io: FleetIo
    proxies: Proxies


def build_operating(
    world: World,
    base: Foundation,
    senses: Senses,
    *,
    actions: Actions,
    io: IoOrders,
    errands: Errands,
) -> Operating:
    """Return these services of one process."""
    own = base.running.settings.runtime_id
    return Operating(
        links=Links(
            own=own,
            host_key=world.host_key,
            running=base.running,
            peers=base.peers,
            audit=base.audit,
            store=world.stores.links,
            health=base.health,
            clock=world.clock,
        ),
        io=io,
        fleet_io=FleetIo(own=own, here=io, errands=errands, entropy=world.entropy),
        proxies=Proxies(
            own=own,
            actions=actions,
            fleet=senses.fleet,
            audit=base.audit,
            entropy=world.entropy,
        ),
    )


def join_operating(services: Services) -> None:
    """Let preferences be shown, and what no longer fits be told."""
    links, timeline = services.links, services.timeline

    def tell_unfit(preference: LinkPreference) -> None:
        timeline.tell(
            Category.COMMUNICATION,
            Severity.WARNING,
            f"{preference.target} runs on another host now: its realtime link is not applied",
            data={"target": preference.target, "transport": preference.transport},
        )

    links.on_change = services.fleet.changed
    links.on_unfit = tell_unfit
    services.probes.shown = links.show
    services.status.io_restart_required = lambda: services.io.restart_required


def build_settling(world: World, base: Foundation, *, rows: ActionRows, calls: Calls) -> Settling:
    """Return what finds out the outcomes that were not told."""
    return Settling(
        own=base.running.settings.runtime_id,
        rows=rows,
        reads=LedgerReads(world.stores.ledger),
        calls=calls,
        peers=base.peers,
        clock=world.clock,
        entropy=world.entropy,
        log=world.log,
    )


def build_receipts(world: World, own: RuntimeId, fleet: Fleet) -> Receipts:
    """Return what seals a preflight."""
    return Receipts(
        own=own, fleet=fleet, signer=world.signer, clock=world.clock, entropy=world.entropy
    )


def build_calls(world: World, base: Foundation) -> Calls:
    """Return what asks other runtimes."""
    return Calls(
        running=base.running,
        signing=base.signing,
        peers=base.peers,
        mesh=world.mesh,
        clock=world.clock,
        entropy=world.entropy,
    )
