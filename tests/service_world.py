"""Whole runtimes without processes: every service, on a store, a log and a clock of the test.

What is asked of another runtime goes through a `Line`, which a test can cut, bend or answer by
itself. Signatures are real. Nothing waits: time is virtual.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from msgspec import structs

from fakes.action_rows import FakeActionRows
from fakes.clock import FakeClock, TrueTime
from fakes.entropy import FakeEntropy
from fakes.io_file import FakeIoFile
from fakes.links import FakeLinks
from fakes.log import FakeLog
from fakes.mesh import FakeMesh
from fakes.network import Network
from fakes.pairings import FakePairings
from signed_fleet import signer_of
from store_that_fails import FailingStore
from trust_runtime.contracts.actions import VERBS, ActionRequest
from trust_runtime.contracts.audit import AuditRecord
from trust_runtime.contracts.config import BootRecord
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.ids import (
    DEFAULT_SITE,
    BootId,
    RuntimeId,
    name_of,
    parse_runtime_id,
    site_of,
)
from trust_runtime.contracts.keyspace import action_key, beacon_key, config_key, token_key
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.settings import Settings
from trust_runtime.contracts.units import API_VERSION, NS_PER_S
from trust_runtime.core.config.check import check_values
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.action_rows import ActionRows
from trust_runtime.services.actions import Actions
from trust_runtime.services.audit import Audit
from trust_runtime.services.beacons import Beacons
from trust_runtime.services.calls import Calls
from trust_runtime.services.config_agent import ConfigAgent, StartState
from trust_runtime.services.config_orders import ConfigOrders
from trust_runtime.services.config_past import ConfigPast
from trust_runtime.services.control import Control
from trust_runtime.services.desired_writes import DesiredWrites
from trust_runtime.services.errands import Errands
from trust_runtime.services.execution import Execution, VerbRunner
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.fleet_config import FleetConfig
from trust_runtime.services.fleet_io import FleetIo
from trust_runtime.services.io_orders import IoOrders
from trust_runtime.services.ledger_reads import LedgerReads
from trust_runtime.services.links import Links
from trust_runtime.services.live_parts import LiveParts
from trust_runtime.services.pairings import Pairings
from trust_runtime.services.peers import Peers
from trust_runtime.services.presence import Presence
from trust_runtime.services.probes import Probes
from trust_runtime.services.proxies import Proxies
from trust_runtime.services.receipts import Receipts
from trust_runtime.services.running import Running
from trust_runtime.services.settling import Settling
from trust_runtime.services.signing import Signing
from trust_runtime.services.status import Status
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.target import WAITING_MAX, Target
from virtual_time import run_virtual

P = ParamSpec("P")

Ask = Callable[[MeshMessage, int], Awaitable[MeshMessage | Silence]]

HOST_KEY = "host"
BOOTED_NS = 1_000 * NS_PER_S
ADMIN = Caller(identity="uid:1000", role=Role.ADMIN)
ACTOR = "spiffe://trust/default-site/anna"
FIRST_START = StartState(newest=None, started=None, boot=BootRecord())
SECRET = "hunter2-but-very-much-longer-than-that"  # noqa: S105 - what must never be seen anywhere


class Line(FakeMesh):
    """A member of the scene's mesh whose questions a test may answer, bend or lose itself.

    `ask` gets each question and its timeout in milliseconds, and gives the answer or the silence;
    `pass_on` is what it stands in for.
    """

    def __init__(self, network: Network, address: str) -> None:
        super().__init__(network, address, on_problem=self._keep)
        self.ask: Ask = self.pass_on
        self.asked: list[MeshMessage] = []
        self.problems: list[str] = []
        """What handlers of this runtime raised; a test must not leave any."""

    async def query(self, message: MeshMessage, *, timeout_ms: int) -> MeshMessage | Silence:
        self.asked.append(message)
        return await self.ask(message, timeout_ms)

    async def pass_on(self, message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        """Ask whoever serves the key."""
        return await super().query(message, timeout_ms=timeout_ms)

    def _keep(self, problem: str) -> None:
        self.problems.append(problem)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What acts on requests, and what that stands on; the process itself has more."""

    running: Running
    health: StoreHealth
    signing: Signing
    peers: Peers
    audit: Audit
    config: ConfigAgent
    status: Status
    fleet: Fleet
    execution: Execution
    rows: ActionRows
    settling: Settling
    actions: Actions
    orders: ConfigOrders
    desired: DesiredWrites
    fleet_config: FleetConfig
    io: IoOrders
    fleet_io: FleetIo
    proxies: Proxies
    links: Links
    pairings: Pairings
    target: Target
    control: Control


