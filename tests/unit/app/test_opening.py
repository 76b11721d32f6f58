"""What a process stands on before anybody can reach it; every adapter is real."""

import re
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
from msgspec import structs

from config_samples import settings_with
from port_contracts.store_samples import PEER
from signed_fleet import OTHER, OWN
from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.adapters.sqlite import open_store
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.logs import RuntimeLog
from trust_runtime.app.certifying import ProjectIdentity, export_of_ca, init_ca, revoke
from trust_runtime.app.opening import Opened, RunOptions, _mesh_options, open_process
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.settings import Settings
from trust_runtime.services.peers import Peers

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path, ProjectTemplate(name=OWN))
    write_file(tmp_path, mesh="false")
    return tmp_path


@pytest.fixture
def state(folder: Path) -> Path:
    return folder / ".trust" / "state.db"


@pytest.fixture
def damaged(state: Path) -> Iterator[Path]:
    state.write_bytes(b"not a database" * 100)
    state.chmod(0o600)
    yield state
    assert state.read_bytes() == b"not a database" * 100


@pytest.fixture
def exposed(state: Path) -> Path:
    state.touch()
    state.chmod(0o644)
    return state


def write_file(folder: Path, *, mesh: str, port: int = 5_200) -> None:
    lines = [
        "bundle.version = 1",
        f'resource = {{ name = "{OWN}", cycle_interval_ms = 100 }}',
        'runtime.control.endpoint = "unix:///run/press.sock"',
        f'runtime.mesh = {{ enabled = {mesh}, listen = "127.0.0.1:{port}" }}',
    ]
    (folder / "runtime.toml").write_text("\n".join(lines) + "\n")


def open_log(settings: Settings) -> RuntimeLog:
    return RuntimeLog(runtime_id=settings.runtime_id, clock=SystemClock(), stream=None)


@asynccontextmanager
async def opened(folder: Path, *, reset_from: Path | None = None) -> AsyncGenerator[Opened, None]:
    options = RunOptions(folder=folder, open_log=open_log, reset_from=reset_from)
    async with AsyncExitStack() as stack:
        yield await open_process(
            stack, options, stop=lambda: None, on_store_failure=lambda _error: None
        )


async def actions(process: Opened) -> list[str]:
    records = await process.services.audit.list(AuditFilter())
    return [record.action_type for record in reversed(records)]


async def test_each_start_is_recorded_and_the_identity_stays(folder: Path) -> None:
    async with opened(folder) as process:
        first = process.services.fingerprint
        assert await actions(process) == ["process.start"]
        assert not process.services.running.ready
        assert not process.mesh.is_open
    async with opened(folder) as process:
        assert process.services.fingerprint == first
        assert await actions(process) == ["process.start", "process.start"]


async def test_known_peers_are_known_again_and_will_be_dialled(folder: Path, state: Path) -> None:
    store = await open_store(state)
    now_ns = SystemClock().wall_ns()
    peer = structs.replace(PEER, runtime_id=OTHER, left_cleanly=False, last_seen_ns=now_ns)
    await store.peers.save([structs.replace(peer, addresses=("127.0.0.9:1",))], [])
    await store.close()

    async with opened(folder) as process:
        known = process.services.peers.get(OTHER)
        assert known is not None
        assert known.lifecycle is Lifecycle.STALE
        assert OTHER in process.services.dialling._goals


async def test_a_state_file_that_was_moved_away_is_recorded_first(folder: Path) -> None:
    async with opened(folder, reset_from=folder / "state.db.damaged") as process:
        assert await actions(process) == ["state.reset", "process.start"]


async def test_a_damaged_state_file_leaves_a_process_that_refuses(
    folder: Path, damaged: Path
) -> None:
    async with opened(folder) as process:
        services = process.services
        assert services.health.fault is not None
        assert str(damaged) in services.health.fault
        assert services.fleet.decision_facts().store_fault == services.health.fault
        assert services.config.status().blocked_reason == "start_failed"
        services.status.control_open = True
        assert not services.status.readiness().ok


