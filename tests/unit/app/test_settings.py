"""Real files; every error of both at once, each in its place."""

from pathlib import Path
from typing import Any

import pytest

from trust_runtime.app import settings as app
from trust_runtime.app.settings import (
    ConfigInvalid,
    LoadedSettings,
    load_runtime_settings,
    load_settings,
)
from trust_runtime.contracts.errors import ExitCode

GOOD = """bundle.version = 1
resource = { name = "press-1", cycle_interval_ms = 100 }
runtime.control.endpoint = "unix:///run/press.sock"
"""
LOOPBACK = 'io.driver = "loopback"\n'


@pytest.fixture(autouse=True)
def no_system_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(app, "SYSTEM_IO_FILE", tmp_path / "system" / "io.toml")


def load(
    folder: Path, runtime: str = GOOD, io: str | None = LOOPBACK, **document: Any
) -> LoadedSettings:
    (folder / "runtime.toml").write_text(runtime)
    if io is not None:
        (folder / "io.toml").write_text(io)
    return load_settings(folder, {key.replace("__", "."): v for key, v in document.items()})


def refused(
    folder: Path, runtime: str = GOOD, io: str | None = LOOPBACK, **document: Any
) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        load(folder, runtime, io, **document)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert caught.value.remedy
    return caught.value


def test_a_good_project(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings.runtime_id == "press-1"
    assert loaded.io_drivers == ("loopback",)
    assert loaded.warnings == ()
    assert loaded.file_values == {
        "bundle.version": 1,
        "resource.name": "press-1",
        "resource.cycle_interval_ms": 100,
        "runtime.control.endpoint": "unix:///run/press.sock",
    }


def test_the_desired_document_lies_over_the_file_and_not_in_its_values(tmp_path: Path) -> None:
    text = GOOD + 'runtime.log.level = "WARN"\n'
    loaded = load(tmp_path, text, log__level="debug")
    assert loaded.settings.log_level == "debug"
    assert loaded.file_values["runtime.log.level"] == "warn"
    assert load(tmp_path, text).settings.log_level == "warn"


def test_tables_and_dotted_keys_are_the_same(tmp_path: Path) -> None:
    tables = """[bundle]
version = 1
[resource]
name = "press-1"
cycle_interval_ms = 100
[runtime.control]
endpoint = "unix:///run/press.sock"
"""
    assert load(tmp_path, tables) == load(tmp_path)


def test_all_errors_of_all_files_come_at_once_each_in_its_place(tmp_path: Path) -> None:
    found = refused(
        tmp_path,
        GOOD + '[runtime.web]\nauth = "none"\n[runtime.mesh]\nenabled = "yes"\n',
        'io.driver = "loopbak"\n',
        log__level="loud",
    )
    levels = '"error" | "warn" | "info" | "debug" | "trace"'
    drivers = '"loopback" | "simulated"; unknown driver (did you mean \'loopback\'?)'
    assert found.lines == (
        f'desired configuration: log.level: got "loud"; allowed: {levels}',
        'runtime.toml:5: runtime.web.auth: got "none"; allowed: "local" | "token"',
        'runtime.toml:7: runtime.mesh.enabled: got "yes"; allowed: true | false',
        f'io.toml:1: io.driver: got "loopbak"; allowed: {drivers}',
    )
    assert found.reason.splitlines()[1:] == list(found.lines)
    assert [(p.file, p.line) for p in found.problems] == [
        (None, None),
        ("runtime.toml", 5),
        ("runtime.toml", 7),
        ("io.toml", 1),
    ]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        pytest.param(
            'runtime.log.levle = "debug"\n',
            "runtime.toml:4: runtime.log.levle: got an unknown key; allowed: a known key; "
            "unknown key (did you mean 'runtime.log.level'?)",
            id="misspelt",
        ),
        pytest.param(
            'runtime.mesh.role = "router"\n',
            'runtime.toml:4: runtime.mesh.role: got "router"; allowed: "peer" | "client"; '
            "not in this version",
            id="not built",
        ),
        pytest.param(
            '[runtime.mesh]\nenabled = true\nlisten = "10.0.0.7:5200"\n',
            "runtime.toml:4: runtime.mesh.auth_token: got nothing; allowed: a token; or "
            "runtime.mesh.allow_open = true for a mesh open to everybody; "
            "runtime.mesh.listen 10.0.0.7:5200 is not loopback",
            id="a missing key stands where its table begins",
        ),
        pytest.param(
            'runtime.mesh.auth_token = "can\\u0007ary"\n',
            "runtime.toml:4: runtime.mesh.auth_token: got <redacted>; allowed: a text",
            id="a secret",
        ),
        pytest.param(
            '[[runtime.cloud.wan.allow_write]]\naction = "*"\ntarget = "a*b"\n',
            'runtime.toml:6: runtime.cloud.wan.allow_write[0].target: got "a*b"; allowed: '
            "* | PREFIX* | *SUFFIX | NAME or SITE/NAME of letters, digits, '.', '_', '-', "
            "1..128 characters",
            id="a rule in a list",
        ),
        pytest.param(
            "[runtime.opcua]\nenabled = true\n",
            "runtime.toml:4: runtime.opcua: got an unknown key; allowed: nothing; "
            "opcua is not part of this contract; remove the section",
            id="section of another contract",
        ),
    ],
)
def test_how_an_error_reads(tmp_path: Path, more: str, line: str) -> None:
    assert refused(tmp_path, GOOD + more).lines == (line,)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'\xff\xfe bundle = "', "runtime.toml:1:1: is no UTF-8 text"),
        (b"a = 1\nb = \n", "runtime.toml:2:5: Invalid value"),
    ],
)
def test_what_is_no_toml_has_a_place_and_no_key(tmp_path: Path, content: bytes, line: str) -> None:
    (tmp_path / "runtime.toml").write_bytes(content)
    (tmp_path / "io.toml").write_text(LOOPBACK)
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(tmp_path, {})
    assert caught.value.lines == (line,)
    (problem,) = caught.value.problems
    assert problem.path == ""
    assert (problem.line, problem.column) == tuple(int(n) for n in line.split(":")[1:3])