class Node:
    """One runtime: its services, and everything outside them that a test looks at."""

    def __init__(
        self, clock: FakeClock, own: str, *, line: Line, start: StartState, **file_values: Any
    ) -> None:
        self.id = parse_runtime_id(own)
        self.clock = clock
        values = file_of(self.id, **file_values)
        settings = settings_in(values)
        self.log = FakeLog(settings.log_level)
        self.store = FailingStore()
        self.io_file = FakeIoFile()
        self.line = line
        self.entropy = FakeEntropy(clock, seed=line.address)
        self.stopped: list[list[AuditRecord]] = []
        """For each order to stop the records that were durable then: the effect of `shutdown`."""
        self._beacons = 0
        self.services = _services(self, settings, values, start)
        for key in (action_key(self.id), config_key(self.id)):
            self.line.serve(key, self.services.target.answer, waiting_max=WAITING_MAX)

    def hears(self, other: "Node") -> None:
        """See the other's token and take a beacon of it, as it is at this moment."""
        services, self._beacons = other.services, self._beacons + 1
        boot = services.running.boot_id
        status = structs.replace(services.status.beacon(), seq=self._beacons)
        self.services.peers.take_token(token_key(other.id, boot), alive=True)
        self.services.peers.take_beacon(
            services.signing.broadcast(
                TokenType.BEACON, beacon_key(other.id), status, seq=self._beacons, boot_id=boot
            )
        )

    def records(self, *members: str, request_id: str | None = None) -> list[Any]:
        """Return the durable records of a request (None: all), oldest first, as told `members`."""
        found = [r for r in self.store.durable if request_id in (None, r.request_id)]
        if not members:
            return list(found)
        return [tuple(getattr(record, name) for name in members) for record in found]

    def everything_kept(self) -> str:
        """Return all that stands in records, ledger and log, as one text."""
        state = self.store.disk.synced
        return repr((state.records, state.entries, self.log.lines))


class Scene:
    """The runtimes of one test; every one can be asked by every other."""

    def __init__(self, time: TrueTime, tasks: asyncio.TaskGroup) -> None:
        self.time = time
        self.tasks = tasks
        self.nodes: list[Node] = []
        self._network = Network()

    async def node(
        self,
        own: str = "press-1",
        *,
        start: StartState = FIRST_START,
        wall_error_ms: int = 0,
        **file_values: Any,
    ) -> Node:
        """Return a new runtime; `file_values` by TOML path, with `__` for a dot."""
        clock = FakeClock(self.time, booted_ns=BOOTED_NS, wall_error_ms=wall_error_ms)
        line = Line(self._network, f"127.0.0.1:{7_000 + len(self.nodes)}")
        node = Node(clock, own, line=line, start=start, **file_values)
        self.nodes.append(node)
        await line.open()
        return node

    async def pair(self, first: str = "press-1", second: str = "press-2") -> tuple[Node, Node]:
        """Return two runtimes that see each other online."""
        one, two = await self.node(first), await self.node(second)
        one.hears(two)
        two.hears(one)
        return one, two

    def close(self) -> None:
        """End what a test left running, and see that no handler failed unseen."""
        own = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not own:
                task.cancel()
        assert [problem for node in self.nodes for problem in node.line.problems] == []


