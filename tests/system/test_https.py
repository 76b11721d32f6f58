"""HTTPS at real processes: served, verified, exchanged while it runs."""

import json
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from runtimes import Plant, Runtime
from trust_runtime.client import Client
from waiting import wait_until
from web_certificates import Authority, serial_in

WAIT_S = 10.0
TOKEN = "canary-7f3a9c51d2e84b60a1f5c3e9d8b7a6f4"  # noqa: S105 - looked for in what is printed


def secured(here: Plant, folder: Path, **extra: str) -> tuple[Runtime, Authority]:
    """Return a runtime with a web certificate of a CA, not started."""
    authority = Authority(folder / "pki")
    files = authority.issue(hosts=("127.0.0.1", "localhost"))
    runtime = here.runtime(
        "runtime-a",
        extra={
            "runtime.web.tls": "true",
            "runtime.web.auth": '"token"',
            "runtime.control.auth_token": json.dumps(TOKEN),
            "runtime.tls.mode": '"self-managed"',
            "runtime.tls.cert_path": json.dumps(str(files.certificate)),
            "runtime.tls.key_path": json.dumps(str(files.key)),
            **extra,
        },
    )
    return runtime, authority


def answers(runtime: Runtime, authority: Authority) -> bool:
    try:
        with Client(f"https://127.0.0.1:{runtime.web_port}", ca=authority.bundle) as client:
            return client.ready().ok
    except Exception:  # noqa: BLE001 - whatever it is, it does not answer yet
        return False


def started(runtime: Runtime, authority: Authority) -> Runtime:
    runtime.start(wait=False)
    assert wait_until(lambda: answers(runtime, authority), within_s=20), runtime.output()
    return runtime


def serial_of(runtime: Runtime) -> int:
    pem = ssl.get_server_certificate(("127.0.0.1", runtime.web_port), timeout=WAIT_S)
    return serial_in(ssl.PEM_cert_to_DER_cert(pem))


def test_commands_and_clients_speak_https_by_what_the_project_holds(
    here: Plant, tmp_path: Path
) -> None:
    runtime, authority = secured(here, tmp_path)
    started(runtime, authority)
    ran = runtime.cli("fleet", "status", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["context"]["identity"] == "token://static-admin"
    endpoint = f"https://127.0.0.1:{runtime.web_port}"
    with Client(endpoint, token=TOKEN, ca=authority.bundle) as client:
        node = client.state().topology.nodes[0]
        stream = client.events()
        assert next(stream).event == "snapshot"
    assert node.runtime_id == runtime.id

    stranger = runtime.folder.parent / "elsewhere"
    stranger.mkdir()
    token_file = stranger / "token"
    token_file.write_text(TOKEN + "\n")
    asked = ("fleet", "status", "--endpoint", endpoint, "--token-file", str(token_file))
    with_bundle = runtime.cli(*asked, "--ca", str(authority.bundle))
    assert with_bundle.returncode == 0, with_bundle.stderr
    without = runtime.cli(*asked)
    assert without.returncode == 1
    assert "--ca" in without.stderr
    for ran in (with_bundle, without):
        assert TOKEN not in ran.stdout + ran.stderr

    status, _ = plain(runtime)
    assert status is None, "plain HTTP gets no answer on that port"


def plain(runtime: Runtime) -> tuple[int | None, Any]:
    try:
        return runtime.get("/healthz")
    except OSError:
        return None, None


def test_a_new_certificate_is_served_without_a_restart(here: Plant, tmp_path: Path) -> None:
    runtime, authority = secured(here, tmp_path)
    started(runtime, authority)
    first = serial_of(runtime)
    served, renewed = tmp_path / "pki" / "server", authority.issue("renewed")
    with Client(
        f"https://127.0.0.1:{runtime.web_port}", token=TOKEN, ca=authority.bundle
    ) as client:
        stream = client.events()
        assert next(stream).event == "snapshot"
        shutil.copyfile(renewed.certificate, served.with_suffix(".crt"))
        shutil.copyfile(renewed.key, served.with_suffix(".key"))
        assert wait_until(lambda: serial_of(runtime) != first, within_s=WAIT_S)
        assert client.state().context.connected_via == runtime.id
    log = (runtime.folder / ".trust" / "logs" / "runtime.jsonl").read_text()
    assert "web_certificate" in log


def test_the_identity_serves_when_no_pair_is_named(here: Plant, tmp_path: Path) -> None:
    runtime = here.runtime(
        "runtime-a", extra={"runtime.web.tls": "true", "runtime.tls.mode": '"self_managed"'}
    )
    runtime.start(wait=False)
    assert wait_until(lambda: runtime.cli("fleet", "status").returncode == 0, within_s=20), (
        runtime.output()
    )
    assert f"https://127.0.0.1:{runtime.web_port}" in runtime.output()
    other = Authority(tmp_path / "other")
    ran = runtime.cli("fleet", "status", "--ca", str(other.bundle))
    assert (ran.returncode, "did not prove" in ran.stderr) == (1, True)


@pytest.mark.parametrize("spoiled", ["missing", "exposed", "other"])
def test_a_pair_that_cannot_be_served_is_a_configuration_error(
    here: Plant, tmp_path: Path, spoiled: str
) -> None:
    runtime, authority = secured(here, tmp_path)
    (runtime.folder / "io.toml").write_text('io.driver = "loopback"\n')
    key = tmp_path / "pki" / "server.key"
    if spoiled == "missing":
        key.unlink()
    elif spoiled == "exposed":
        key.chmod(0o644)
    else:
        shutil.copyfile(authority.issue("other").key, key)
    for command in ("validate", "run"):
        ran = runtime.cli(command)
        assert ran.returncode == 10, ran.stdout
        assert str(key) in ran.stdout + ran.stderr
