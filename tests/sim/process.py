"""One process of the fleet, from start to end, as `app.opening` and `app.lifecycle` run it."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import structs

from fakes.action_rows import FakeActionRows
from fakes.entropy import FakeEntropy
from fakes.heads import FakeHeads
from fakes.identity_files import FakeIdentityFiles
from fakes.io_file import FakeIoFile
from fakes.links import FakeLinks
from fakes.log import FakeLog
from fakes.mesh import FakeMesh
from fakes.pairings import FakePairings
from fakes.reach import FakeReach
from fakes.store import FakeStore
from fakes.timeline import FakeHistory, FakeTimeline
from sim.history import Effect
from sim.loop import Host
from trust_runtime.adapters.mesh.zenoh_log import Ear
from trust_runtime.app import lifecycle
from trust_runtime.app.neighbours import Neighbours
from trust_runtime.app.opening import Opened, RunOptions, _recover
from trust_runtime.app.parts import Services, Stores, World
from trust_runtime.app.wiring import build
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.config import ConfigRevision
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerEntry, LedgerVerdict
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.patch import overlay
from trust_runtime.ports.mesh import Mesh, Silence
from trust_runtime.ports.store import ConfigStore, LedgerStore
from trust_runtime.services.config_agent import StartState
from trust_runtime.services.execution import VerbRunner

if TYPE_CHECKING:
    from sim.fleet import Machine

ENTRY: Final[ContextVar[LedgerEntry | None]] = ContextVar("ENTRY", default=None)
_COPIES_MAX: Final = 50
_SYNC_S: Final = (0.001, 0.02)
_SLOW_SYNC_S: Final = (0.1, 0.8)


class Process:
    """Runs until it is stopped, killed, or its store broke down."""

    def __init__(self, machine: "Machine") -> None:
        fleet = machine.fleet
        self.machine = machine
        self.host = Host(f"{machine.id} #{machine.boots}")
        self.context = self.host.context()
        self.log = FakeLog()
        self.store = FakeStore(machine.disk, sync_s=self._sync_s, on_failure=self._store_broke)
        self.mesh = FakeMesh(
            fleet.network,
            machine.address,
            connect=machine.connect,
            on_problem=lambda text: fleet.history.tell("problem", f"{machine.id} {text}"),
        )
        self.reach = FakeReach(fleet.post, machine.address)
        self.head_at_start = machine.disk.synced.head.seq
        self.services: Services | None = None
        self.is_ready = False
        self.failure: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._again = False

    def start(self) -> None:
        """Let it run."""
        loop = self.machine.fleet.loop
        task = loop.create_task(self._live(), name=self.host.name, context=self.context)
        task.add_done_callback(self._ended, context=self.machine.fleet.root.context())

    def stop(self) -> None:
        """Begin the orderly stop."""
        if self._stop is not None:
            self._stop.set()

    def vanish(self, *, silently: bool) -> None:
        """Take its doings off the network."""
        self.is_ready = False
        self.mesh.die(silently=silently)
        self.machine.fleet.post.handlers.pop(self.machine.address, None)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a client of this process; it dies with it."""
        self.machine.fleet.loop.create_task(work, name=name, context=self.context.copy())

    async def _live(self) -> None:
        self._stop = asyncio.Event()
        stores = self._stores()
        started = await self._start_state()
        document = {} if started.started is None else started.started.document
        services = build(
            self._world(stores),
            settings=self.machine.settings(overlay(self.machine.file_values, document)),
            file_values=self.machine.file_values,
            start=started,
            stop=self._stop.set,
        )
        self.services = services
        verbs = services.execution._verbs
        verbs.update({name: noted_verb(self, runner) for name, runner in verbs.items()})
        options = RunOptions(folder=Path(), open_log=_open_no_log)
        await _recover(services, stores, options)
        opened = Opened(
            tls=None,
            services=services,
            mesh=cast(Any, self.mesh),
            reach=cast(Any, self.reach),
            log=cast(Any, self.log),
        )
        await self._serve(lifecycle.Process(options, Ear()), opened)

    async def _serve(self, life: lifecycle.Process, opened: Opened) -> None:
        """Run until told to stop, without the entrances; clients call the services."""
        assert self._stop is not None
        neighbours = Neighbours(opened.services, opened)
        opened.services.status.control_open = True
        works = [*life._works(opened.services), ("neighbours", neighbours.run())]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(work, name=name) for name, work in works]
            try:
                await neighbours.started()
                await life._ready(opened)
                self.is_ready = True
                self.machine.fleet.history.tell("ready", self.host.name)
                await self._stop.wait()
            finally:
                self.is_ready = False
                await life._leave(opened, neighbours, None)
                for task in running:
                    task.cancel()

    def _stores(self) -> Stores:
        store = self.store
        return Stores(
            audit=store.audit,
            ledger=cast(LedgerStore, NotedLedger(store.ledger)),
            config=cast(ConfigStore, NotedConfig(store.config, self)),
            peers=store.peers,
            timeline=FakeTimeline(store),
            history=FakeHistory(store),
            heads=FakeHeads(store),
            action_rows=FakeActionRows(store),
            links=FakeLinks(store),
            pairings=FakePairings(store),
        )

    def _world(self, stores: Stores) -> World:
        machine = self.machine
        return World(
            clock=machine.clock,
            entropy=FakeEntropy(machine.clock, f"{machine.fleet.seed} {self.host.name}"),
            signer=machine.signer,
            identity_files=FakeIdentityFiles(),
            mesh=cast(Mesh, Overheard(self.mesh, machine.fleet.overheard)),
            reach=self.reach,
            stores=stores,
            io_file=FakeIoFile(),
            log=self.log,
            log_control=self.log,
            host_key=machine.address,
        )

    async def _start_state(self) -> StartState:
        """Choose the revision to start with by the rules of `app.start_config`, without a file."""
        config = self.store.config
        newest, boot = await config.newest(), await config.boot()
        if newest is None:
            return StartState(newest=None, started=None, boot=boot)
        if boot.attempted_revision == newest.revision > boot.ready_revision:
            ready = await config.revision(boot.ready_revision)
            return StartState(
                newest=newest, started=ready, boot=boot, blocked_reason="start_failed"
            )
        boot = structs.replace(boot, attempted_revision=newest.revision)
        await config.save_boot(boot)
        return StartState(newest=newest, started=newest, boot=boot)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.failure = task.exception()
            again = self._again or isinstance(self.failure, StoreFailed)
            self.machine.ended(self, again=again)

    def _store_broke(self, _error: StoreFailed) -> None:
        """Restart from disk, as `app.lifecycle` does after a failed sync."""
        self._again = True
        self.machine.fleet.history.tell("broken", f"{self.host.name}: the sync failed")
        self.stop()

    def _sync_s(self) -> float:
        shortest, longest = _SLOW_SYNC_S if self.machine.slow_disk else _SYNC_S
        return self.machine.fleet.chance.uniform(shortest, longest)


