"""`make-certs.sh` on the shipped files: what it makes, twice, and that both sites serve with it."""

import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

import httpx
import pytest

from runtimes import Plant, Runtime
from waiting import wait_until

PACK: Final = Path(__file__).parents[2] / "examples" / "runtime_cloud"
PLACEHOLDER: Final = "REPLACE_WITH_LONG_RANDOM_TOKEN"
FILES: Final = {
    "runtime-plant": "runtime-plant.toml",
    "runtime-wan": "runtime-wan.toml",
    "runtime-boiler-1": "runtime-boiler-1-wan.toml",
}
SITES: Final = {"runtime-plant": "site-a", "runtime-wan": "site-a", "runtime-boiler-1": "site-b"}


def make_certs(folder: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(PACK / "make-certs.sh"), folder],  # noqa: S607 - bash is where PATH says
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def copied(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)
        shutil.copyfile(PACK / FILES[name], folder / name / "runtime.toml")


def tokens(folder: Path) -> dict[str, str]:
    lines = (folder / "tokens.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_makes_what_the_projects_lack_and_the_second_time_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "fleet of two sites"
    copied(folder, *FILES)
    ran = make_certs(folder.name, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    made = tokens(folder)
    assert made.keys() == {
        "RUNTIME_PLANT_TOKEN",
        "RUNTIME_WAN_TOKEN",
        "RUNTIME_BOILER_1_TOKEN",
        "MESH_PLANT_TOKEN",
        "MESH_WAN_TOKEN",
    }
    assert len(set(made.values())) == len(made)
    for token in made.values():
        assert re.fullmatch("[0-9a-f]{64}", token)
        assert token not in ran.stdout + ran.stderr
    for name in FILES:
        text = (folder / name / "runtime.toml").read_text()
        assert PLACEHOLDER not in text
        control = made[f"{name.upper().replace('-', '_')}_TOKEN"]
        mesh = made["MESH_PLANT_TOKEN" if name == "runtime-plant" else "MESH_WAN_TOKEN"]
        shipped = (PACK / FILES[name]).read_text()
        expected = shipped.replace(PLACEHOLDER, control, 1).replace(PLACEHOLDER, mesh, 1)
        assert text == expected, "nothing else of the file changed"
    federated = {path.relative_to(folder).as_posix() for path in folder.rglob("federation/*.pem")}
    assert federated == {
        "runtime-wan/.trust/federation/site-b.pem",
        "runtime-boiler-1/.trust/federation/site-a.pem",
    }
    secret = [
        "tokens.env",
        *(path.relative_to(folder).as_posix() for path in folder.rglob("*.key")),
    ]
    secret += [f"{name}/runtime.toml" for name in FILES]
    assert len(secret) == 1 + 2 + 2 * len(FILES) + len(FILES)
    for name in secret:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name

    before = contents(folder)
    again = make_certs(str(folder), cwd=Path("/"))
    assert again.returncode == 0, again.stderr
    assert contents(folder) == before


def test_a_project_that_comes_later_joins_those_that_are_there(tmp_path: Path) -> None:
    copied(tmp_path, "runtime-wan")
    assert make_certs(".", cwd=tmp_path).returncode == 0
    first = contents(tmp_path)
    copied(tmp_path, "runtime-boiler-1")
    assert make_certs(".", cwd=tmp_path).returncode == 0
    later = contents(tmp_path)
    ledger = tmp_path / "tokens.env"
    assert {path for path in first if first[path] != later[path]} == {ledger}
    assert later[ledger].startswith(first[ledger])
    mesh = tokens(tmp_path)["MESH_WAN_TOKEN"]
    assert all(mesh in (tmp_path / name / "runtime.toml").read_text() for name in list(FILES)[1:])


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["."]])
def test_nothing_to_handle_is_told_and_nothing_is_made(
    tmp_path: Path, arguments: list[str]
) -> None:
    ran = subprocess.run(
        ["bash", str(PACK / "make-certs.sh"), *arguments],  # noqa: S607 - bash is where PATH says
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "make-certs.sh" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def adapted(runtime: Runtime, name: str, connect: list[int]) -> None:
    """Put the shipped file there, on loopback and free ports, without a shared socket."""
    text = (PACK / FILES[name]).read_text()
    for pattern, value in (
        (r"^listen = .*:(18|19)44[34]", f'listen = "127.0.0.1:{runtime.web_port}'),
        (r"^listen = .*:[56]20[01]", f'listen = "127.0.0.1:{runtime.mesh_port}'),
        (r"^endpoint = \"[^\"]*", f'endpoint = "unix://{runtime.folder}/c.sock'),
        (r"^interfaces = \[\"eth0", 'interfaces = ["lo'),
        (r"^connect = \[.*?\]", f"connect = {json.dumps([f'127.0.0.1:{p}' for p in connect])}"),
    ):
        text, found = re.subn(pattern, value, text, flags=re.MULTILINE)
        assert found == 1, pattern
    (runtime.folder / "runtime.toml").write_text(text)
    (runtime.folder / "io.toml").write_text('io.driver = "loopback"\n')


def ask(runtime: Runtime, bundle: Path, token: str | None) -> httpx.Response:
    proof = ssl.create_default_context(cafile=bundle)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url = f"https://localhost:{runtime.web_port}/api/runtime-cloud/state"
    return httpx.get(url, headers=headers, verify=proof, trust_env=False)


def test_both_sites_serve_and_know_each_other(here: Plant, tmp_path: Path) -> None:
    wan = here.runtime("runtime-wan", site="site-a")
    boiler = here.runtime("runtime-boiler-1", site="site-b")
    for one, connect in ((wan, []), (boiler, [wan.mesh_port])):
        adapted(one, one.name, connect)
    ran = make_certs(".", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    made = tokens(tmp_path)
    for one in (wan, boiler):
        one.start(wait=False)
    for one in (wan, boiler):
        bundle = tmp_path / "pki" / SITES[one.name] / "ca.crt"
        token = made[f"{one.name.upper().replace('-', '_')}_TOKEN"]
        until_trusted(one, bundle, token, {"site-a/runtime-wan", "site-b/runtime-boiler-1"})
        assert ask(one, bundle, None).status_code == 401
        assert ask(one, bundle, PLACEHOLDER).status_code == 401


def until_trusted(runtime: Runtime, bundle: Path, token: str, expected: set[str]) -> None:
    def seen() -> set[str]:
        try:
            answer = ask(runtime, bundle, token)
        except httpx.HTTPError:
            return set()
        assert answer.status_code == 200, answer.text
        return {
            node["runtime_id"]
            for node in answer.json()["topology"]["nodes"]
            if (node["lifecycle_state"], node["trust_state"]) == ("online", "trusted")
        }

    assert wait_until(lambda: seen() == expected, within_s=40), runtime.output()


def test_a_placeholder_admits_nobody_and_is_named(here: Plant, tmp_path: Path) -> None:
    wan = here.runtime("runtime-wan", site="site-a")
    adapted(wan, wan.name, [])
    shipped = (wan.folder / "runtime.toml").read_text()
    assert make_certs(".", cwd=tmp_path).returncode == 0
    (wan.folder / "runtime.toml").write_text(shipped)
    wan.start(wait=False)
    bundle = tmp_path / "pki" / "site-a" / "ca.crt"
    answers: list[httpx.Response] = []

    def answered() -> bool:
        try:
            answers.append(ask(wan, bundle, PLACEHOLDER))
        except httpx.HTTPError:
            return False
        return True

    assert wait_until(answered, within_s=20), wan.output()
    assert answers[0].status_code == 401
    # Repair goes by the control socket; who has a token of it is told what is missing.
    asked = ("pair.start", '{"owner": "anna", "role": "viewer"}')
    code = json.loads(wan.cli("ctl", "call", *asked, "--json").stdout)["result"]["code"]
    claimed = wan.cli("ctl", "call", "pair.claim", json.dumps({"code": code}), "--json")
    refusal = ask(wan, bundle, json.loads(claimed.stdout)["result"]["token"])
    assert refusal.status_code == 503
    assert refusal.json()["denial_code"] == "not_configured"
    assert refusal.json()["unmet"] == ["runtime.control.auth_token"]
    assert "openssl rand -hex 32" in refusal.text
