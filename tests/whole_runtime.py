"""One runtime's services up to what it tells of itself and of the fleet, with stores in memory."""

from collections.abc import Mapping
from typing import Any

from fakes.log import FakeLog
from fakes.store import FakeStore
from signed_fleet import OWN, Listener
from trust_runtime.contracts.config import BootRecord
from trust_runtime.services.audit import Audit
from trust_runtime.services.beacons import Beacons
from trust_runtime.services.config_agent import ConfigAgent, StartState
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.live_parts import LiveParts
from trust_runtime.services.probes import Probes
from trust_runtime.services.status import Status
from trust_runtime.services.store_health import StoreHealth


class Whole(Listener):
    """A runtime that hears others and tells of itself; made on the loop it runs on."""

    def __init__(
        self,
        *,
        file_values: Mapping[str, Any] | None = None,
        host_key: str = "host",
        **changes: Any,
    ) -> None:
        super().__init__(**changes)
        self.running.file_values.update(file_values or {"resource.name": OWN})
        self.store = FakeStore()
        self.health = StoreHealth(self.log)
        self.audit = Audit(
            own=OWN,
            store=self.store.audit,
            health=self.health,
            clock=self.clock,
            entropy=self.chance,
            log=self.log,
        )
        self.config = ConfigAgent(
            running=self.running,
            store=self.store.config,
            audit=self.audit,
            parts=LiveParts(running=self.running, log=FakeLog()),
            clock=self.clock,
            log=self.log,
            start=StartState(newest=None, started=None, boot=BootRecord()),
        )
        self.status = Status(
            version="0.1.0",
            host_key=host_key,
            mesh_addresses=("127.0.0.1:7447",),
            running=self.running,
            peers=self.peers,
            config=self.config,
            audit=self.audit,
            health=self.health,
            mesh=self.wire,
        )
        self.beacons = Beacons(
            own=OWN,
            running=self.running,
            signing=self.signing,
            mesh=self.wire,
            clock=self.clock,
            entropy=self.chance,
            status=self.status.beacon,
        )
        self.probes = Probes(
            own=OWN,
            running=self.running,
            peers=self.peers,
            signing=self.signing,
            mesh=self.wire,
            clock=self.clock,
        )
        self.fleet = Fleet(
            own=OWN,
            running=self.running,
            peers=self.peers,
            probes=self.probes,
            beacons=self.beacons,
            status=self.status,
            config=self.config,
            health=self.health,
            clock=self.clock,
        )
