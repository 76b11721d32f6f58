"""Opens what a process stands on and builds its services; nothing is reachable yet (3.4)."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from msgspec import Struct

from trust_runtime.adapters.files.io_file import ProjectIoFile
from trust_runtime.adapters.files.modes import require_private
from trust_runtime.adapters.http.tls import ServerTls
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.adapters.mesh.session_config import MeshOptions
from trust_runtime.adapters.mesh.tls_material import MeshTls
from trust_runtime.adapters.pki.identity import load_or_create_identity
from trust_runtime.adapters.pki.identity_files import ProjectIdentityFiles
from trust_runtime.adapters.pki.identity_state import IdentityState, read_state
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.private_files import require_closed
from trust_runtime.adapters.pki.signer import JwsSigner
from trust_runtime.adapters.pki.trust_store import read_trust
from trust_runtime.adapters.reach.sockets import SocketReach
from trust_runtime.adapters.sqlite import open_store
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.entropy import SystemEntropy
from trust_runtime.adapters.system.host import host_key
from trust_runtime.adapters.system.logs import RuntimeLog
from trust_runtime.app.addresses import mesh_addresses, mesh_locators, require_free
from trust_runtime.app.parts import Services, Stores, World
from trust_runtime.app.projects import STATE_FILE
from trust_runtime.app.settings import IO_FILE, SYSTEM_IO_FILE, load_settings
from trust_runtime.app.start_config import Start, choose_start
from trust_runtime.app.tls import require_tls, tls_files
from trust_runtime.app.wiring import build
from trust_runtime.contracts.audit import Outcome
from trust_runtime.contracts.config import BootRecord
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.settings import Settings
from trust_runtime.contracts.timeline import TimelineFilter
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.services.config_agent import StartState
from trust_runtime.services.refusing_store import RefusingStore


class RunOptions(Struct, frozen=True, kw_only=True):
    """How a process was asked to run."""

    folder: Path
    """The project folder; it exists and has a `runtime.toml`."""
    open_log: Callable[[Settings], RuntimeLog]
    """Opens the log once the settings are known."""
    ignore_desired: bool = False
    """Start from the file alone."""
    reset_from: Path | None = None
    """Where a damaged state file was moved to before this start."""
    tell: Callable[[str], None] = lambda _line: None
    """Takes the start-up messages."""


class Opened(Struct, frozen=True, kw_only=True):
    """What is open and built."""

    services: Services
    """Built and joined, not started."""
    mesh: ZenohMesh
    """Not opened yet."""
    reach: SocketReach
    """Not opened yet."""
    log: RuntimeLog
    """Open."""
    tls: ServerTls | None
    """The certificate of the HTTPS listener; None for plain HTTP."""


async def open_process(
    stack: AsyncExitStack,
    options: RunOptions,
    *,
    stop: Callable[[], None],
    on_store_failure: Callable[[StoreFailed], None],
) -> Opened:
    """Open store, log and identity and build the services; `stack` closes them.

    Raises:
        StartRefused: the process must not start as things are.
    """
    folder, clock = options.folder, SystemClock()
    require_private(folder)
    require_tls(folder, load_settings(folder, {}).settings)
    stores, fault = await _open_stores(stack, folder, on_store_failure)
    start = await _choose_start(options, stores)
    settings = start.loaded.settings
    log = options.open_log(settings)
    stack.callback(log.close)
    for text in start.loaded.warnings:
        event, _, sentence = text.partition(": ")
        log.warn(event, sentence)
    for address in mesh_addresses(settings):
        require_free(address, "runtime.mesh.listen")
    layout = IdentityLayout(folder=folder, tls=settings.tls)
    require_closed(layout.web_key)
    identity = _identity(layout, settings, now_s=clock.wall_ns() // NS_PER_S)
    signer = JwsSigner(identity)
    mesh = ZenohMesh(_mesh_options(folder, settings), on_problem=partial(log.warn, "mesh_problem"))
    reach = SocketReach([str(address) for address in mesh_addresses(settings)])
    world = World(
        clock=clock,
        entropy=SystemEntropy(clock),
        signer=signer,
        identity_files=ProjectIdentityFiles(layout, identity, signer),
        mesh=mesh,
        reach=reach,
        stores=stores,
        io_file=ProjectIoFile(folder / IO_FILE, SYSTEM_IO_FILE),
        log=log,
        log_control=log,
        host_key=host_key(settings.discovery.host_group),
    )
    services = build(
        world,
        settings=settings,
        file_values=start.loaded.file_values,
        start=start.state,
        stop=stop,
    )
    await services.io.begin()
    if fault is not None:
        services.health.failed(fault)
    else:
        await _recover(services, stores, options)
    return Opened(
        services=services, mesh=mesh, reach=reach, log=log, tls=_server_tls(folder, settings, log)
    )


def _identity(layout: IdentityLayout, settings: Settings, *, now_s: int) -> IdentityState:
    """Return the pair to sign with; only `dev` makes one, elsewhere a missing one is shown (2.3).

    Raises:
        StartRefused: in `dev`, a file is damaged, readable by others or cannot be written.
    """
    own = settings.runtime_id
    if settings.profile is not Profile.DEV:
        return read_state(layout, own)
    made = load_or_create_identity(layout.folder, own, now_s=now_s)
    return IdentityState(own=own, identity=made, trust=read_trust(layout, settings.site))


async def _open_stores(
    stack: AsyncExitStack, folder: Path, on_failure: Callable[[StoreFailed], None]
) -> tuple[Stores, StoreFailed | None]:
    """Open the state file; a damaged one leaves a process that refuses (ruling 41)."""
    try:
        store = await open_store(folder / ".trust" / STATE_FILE, on_failure=on_failure)
    except StoreFailed as fault:
        refusing = RefusingStore(fault)
        stores = Stores(
            audit=refusing,
            ledger=refusing,
            config=refusing,
            peers=refusing,
            timeline=refusing,
            history=refusing,
            heads=refusing,
            action_rows=refusing,
            links=refusing,
            pairings=refusing,
        )
        return stores, fault
    stack.push_async_callback(store.close)
    stores = Stores(
        audit=store.audit,
        ledger=store.ledger,
        config=store.config,
        peers=store.peers,
        timeline=store.timeline,
        history=store.history,
        heads=store.heads,
        action_rows=store.action_rows,
        links=store.links,
        pairings=store.pairings,
    )
    return stores, None


async def _choose_start(options: RunOptions, stores: Stores) -> Start:
    try:
        return await choose_start(
            options.folder, stores.config, ignore_desired=options.ignore_desired
        )
    except StoreFailed as error:
        return Start(
            loaded=load_settings(options.folder, {}),
            state=StartState(
                newest=None,
                started=None,
                boot=BootRecord(),
                blocked_reason="start_failed",
                errors=(error.reason,),
            ),
        )


async def _recover(services: Services, stores: Stores, options: RunOptions) -> None:
    """Take up what was kept: close what a crash left open, know the peers again."""
    drafts = [services.audit.local("process.start", outcome=Outcome.EXECUTED)]
    if options.reset_from is not None:
        detail = {"moved_to": str(options.reset_from)}
        drafts.insert(
            0, services.audit.local("state.reset", outcome=Outcome.EXECUTED, detail=detail)
        )
    try:
        await services.audit.recover(stores.ledger)
        records = await stores.peers.load()
        heads = await stores.heads.load()
        newest = await stores.timeline.list(TimelineFilter())
        await services.history.begin()
        await services.rows.load()
        links = await stores.links.load()
        tokens = await stores.pairings.load()
        await services.audit.append(drafts)
    except StoreFailed as error:
        services.health.failed(error)
        return
    services.peers.load(records)
    services.witness.load(heads)
    services.links.load(links)
    services.pairings.load(tokens)
    services.timeline.load(newest)
    for record in records:
        services.dialling.take_record(record)


def _server_tls(folder: Path, settings: Settings, log: RuntimeLog) -> ServerTls | None:
    if not (settings.web.enabled and settings.web.tls):
        return None
    return ServerTls(
        tls_files(folder, settings),
        tell=partial(log.info, "web_certificate"),
        warn=partial(log.warn, "web_certificate"),
    )


def _mesh_options(folder: Path, settings: Settings) -> MeshOptions:
    mesh, trust = settings.mesh, folder / ".trust"
    return MeshOptions(
        owner=settings.runtime_id,
        role=mesh.role,
        listen=mesh_locators(settings),
        connect=mesh.connect,
        auth_token=mesh.auth_token,
        tls=_mesh_tls(folder, settings) if mesh.tls else None,
        users_file=None if mesh.auth_token is None else trust / "mesh-users",
        lease_ms=settings.presence.lease_ms,
    )


def _mesh_tls(folder: Path, settings: Settings) -> MeshTls:
    layout = IdentityLayout(folder=folder, tls=settings.tls)
    return MeshTls(
        certificate=layout.certificate,
        key=layout.key,
        own_bundle=layout.own_bundle,
        federation=layout.federation,
        verify_names=settings.profile is not Profile.DEV and settings.mesh.verify_names,
    )
