"""The example pack holds what the contract says it does, and nothing else (contract 16.1)."""

import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from trust_runtime.app.settings import load_runtime_settings
from trust_runtime.app.validate import validate_project

PACK: Final = Path(__file__).parents[2] / "examples" / "runtime_cloud"
PLACEHOLDER: Final = "REPLACE_WITH_LONG_RANDOM_TOKEN"

EVERYWHERE: Final[dict[str, Any]] = {
    "bundle.version": 1,
    "resource.cycle_interval_ms": 100,
    "runtime.control.mode": "production",
    "runtime.control.debug_enabled": False,
    "runtime.web.enabled": True,
    "runtime.discovery.enabled": True,
    "runtime.discovery.advertise": True,
    "runtime.mesh.enabled": True,
    "runtime.mesh.role": "peer",
    "runtime.mesh.publish": [],
    "runtime.mesh.subscribe": {},
    "runtime.mesh.zenohd_version": "1.7.2",
    "runtime.mesh.plugin_versions": {},
    "runtime.log.level": "info",
    "runtime.retain.mode": "none",
    "runtime.retain.save_interval_ms": 1000,
    "runtime.watchdog.enabled": False,
    "runtime.watchdog.timeout_ms": 5000,
    "runtime.watchdog.action": "halt",
    "runtime.fault.policy": "halt",
}
DEV: Final[dict[str, Any]] = {
    "runtime.web.auth": "local",
    "runtime.web.tls": False,
    "runtime.tls.mode": "disabled",
    "runtime.tls.require_remote": False,
    "runtime.discovery.interfaces": ["lo"],
    "runtime.mesh.connect": [],
    "runtime.mesh.tls": False,
    "runtime.cloud.profile": "dev",
    "runtime.cloud.wan.allow_write": [],
}
SECURED: Final[dict[str, Any]] = {
    "runtime.control.auth_token": PLACEHOLDER,
    "runtime.web.auth": "token",
    "runtime.web.tls": True,
    "runtime.tls.mode": "self-managed",
    "runtime.tls.require_remote": True,
    "runtime.tls.cert_path": "./certs/runtime.crt",
    "runtime.tls.key_path": "./certs/runtime.key",
    "runtime.tls.ca_path": "./certs/ca.crt",
    "runtime.discovery.interfaces": ["eth0"],
    "runtime.mesh.connect": [],
    "runtime.mesh.tls": True,
    "runtime.mesh.auth_token": PLACEHOLDER,
    "runtime.cloud.wan.allow_write": [],
}


def of(
    base: dict[str, Any],
    /,
    *,
    name: str,
    runtime_id: str,
    socket: str,
    web: str,
    mesh: str,
    **more: Any,
) -> dict[str, Any]:
    """Return one column of the table."""
    return {
        **EVERYWHERE,
        **base,
        "resource.name": name,
        "runtime.discovery.service_name": runtime_id,
        "runtime.control.endpoint": f"unix:///tmp/trust-runtime-{socket}.sock",
        "runtime.web.listen": web,
        "runtime.mesh.listen": mesh,
        **{f"runtime.{key.replace('__', '.')}": value for key, value in more.items()},
    }


BOILER: Final = "site-b/runtime-boiler-1"
TABLE: Final = {
    "runtime-a-dev": of(
        DEV,
        name="runtime-a",
        runtime_id="runtime-a",
        socket="a",
        web="127.0.0.1:18081",
        mesh="127.0.0.1:5201",
    ),
    "runtime-b-dev": of(
        DEV,
        name="runtime-b",
        runtime_id="runtime-b",
        socket="b",
        web="127.0.0.1:18082",
        mesh="127.0.0.1:5202",
    ),
    "runtime-b-site-b-dev": of(
        DEV,
        name="runtime-b",
        runtime_id="site-b/runtime-b",
        socket="site-b",
        web="127.0.0.1:18083",
        mesh="127.0.0.1:5203",
        cloud__site="site-b",
        cloud__wan__allow_write=[
            {"action": "cfg_apply", "target": "site-b/runtime-b", "from": "default-site/runtime-a"}
        ],
    ),
    "runtime-plant": of(
        SECURED,
        name="runtime-plant",
        runtime_id="site-a/runtime-plant",
        socket="plant",
        web="0.0.0.0:18443",
        mesh="0.0.0.0:5200",
        cloud__profile="plant",
    ),
    "runtime-wan": of(
        SECURED,
        name="runtime-wan",
        runtime_id="site-a/runtime-wan",
        socket="wan",
        web="0.0.0.0:19443",
        mesh="0.0.0.0:6200",
        cloud__profile="wan",
        cloud__wan__allow_write=[
            {"action": "cfg_apply", "target": "site-b/*"},
            {"action": "cmd_invoke", "target": BOILER},
        ],
    ),
    "runtime-boiler-1-wan": of(
        SECURED,
        name="runtime-boiler-1",
        runtime_id=BOILER,
        socket="boiler-1",
        web="0.0.0.0:19444",
        mesh="0.0.0.0:6201",
        mesh__connect=["127.0.0.1:6200"],
        cloud__profile="wan",
        cloud__site="site-b",
        cloud__wan__allow_write=[
            {"action": action, "target": BOILER, "from": "site-a/*"}
            for action in ("cfg_apply", "cmd_invoke")
        ],
    ),
}


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a TOML document as key to value; `subscribe` and `plugin_versions` are values."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        path = prefix + key
        if isinstance(inner, dict) and inner:
            found |= flat(inner, f"{path}.")
        else:
            found[path] = inner
    return found


def test_the_pack_has_exactly_these_files() -> None:
    assert {path.stem for path in PACK.glob("*.toml")} == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_file_has_the_values_of_the_table_and_no_other_key(name: str) -> None:
    assert flat(tomllib.loads((PACK / f"{name}.toml").read_text())) == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_a_file_loads_as_it_is_and_says_who_it_is(name: str, tmp_path: Path) -> None:
    (tmp_path / "runtime.toml").write_text((PACK / f"{name}.toml").read_text())
    settings = load_runtime_settings(tmp_path)
    assert settings.runtime_id == TABLE[name]["runtime.discovery.service_name"]
    (tmp_path / "io.toml").write_text('io.driver = "loopback"\n')
    report = validate_project(tmp_path)
    if settings.profile == "dev":
        assert report.status == "ok"
        return
    # What is missing is a file that make-certs.sh makes, and nothing of the configuration.
    (problem,) = report.errors
    assert problem.path == ""
    assert "certs/runtime.crt cannot be read" in (problem.message or "")
    warned = [line for line in report.warnings if line.startswith("placeholder_token: ")]
    assert ["runtime.control.auth_token" in warned[0], "runtime.mesh.auth_token" in warned[1]] == [
        True,
        True,
    ]


def test_the_readme_names_every_file() -> None:
    rows = [line for line in (PACK / "README.md").read_text().splitlines() if line[:3] == "| `"]
    named = [line.split("`")[1] for line in rows]
    for path in PACK.iterdir():
        if path.name != "README.md":
            assert path.name in named
