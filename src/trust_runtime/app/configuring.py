"""Builds what is asked here for any runtime, and what other runtimes ask of this one."""

from dataclasses import dataclass

from trust_runtime.app.parts import Foundation, Senses, World
from trust_runtime.services.calls import Calls
from trust_runtime.services.config_orders import ConfigOrders
from trust_runtime.services.config_past import ConfigPast
from trust_runtime.services.desired_writes import DesiredWrites
from trust_runtime.services.errands import Errands
from trust_runtime.services.execution import Execution
from trust_runtime.services.fleet_config import FleetConfig
from trust_runtime.services.io_orders import IoOrders
from trust_runtime.services.target import Target


@dataclass(frozen=True, kw_only=True)
class Configuring:
    """These services of one process."""

    desired: DesiredWrites
    fleet_config: FleetConfig
    target: Target
    io: IoOrders
    errands: Errands


def build_configuring(
    world: World, base: Foundation, senses: Senses, *, execution: Execution, calls: Calls
) -> Configuring:
    """Return these services of one process."""
    own, clock = base.running.settings.runtime_id, world.clock
    io = IoOrders(
        own=own, file=world.io_file, ledger=world.stores.ledger, execution=execution, clock=clock
    )
    orders = ConfigOrders(
        config=base.config,
        past=ConfigPast(own=own, store=world.stores.config),
        io=io,
        execution=execution,
    )
    desired = DesiredWrites(
        own=own,
        config=orders,
        audit=base.audit,
        peers=base.peers,
        health=base.health,
        clock=clock,
    )
    errands = Errands(
        own=own,
        running=base.running,
        fleet=senses.fleet,
        audit=base.audit,
        calls=calls,
        clock=clock,
    )
    errands.here = io.execute
    return Configuring(
        io=io,
        errands=errands,
        desired=desired,
        fleet_config=FleetConfig(own=own, here=desired, errands=errands, entropy=world.entropy),
        target=Target(
            running=base.running,
            signing=base.signing,
            peers=base.peers,
            fleet=senses.fleet,
            ledger=world.stores.ledger,
            audit=base.audit,
            execution=execution,
            config=orders,
            clock=clock,
            log=world.log,
        ),
    )