def test_only_the_desired_document_is_wrong(tmp_path: Path) -> None:
    assert "--ignore-desired" in refused(tmp_path, log__level="loud").remedy
    assert "validate" in refused(tmp_path, GOOD + "runtime.x = 1\n", log__level="loud").remedy


def test_without_io_toml_there_is_no_project_unless_the_system_has_one(tmp_path: Path) -> None:
    assert refused(tmp_path, io=None).lines == ("io.toml:1:1: is missing",)
    assert "create what is missing with: trust-runtime play" in refused(tmp_path, io=None).remedy
    app.SYSTEM_IO_FILE.parent.mkdir()
    app.SYSTEM_IO_FILE.write_text('io.driver = "sim"\n')
    assert load(tmp_path, io=None).io_drivers == ("simulated",)
    assert load(tmp_path, io=LOOPBACK).io_drivers == ("loopback",)
    (tmp_path / "io.toml").unlink()
    app.SYSTEM_IO_FILE.write_text('io.driver = "gpio"\n')
    (line,) = refused(tmp_path, io=None).lines
    assert line.startswith(f"{app.SYSTEM_IO_FILE}:1: io.driver: ")


def test_a_missing_runtime_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "io.toml").write_text(LOOPBACK)
    with pytest.raises(ConfigInvalid, match=r"runtime\.toml:1:1: is missing"):
        load_settings(tmp_path, {})


def test_warnings_come_with_the_settings(tmp_path: Path) -> None:
    more = 'runtime.mesh = { enabled = true, listen = "10.0.0.7:1", allow_open = true }\n'
    (warning,) = load(tmp_path, GOOD + more).warnings
    assert warning.startswith("insecure_mesh: ")


def test_runtime_toml_alone_is_enough_for_commands_without_inputs(tmp_path: Path) -> None:
    (tmp_path / "runtime.toml").write_text(GOOD)
    assert load_runtime_settings(tmp_path).runtime_id == "press-1"
    (tmp_path / "runtime.toml").write_text(GOOD + "runtime.x = 1\nruntime.y = 1\n")
    with pytest.raises(ConfigInvalid) as caught:
        load_runtime_settings(tmp_path)
    assert len(caught.value.lines) == 2