async def test_a_taken_mesh_address_refuses_the_start(folder: Path, state: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        write_file(folder, mesh="true", port=server.getsockname()[1])
        with pytest.raises(StartRefused, match=r"runtime\.mesh\.listen"):
            async with opened(folder):
                pass
    store = await open_store(state)  # The refused start let go of it.
    assert await store.audit.list(AuditFilter()) == ()
    await store.close()


async def test_secrets_that_others_may_read_refuse_the_start(folder: Path, exposed: Path) -> None:
    with pytest.raises(StartRefused, match=re.escape(str(exposed))) as refused:
        async with opened(folder):
            pass
    assert refused.value.exit_code is ExitCode.CONFIG


def plant(folder: Path) -> ProjectIdentity:
    """Make the project one of profile plant; nothing else of it is there yet."""
    with (folder / "runtime.toml").open("a") as file:
        file.write('runtime.cloud = { profile = "plant", site = "site-a" }\n')
    return ProjectIdentity(folder)


async def test_in_plant_nothing_is_signed_by_itself_and_the_start_goes_on(folder: Path) -> None:
    plant(folder)
    async with opened(folder) as process:
        services = process.services
        assert not (folder / ".trust" / "identity").exists()
        services.peers.evaluate()
        assert services.peers.own_trust_reason is TrustReason.CHAIN_INVALID
        assert services.fleet.decision_facts().unmet == (
            "runtime.web.auth='token'",
            "runtime.web.tls=true",
            "identity",
        )
        assert services.identity.distrust is not None
        assert "runtime.key is missing" in services.identity.distrust.detail


async def test_an_identity_that_is_issued_meanwhile_is_taken_up(folder: Path) -> None:
    identity = plant(folder)
    init_ca("site-a", folder / "ca", days=10)
    async with opened(folder) as process:
        services = process.services
        await services.identity.look()
        identity.issue(folder / "ca", hosts=(), days=5)
        await services.identity.look()
        assert services.identity.distrust is None
        assert own_reason(services.peers) is None
        assert "identity" not in services.fleet.decision_facts().unmet
        (reason,) = services.status.degraded_reasons()
        assert reason.startswith("identity: the certificate ends in ")
        revoke(folder / "ca", "press-1")
        export_list(folder / "ca", folder / "a.crl")
        identity.import_crl(None, folder / "a.crl")
        await services.identity.look()
        assert own_reason(services.peers) is TrustReason.REVOKED
        assert services.fleet.decision_facts().unmet[-1] == "identity"


async def test_a_web_key_that_others_may_read_refuses_the_start(folder: Path) -> None:
    with (folder / "runtime.toml").open("a") as file:
        file.write('runtime.tls = { key_path = "web.key" }\n')
    (folder / "web.key").write_text("key")
    (folder / "web.key").chmod(0o644)
    with pytest.raises(StartRefused, match=r"web\.key has mode 0644") as caught:
        async with opened(folder):
            pass
    assert caught.value.exit_code is ExitCode.CONFIG


def own_reason(peers: Peers) -> TrustReason | None:
    """Return the present verdict of a runtime on itself."""
    return peers.own_trust_reason


def export_list(ca: Path, out: Path) -> None:
    """Export the revocation list of a CA."""
    out.write_bytes(export_of_ca(ca, crl=True))


SECURE = settings_with(
    runtime__mesh__enabled=True,
    runtime__mesh__tls=True,
    runtime__tls__mode="self-managed",
    runtime__tls__cert_path="web.crt",
    runtime__tls__key_path="web.key",
)


@pytest.mark.parametrize(
    ("profile", "verify", "expected"),
    [
        (Profile.DEV, True, False),
        (Profile.PLANT, True, True),
        (Profile.WAN, True, True),
        (Profile.WAN, False, False),
    ],
)
def test_names_are_verified_in_plant_and_wan_unless_told_otherwise(
    tmp_path: Path, profile: Profile, *, verify: bool, expected: bool
) -> None:
    mesh = structs.replace(SECURE.mesh, verify_names=verify)
    options = _mesh_options(tmp_path, structs.replace(SECURE, profile=profile, mesh=mesh))
    assert options.tls is not None
    assert options.tls.verify_names is expected
    assert options.listen == ("tls/127.0.0.1:5200",)


@pytest.mark.parametrize(
    ("ca_path", "bundle"),
    [
        (None, ".trust/identity/ca.pem"),
        ("pki/site.pem", "pki/site.pem"),
        ("/etc/trust/site.pem", "/etc/trust/site.pem"),
    ],
)
def test_the_bundle_of_the_own_site_is_where_it_is_said_to_be(
    tmp_path: Path, ca_path: str | None, bundle: str
) -> None:
    tls = structs.replace(SECURE.tls, ca_path=ca_path)
    options = _mesh_options(tmp_path, structs.replace(SECURE, tls=tls))
    assert options.tls is not None
    assert options.tls.own_bundle == tmp_path / bundle
    assert options.tls.key == tmp_path / ".trust/identity/runtime.key"


def test_without_tls_there_are_no_certificates(tmp_path: Path) -> None:
    options = _mesh_options(tmp_path, settings_with(runtime__mesh__enabled=True))
    assert options.tls is None
    assert options.listen == ("tcp/127.0.0.1:5200",)