def virtual(
    test: Callable[Concatenate[Scene, P], Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Run an async test, which gets its `Scene`, on a loop whose time passes when all wait."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        time = TrueTime()

        async def main() -> None:
            async with asyncio.TaskGroup() as tasks:
                scene = Scene(time, tasks)
                await test(scene, *args, **kwargs)
                scene.close()

        try:
            run_virtual(FakeClock(time), main)
        except BaseExceptionGroup as group:
            raise (group.exceptions[0] if len(group.exceptions) == 1 else group) from None

    signature = inspect.signature(test)
    taken = list(signature.parameters.values())[1:]
    vars(run)["__signature__"] = signature.replace(parameters=taken, return_annotation=None)
    return run


def file_of(own: RuntimeId, **changes: Any) -> dict[str, Any]:
    """Return a valid `runtime.toml` of a runtime on loopback, by TOML path."""
    values: dict[str, Any] = {
        "bundle.version": 1,
        "resource.name": name_of(own),
        "resource.cycle_interval_ms": 100,
        "runtime.control.endpoint": "unix:///run/control.sock",
        "runtime.discovery.enabled": False,
        "runtime.mesh.enabled": True,
    }
    if site_of(own) != DEFAULT_SITE:
        values["runtime.cloud.site"] = site_of(own)
    return values | {name.replace("__", "."): value for name, value in changes.items()}


def settings_in(file_values: dict[str, Any]) -> Settings:
    """Return the settings a valid `runtime.toml` makes."""
    settings = check_values(file_values)
    assert isinstance(settings, Settings), settings
    return settings


def request(
    request_id: str, action_type: str, *targets: str, payload: Any = None, **changes: Any
) -> ActionRequest:
    """Return a request made at press-1, as short as a test wants to say it."""
    made = ActionRequest(
        api_version=API_VERSION,
        request_id=request_id,
        connected_via="press-1",
        target_runtimes=list(targets),
        actor=ACTOR,
        action_type=action_type,
        payload={} if payload is None else payload,
    )
    return structs.replace(made, **changes)


def configure(request_id: str, *targets: str, **changes: Any) -> ActionRequest:
    """Return a `cfg_apply` of another log level."""
    payload = {"params": {"log.level": "debug"}}
    return request(request_id, "cfg_apply", *targets, **{"payload": payload, **changes})


def shut_down(request_id: str, *targets: str, **changes: Any) -> ActionRequest:
    """Return a `cmd_invoke` of `shutdown`, whose effect is seen in `Node.stopped`."""
    payload = {"command": "shutdown", "params": {"confirm": True}}
    return request(request_id, "cmd_invoke", *targets, **{"payload": payload, **changes})


def _services(
    node: Node, settings: Settings, file_values: dict[str, Any], start: StartState
) -> Parts:
    own, clock, log, store = node.id, node.clock, node.log, node.store
    boot_id = BootId(node.entropy.uuid7())
    running = Running(settings=settings, file_values=file_values, boot_id=boot_id, clock=clock)
    health = StoreHealth(log)
    signing = Signing(own=own, signer=signer_of(own), clock=clock, entropy=node.entropy)
    peers = Peers(own=own, running=running, signing=signing, clock=clock, log=log)
    audit = Audit(
        own=own, store=store.audit, health=health, clock=clock, entropy=node.entropy, log=log
    )
    config = ConfigAgent(
        running=running,
        store=store.config,
        audit=audit,
        parts=LiveParts(running=running, log=log),
        clock=clock,
        log=log,
        start=start,
    )
    status = Status(
        version="0.1.0",
        host_key=HOST_KEY,
        mesh_addresses=(node.line.address,),
        running=running,
        peers=peers,
        config=config,
        audit=audit,
        health=health,
        mesh=node.line,
    )
    fleet = _fleet(
        node,
        running=running,
        peers=peers,
        signing=signing,
        status=status,
        config=config,
        health=health,
    )
    verbs = _verbs(node, status, config)
    execution = Execution(
        own=own,
        ledger=store.ledger,
        audit=audit,
        config=config,
        health=health,
        verbs=verbs,
        clock=clock,
        log=log,
    )
    io = IoOrders(
        own=own, file=node.io_file, ledger=store.ledger, execution=execution, clock=node.clock
    )
    orders = ConfigOrders(
        config=config, past=ConfigPast(own=own, store=store.config), io=io, execution=execution
    )
    desired = DesiredWrites(
        own=own, config=orders, audit=audit, peers=peers, health=health, clock=clock
    )
    calls = Calls(
        running=running,
        signing=signing,
        peers=peers,
        mesh=node.line,
        clock=clock,
        entropy=node.entropy,
    )
    rows = ActionRows(store=FakeActionRows(store), audit=audit, health=health, clock=clock)
    actions = Actions(
        own=own,
        running=running,
        fleet=fleet,
        audit=audit,
        execution=execution,
        calls=calls,
        rows=rows,
        receipts=Receipts(
            own=own, fleet=fleet, signer=signer_of(own), clock=clock, entropy=node.entropy
        ),
        clock=clock,
    )
    settling = Settling(
        own=own,
        rows=rows,
        reads=LedgerReads(store.ledger),
        calls=calls,
        peers=peers,
        clock=clock,
        entropy=node.entropy,
        log=log,
    )
    errands = Errands(own=own, running=running, fleet=fleet, audit=audit, calls=calls, clock=clock)
    errands.here = io.execute
    pairings = Pairings(
        running=running,
        store=FakePairings(store),
        audit=audit,
        health=health,
        clock=clock,
        entropy=node.entropy,
    )
    presence = Presence(peers=peers, mesh=node.line, store=store.peers, clock=clock, health=health)
    return Parts(
        running=running,
        health=health,
        signing=signing,
        peers=peers,
        audit=audit,
        config=config,
        status=status,
        fleet=fleet,
        execution=execution,
        rows=rows,
        settling=settling,
        actions=actions,
        orders=orders,
        desired=desired,
        fleet_config=FleetConfig(own=own, here=desired, errands=errands, entropy=node.entropy),
        io=io,
        fleet_io=FleetIo(own=own, here=io, errands=errands, entropy=node.entropy),
        proxies=Proxies(own=own, actions=actions, fleet=fleet, audit=audit, entropy=node.entropy),
        pairings=pairings,
        links=Links(
            own=own,
            host_key=HOST_KEY,
            running=running,
            peers=peers,
            audit=audit,
            store=FakeLinks(store),
            health=health,
            clock=clock,
        ),
        target=Target(
            running=running,
            signing=signing,
            peers=peers,
            fleet=fleet,
            ledger=store.ledger,
            audit=audit,
            execution=execution,
            config=orders,
            clock=clock,
            log=log,
        ),
        control=Control(
            own=own,
            actions=actions,
            audit=audit,
            peers=peers,
            pairings=pairings,
            entropy=node.entropy,
            verbs=verbs,
            keep_peers=presence.keep_now,
        ),
    )


def _fleet(node: Node, signing: Signing, **parts: Any) -> Fleet:
    own, clock, mesh = node.id, node.clock, node.line
    running, peers, status = parts["running"], parts["peers"], parts["status"]
    return Fleet(
        own=own,
        probes=Probes(
            own=own, running=running, peers=peers, signing=signing, mesh=mesh, clock=clock
        ),
        beacons=Beacons(
            own=own,
            running=running,
            signing=signing,
            mesh=mesh,
            clock=clock,
            entropy=node.entropy,
            status=status.beacon,
        ),
        clock=clock,
        **parts,
    )


def _verbs(node: Node, status: Status, config: ConfigAgent) -> dict[str, VerbRunner]:
    async def read_status(_params: dict[str, Any]) -> Any:
        return status.status()

    async def read_health(_params: dict[str, Any]) -> Any:
        return status.health()

    async def read_config(_params: dict[str, Any]) -> Any:
        return (await config.view()).effective

    async def stop(_params: dict[str, Any]) -> Any:
        node.stopped.append(list(node.store.durable))
        return {"stopping": True}

    async def nothing(_params: dict[str, Any]) -> Any:
        return {}

    return {
        **{verb.name: nothing for verb in VERBS.values() if verb.built},
        "status": read_status,
        "health": read_health,
        "config.get": read_config,
        "shutdown": stop,
    }
