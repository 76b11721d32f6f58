"""Runs a process and stops it, in order (contract 3.4)."""

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from trust_runtime.adapters.control_socket import ControlSocket
from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.adapters.http.endpoint import Watching as HttpWatching
from trust_runtime.adapters.http.operating import Operating as HttpOperating
from trust_runtime.adapters.http.pipeline import Door
from trust_runtime.adapters.http.server import HttpServer
from trust_runtime.adapters.mesh.zenoh_log import Ear, hear_zenoh
from trust_runtime.adapters.system.logs import RuntimeLog
from trust_runtime.app.banner import start_lines
from trust_runtime.app.measuring import build_metrics
from trust_runtime.app.neighbours import Neighbours
from trust_runtime.app.opening import Opened, RunOptions, open_process
from trust_runtime.app.parts import Services
from trust_runtime.contracts.audit import Outcome
from trust_runtime.contracts.errors import ExitCode, StoreFailed
from trust_runtime.contracts.link_refusals import LinkRefusal
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.core.preconditions import Preconditions

_IN_FLIGHT_S_MAX: Final = 1.0
_RESTARTS_MAX: Final = 10
_BACK_OFF_S: Final = (0.1, 10.0)
_LEDGER_KEPT_NS: Final = 7 * 24 * 3_600 * NS_PER_S
_LEDGER_ENTRIES_MAX: Final = 1_000_000
_PRUNE_PERIOD_S: Final = 3_600


def run_runtime(options: RunOptions) -> ExitCode:
    """Run one process until it is told to stop; return its exit code.

    After a failed sync of the store everything is built anew from disk (D27), with back-off.

    Raises:
        StartRefused: it must not start as things are.
    """
    with hold_lock(options.folder), hear_zenoh() as ear:
        pause_s = _BACK_OFF_S[0]
        for _ in range(_RESTARTS_MAX):
            process = Process(options, ear)
            asyncio.run(process.run())
            if not process.restart_from_disk:
                return ExitCode.OK
            asyncio.run(asyncio.sleep(pause_s))
            pause_s = min(2 * pause_s, _BACK_OFF_S[1])
    return ExitCode.ERROR


