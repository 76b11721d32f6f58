"""Real projects; nothing is started and nothing is written."""

from pathlib import Path

import pytest

from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.adapters.pki.identity import load_or_create_identity
from trust_runtime.app.validate import ValidationReport, validate_project
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.ids import RuntimeId

NOW_S = 1_790_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path / "press-1", ProjectTemplate(name="press-1"))
    return tmp_path / "press-1"


def append(folder: Path, line: str) -> None:
    """Put a dotted key above the tables of the file."""
    file = folder / "runtime.toml"
    file.write_text(f"{line}\n{file.read_text()}")


def with_identity(folder: Path) -> Path:
    load_or_create_identity(folder, RuntimeId("press-1"), now_s=NOW_S)
    return folder / ".trust" / "identity" / "runtime.key"


def test_a_new_project_is_valid(folder: Path) -> None:
    assert validate_project(folder) == ValidationReport(
        version=1,
        command="validate",
        status="ok",
        project=str(folder),
        resource="press-1",
        runtime_id="press-1",
        site="default-site",
        profile="dev",
        control_endpoint="unix:///tmp/trust-runtime-press-1.sock",
        io_drivers=("loopback",),
        warnings=(),
        errors=(),
    )


def test_nothing_is_written(folder: Path) -> None:
    with_identity(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    validate_project(folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_every_error_is_told_as_data_and_as_a_line(folder: Path) -> None:
    append(folder, "runtimme.x = 1\nbundel.version = 1")
    (folder / "io.toml").write_text('io.driver = "gpio"\n')
    report = validate_project(folder)
    assert report.status == "error"
    assert report.runtime_id is None
    assert [(e.file, e.line, e.path) for e in report.errors] == [
        ("runtime.toml", 1, "runtimme"),
        ("runtime.toml", 2, "bundel"),
        ("io.toml", 1, "io.driver"),
    ]
    assert [line.split(": ")[0] for line in report.lines] == [
        *("runtime.toml:1", "runtime.toml:2", "io.toml:1"),
    ]
    assert to_plain(report)["errors"][2] == {
        "key": "io.driver",
        "value": '"gpio"',
        "allowed": '"loopback" | "simulated"',
        "message": "not in this version",
        "file": "io.toml",
        "line": 1,
    }


def test_a_key_that_others_can_read_is_an_error_beside_the_others(folder: Path) -> None:
    key = with_identity(folder)
    assert validate_project(folder).status == "ok"
    key.chmod(0o644)
    report = validate_project(folder)
    assert (report.status, len(report.errors), report.runtime_id) == ("error", 1, "press-1")
    assert "runtime.key" in report.lines[0]
    assert "chmod" in report.lines[0]
    append(folder, "bundel.version = 1")
    report = validate_project(folder)
    assert len(report.errors) == len(report.lines) == 2


def test_a_damaged_key_is_an_error_and_kept(folder: Path) -> None:
    key = with_identity(folder)
    key.write_bytes(b"garbage")
    report = validate_project(folder)
    assert report.status == "error"
    assert "runtime.key" in report.lines[0]
    assert key.read_bytes() == b"garbage"


def test_an_interface_that_is_not_there_is_a_warning(folder: Path) -> None:
    file = folder / "runtime.toml"
    file.write_text(file.read_text().replace('["lo"]', '["lo", "nosuchif0"]'))
    report = validate_project(folder)
    assert report.status == "ok"
    (warning,) = report.warnings
    assert warning.startswith("missing_interface: ")
    assert "nosuchif0" in warning


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"runtime\.toml") as caught:
        validate_project(tmp_path)
    assert caught.value.exit_code is ExitCode.CONFIG
