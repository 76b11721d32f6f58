"""Profiles at real processes: what is missing is named on every road, and nothing else stops."""

import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtimes import Plant, Runtime
from trust_runtime.client import Client
from trust_runtime.contracts.actions import ActionRequest
from waiting import wait_until

TOKEN = "canary-7f3a9c51d2e84b60a1f5c3e9d8b7a6f4"  # noqa: S105 - made up here
WEB = {
    "runtime.web.auth": '"token"',
    "runtime.control.auth_token": json.dumps(TOKEN),
    "runtime.web.tls": "true",
    "runtime.tls.mode": '"self-managed"',
}
MISSING = ["runtime.web.auth='token'", "runtime.web.tls=true", "identity"]


def alone(here: Plant, profile: str, **extra: str) -> Runtime:
    """Return a runtime of a profile without a mesh, not started."""
    runtime = here.runtime(
        "runtime-a", site="site-a", extra={"runtime.cloud.profile": f'"{profile}"', **extra}
    )
    path = runtime.folder / "runtime.toml"
    path.write_text(
        path.read_text().replace("runtime.mesh.enabled = true", "runtime.mesh.enabled = false")
    )
    return runtime


def until_healthy(runtime: Runtime, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{runtime.web_port}/healthz"

    def answers() -> bool:
        try:
            # Whether it is the right one is not asked here, only whether it answers.
            return httpx.get(url, verify=False, trust_env=False).status_code == 200  # noqa: S501
        except httpx.HTTPError:
            return False

    assert wait_until(answers, within_s=20), runtime.output()


@pytest.mark.parametrize("profile", ["plant", "wan"])
def test_everything_missing_is_named_on_every_road(here: Plant, profile: str) -> None:
    runtime = alone(here, profile).start(wait=False)
    until_healthy(runtime, "http")
    status, answer = runtime.get("/api/runtime-cloud/state")
    assert (status, answer["denial_code"]) == (503, "not_configured")
    assert (answer["profile"], answer["unmet"]) == (profile, MISSING)
    for path in ("config", "io/config", "links", "audit"):
        status, answer = runtime.get(f"/api/runtime-cloud/{path}")
        assert (path, status, answer["denial_code"]) == (path, 503, "not_configured")
    body = runtime.body("status_read", [runtime.id], actor="local://tester")
    status, decision = runtime.request("POST", "/api/runtime-cloud/actions/preflight", body)
    assert (status, decision["denial_code"]) == (200, "not_configured")
    assert "runtime.web.auth='token'" in decision["denial_reason"]
    assert runtime.request("POST", "/api/control", {"type": "status"})[0] == 503
    assert runtime.get("/readyz")[0] == 503
    status, _ = runtime.get("/api/openapi.json")
    assert status == 200
    repaired = runtime.cli("ctl", "status", "--json")
    assert json.loads(repaired.stdout)["ok"], "the control socket stays usable for repair"


@pytest.mark.parametrize("profile", ["plant", "wan"])
def test_a_profile_with_all_it_demands_serves_over_tls(
    here: Plant, tmp_path: Path, profile: str
) -> None:
    runtime = alone(here, profile, **WEB)
    pki = str(tmp_path / "pki")
    make_ca(pki)
    (runtime.folder / "io.toml").write_text('io.driver = "loopback"\n')
    issued = runtime.cli("pki", "issue", "--ca", pki)
    assert issued.returncode == 0, issued.stderr
    runtime.start(wait=False)
    assert wait_until(lambda: runtime.cli("fleet", "status").returncode == 0, within_s=20), (
        runtime.output()
    )

    def call(method: str, path: str, body: Any = None, token: str | None = TOKEN) -> Any:
        bundle = runtime.folder / ".trust" / "identity" / "ca.pem"
        proof = ssl.create_default_context(cafile=bundle)
        url = f"https://localhost:{runtime.web_port}{path}"
        headers = {} if token is None else {"x-trust-token": token}
        return httpx.request(method, url, json=body, headers=headers, verify=proof, trust_env=False)

    assert call("GET", "/api/runtime-cloud/state", token=None).status_code == 401
    state = call("GET", "/api/runtime-cloud/state")
    assert state.status_code == 200
    assert state.json()["context"]["identity"] == "token://static-admin"
    assert call("GET", "/readyz", token=None).status_code == 200
    write = runtime.body(
        "cfg_apply",
        [runtime.id],
        actor="spiffe://trust/site-a/anna",
        payload={"params": {"log.level": "debug"}},
    )
    done = call("POST", "/api/runtime-cloud/actions/dispatch", write).json()
    assert done["ok"], done
    lower = {
        "api_version": "1.0",
        "actor": "spiffe://trust/site-a/anna",
        "desired": {"runtime_cloud.profile": "dev"},
    }
    refused = call("POST", "/api/runtime-cloud/config/desired", lower)
    assert refused.status_code == 400
    assert "only in runtime.toml" in refused.json()["error"]


def fleet_of(here: Plant, pki: str, profile: str) -> tuple[Runtime, Runtime]:
    """Return two runtimes with certificates of one CA, started; the second dials the first."""
    rule = '[{action = "*", target = "*", from = "*"}]'
    extra = {
        **WEB,
        "runtime.cloud.profile": f'"{profile}"',
        "runtime.mesh.tls": "true",
        "runtime.cloud.wan.allow_write": rule,
    }
    first = here.runtime("runtime-a", site="site-a", extra=extra)
    second = here.runtime("runtime-b", site="site-a", connect=[first.mesh_port], extra=extra)
    make_ca(pki)
    for one in (first, second):
        (one.folder / "io.toml").write_text('io.driver = "loopback"\n')
        issued = one.cli("pki", "issue", "--ca", pki)
        assert issued.returncode == 0, issued.stderr
        one.start(wait=False)
    return first, second


@pytest.mark.parametrize("profile", ["plant", "wan"])
def test_two_runtimes_act_on_each_other_over_tls_alone(
    here: Plant, tmp_path: Path, profile: str
) -> None:
    first, second = fleet_of(here, str(tmp_path / "pki"), profile)

    def sees() -> bool:
        ran = first.cli("fleet", "status", "--json")
        nodes = json.loads(ran.stdout)["topology"]["nodes"] if ran.returncode == 0 else []
        online = {n["runtime_id"] for n in nodes if n["lifecycle_state"] == "online"}
        return online == {first.id, second.id}

    assert wait_until(sees, within_s=40), first.output() + second.output()
    with client_of(first) as client:
        for action, payload in (
            ("status_read", {}),
            ("cfg_apply", {"params": {"log.level": "debug"}}),
        ):
            report = client.dispatch(
                ActionRequest(
                    api_version="1.0",
                    request_id=f"req-{action}",
                    connected_via=first.id,
                    target_runtimes=[second.id],
                    actor="spiffe://trust/site-a/anna",
                    action_type=action,
                    payload=payload,
                )
            )
            assert report.ok, report
    with client_of(second) as client:
        records = client.audit(request_id="req-cfg_apply").items
        assert {record.origin for record in records} == {first.id}


def client_of(runtime: Runtime) -> Client:
    bundle = runtime.folder / ".trust" / "identity" / "ca.pem"
    return Client(f"https://127.0.0.1:{runtime.web_port}", token=TOKEN, ca=bundle)


def make_ca(pki: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "trust_runtime", "pki", "init", "--site", "site-a", "--ca", pki],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