class Process:
    """One process from start to stop."""

    def __init__(self, options: RunOptions, ear: Ear) -> None:
        self._options = options
        self._ear = ear
        self._neighbours: Neighbours | None = None
        self._stop = asyncio.Event()
        self._log: RuntimeLog | None = None
        self.restart_from_disk = False

    async def run(self) -> None:
        """Start, run, stop."""
        async with AsyncExitStack() as stack:
            with self._signals():
                opened = await open_process(
                    stack,
                    self._options,
                    stop=self._stop.set,
                    on_store_failure=self._store_broke,
                )
                self._log = opened.log
                await self._serve(opened)

    async def _serve(self, opened: Opened) -> None:
        """Open the entrances, run until told to stop, leave in order."""
        services = opened.services
        settings = services.running.settings
        self._neighbours = neighbours = Neighbours(services, opened)
        self._hear(services)
        async with AsyncExitStack() as entrances:
            control = ControlSocket(
                Path(settings.control_socket),
                services.control,
                admit=services.doorkeeper.admit_token,
            )
            await control.open()
            entrances.push_async_callback(control.close)
            services.status.control_open = True
            http = _http(services, opened) if settings.web.enabled else None
            if http is not None:
                await http.open()
                entrances.push_async_callback(http.close)
                services.status.web_port = settings.web.listen.port
            works = [
                *self._works(services),
                ("neighbours", neighbours.run()),
                ("mesh files", neighbours.watch_files()),
                ("mesh reopening", neighbours.reopen_on_demand()),
            ]
            if http is not None:
                works.append(("http", http.serve()))
            if opened.tls is not None:
                works.append(("web certificate", opened.tls.run()))
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(work, name=name) for name, work in works]
                try:
                    await neighbours.started()
                    _settle_memory()
                    await self._ready(opened)
                    await self._stop.wait()
                finally:
                    await self._leave(opened, neighbours, http)
                    for task in running:
                        task.cancel()

    def _hear(self, services: Services) -> None:
        """Take what Zenoh's log tells of refused links onto this loop."""
        loop = asyncio.get_running_loop()

        def hand_over(refusal: LinkRefusal) -> None:
            loop.call_soon_threadsafe(services.refused.take, refusal)

        self._ear.on_refused = hand_over

    def _works(self, services: Services) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        return [
            ("beacons", services.beacons.run()),
            ("presence", services.presence.run()),
            ("peer records", services.presence.keep()),
            ("probes", services.probes.run()),
            ("edges", services.probes.publish()),
            ("identity", services.identity.run()),
            ("dialling", services.dialling.run()),
            ("stalls", services.stalls.run()),
            ("hails", services.hails.run()),
            ("views", services.views.run()),
            ("witness", services.witness.run()),
            ("timeline", services.timeline.run()),
            ("history", services.history.run()),
            ("chronicle", services.chronicle.run()),
            ("configuration", services.config.run()),
            ("audit", services.audit.watch()),
            ("pairings", services.pairings.run()),
            ("refusals", services.refusals.run()),
            ("refusals of senders", services.target.refusals.run()),
            ("ledger", _prune(services)),
            ("settling", services.settling.run()),
        ]

    def _store_broke(self, error: StoreFailed) -> None:
        """Restart from disk: after a failed sync nothing in memory is known to be durable."""
        if self._log is not None:
            self._log.error("state_store", error.reason, remedy="restarting from disk")
        self.restart_from_disk = True
        self._stop.set()

    async def _ready(self, opened: Opened) -> None:
        services = opened.services
        services.running.ready = True
        try:
            await services.config.save_ready()
        except StoreFailed as error:
            services.health.failed(error)
        services.status.on_change()
        settings = services.running.settings
        for line in start_lines(self._options.folder, settings):
            self._options.tell(line)
        readiness = services.status.readiness()
        if readiness.ok:
            self._options.tell("ready")
            opened.log.info("ready", f"{settings.runtime_id} is ready")
        else:
            self._options.tell(f"not ready: {readiness.checks}")
            opened.log.error(
                "not_ready", f"{settings.runtime_id} is not ready", checks=readiness.checks
            )

    async def _leave(self, opened: Opened, neighbours: Neighbours, http: HttpServer | None) -> None:
        """Stop in order: no new requests, the running ones a second, the record, goodbye.

        The record comes before the goodbye, so that the last head others hear of covers it.
        """
        services = opened.services
        services.running.stopping = True
        opened.log.info("stopping", f"{services.running.settings.runtime_id} stops")
        services.stream.close()
        if http is not None:
            await http.close()
        await services.running.in_flight.wait_idle(_IN_FLIGHT_S_MAX)
        await services.target.refusals.flush()
        with suppress(StoreFailed):
            await services.audit.append(
                [services.audit.local("process.stop", outcome=Outcome.EXECUTED)]
            )
        await neighbours.leave()
        with suppress(StoreFailed):
            await services.presence.keep_now()
            await services.witness.keep_now()
            services.audit.tell_now()
            await services.timeline.flush()
            await services.history.end()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as the order to stop; a second one ends the process at once."""
        loop = asyncio.get_running_loop()
        taken = (signal.SIGINT, signal.SIGTERM)

        def stop() -> None:
            if self._stop.is_set():
                os._exit(ExitCode.ERROR)
            self._stop.set()

        for number in taken:
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, self._reopen_files)
        try:
            yield
        finally:
            for number in (*taken, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _reopen_files(self) -> None:
        """Take SIGHUP: the log goes on in a new file, the mesh with the certificates of now."""
        if self._log is not None:
            self._log.reopen()
        if self._neighbours is not None:
            self._neighbours.want_reopen()


async def _prune(services: Services) -> None:
    """Let the ledger forget what is older than its retention, once an hour, for ever."""
    while True:
        await asyncio.sleep(_PRUNE_PERIOD_S)
        try:
            await services.execution.prune(kept_ns=_LEDGER_KEPT_NS, entries_max=_LEDGER_ENTRIES_MAX)
            await services.rows.prune()
        except StoreFailed as error:
            services.health.failed(error)


def _settle_memory() -> None:
    """Leave what the start made out of every later search for garbage.

    It stays until the end, and searching it holds everybody up for some 20 ms each time.
    """
    gc.unfreeze()  # What an earlier start of this process made may be garbage by now.
    gc.collect()
    gc.freeze()


def _preconditions(services: Services) -> Preconditions:
    return Preconditions(profile=services.running.settings.profile, unmet=services.status.unmet())


def _http(services: Services, opened: Opened) -> HttpServer:
    metrics = build_metrics(services, opened.mesh)
    return HttpServer(
        own=services.running.settings.runtime_id,
        web=lambda: services.running.settings.web,
        fleet=services.fleet,
        actions=services.actions,
        config=services.fleet_config,
        audit=services.audit,
        watching=HttpWatching(
            timeline=services.timeline,
            history=services.history,
            views=services.views,
            stream=services.stream,
        ),
        operating=HttpOperating(
            rows=services.rows,
            links=services.links,
            io=services.fleet_io,
            proxies=services.proxies,
            pairings=services.pairings,
        ),
        readiness=services.status.readiness,
        metrics=metrics.read,
        door=Door(
            admit=services.doorkeeper.admit,
            holds=services.doorkeeper.holds,
            note_refused=services.refusals.note,
            preconditions=lambda: _preconditions(services),
            tls=None if opened.tls is None else opened.tls.context,
        ),
    )