class Overheard:
    """A mesh whose queries somebody on the way keeps a copy of."""

    def __init__(self, mesh: FakeMesh, copies: list[MeshMessage]) -> None:
        self._mesh = mesh
        self._copies = copies
        self.put = mesh.put  # What is called most needs no lookup here and there.

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mesh, name)

    async def query(self, message: MeshMessage, *, timeout_ms: int) -> MeshMessage | Silence:
        """See `Mesh.query`."""
        if message.token:
            self._copies.append(message)
            del self._copies[:-_COPIES_MAX]
        return await self._mesh.query(message, timeout_ms=timeout_ms)


def _open_no_log(_settings: Settings) -> Any:
    raise AssertionError("a process of the simulator has its log already")


class NotedLedger:
    """A ledger that remembers which entry the present task began."""

    def __init__(self, ledger: LedgerStore) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def begin(
        self, entry: LedgerEntry, decision: AuditDraft
    ) -> tuple[LedgerVerdict, LedgerEntry | None]:
        """See `LedgerStore.begin`."""
        begun = await self._ledger.begin(entry, decision)
        ENTRY.set(entry)
        return begun


class NotedConfig:
    """A store of configuration that tells of each revision that is about to be kept."""

    def __init__(self, config: ConfigStore, process: Process) -> None:
        self._config = config
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)

    async def commit(
        self,
        revision: ConfigRevision | None,
        *,
        drafts: Sequence[AuditDraft],
        entry: LedgerEntry | None,
    ) -> tuple[AuditRecord, ...]:
        """See `ConfigStore.commit`."""
        if revision is not None and entry is not None:
            note(self._process, "config", entry)
        return await self._config.commit(revision, drafts=drafts, entry=entry)


def noted_verb(process: Process, runner: VerbRunner) -> VerbRunner:
    """Return a verb that tells that it runs for a remembered request."""

    async def run(params: dict[str, Any]) -> Any:
        entry = ENTRY.get()
        if entry is not None:
            note(process, "verb", entry)
        return await runner(params)

    return run


def note(process: Process, kind: str, entry: LedgerEntry) -> None:
    """Tell that the effect of a request begins."""
    machine = process.machine
    effect = Effect(
        target=machine.id,
        origin=entry.key.origin,
        request_id=entry.key.request_id,
        audit_id=entry.audit_id,
        digest=entry.digest,
        kind=kind,
        at_ns=machine.fleet.now_ns,
    )
    machine.fleet.history.effects.append(effect)
    machine.fleet.history.tell("effect", f"{kind} {effect.request_id} at {machine.id}")
    for watcher in machine.fleet.effect_watchers:
        watcher(effect)
