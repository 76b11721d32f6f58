"""`play`, `run`, `validate`: contract 3.3. Running itself is tested with real processes."""

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.app import play as app
from trust_runtime.contracts.errors import ExitCode


class Started:
    """What the app was asked to run, instead of running it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, Path, dict[str, Any]]] = []
        for name in ("play", "run"):
            monkeypatch.setattr(app, name, self._take(name))

    def _take(self, name: str) -> Any:
        def take(folder: Path, **options: Any) -> ExitCode:
            if "tell" in options:
                options.pop("tell")(f"told by {name}")
            self.asked.append((name, folder, options))
            return ExitCode.OK

        return take


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


@pytest.mark.parametrize("name", ["play", "run"])
@pytest.mark.parametrize(
    "flag", [["--restart", "cold"], ["--restart", "warm"], ["--simulation"], ["--time-scale", "1"]]
)
def test_what_needs_an_engine_is_refused_before_anything_happens(
    command: CommandLine, started: Started, tmp_path: Path, name: str, flag: list[str]
) -> None:
    folder = tmp_path / "new"
    ran = command(name, "--project", folder, *flag)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"error: {flag[0]} is not in this version: there is no program engine\n"
        f"remedy: leave {flag[0]} out\n"
    )
    assert not started.asked
    assert not folder.exists()


@pytest.mark.parametrize(
    "arguments", [["play", "--restart", "hot"], ["play", "--time-scale", "x"], ["run", "--console"]]
)
def test_a_wrong_value_is_a_usage_error(
    command: CommandLine, started: Started, arguments: list[str]
) -> None:
    assert command(*arguments).code == 2
    assert not started.asked


@pytest.mark.parametrize(
    ("flags", "ignored"),
    [([], False), (["--no-console"], False), (["--ignore-desired"], True)],
)
def test_play_hands_over_folder_and_flags(
    command: CommandLine, started: Started, flags: list[str], *, ignored: bool
) -> None:
    ran = command("play", "--project", "new", *flags)
    assert (ran.code, ran.out, ran.err) == (0, "told by play\n", "")
    assert command("--project", "before", "play", *flags).code == 0
    assert command("--project", "before", "play", "--project", "after", *flags).code == 0
    options = {"ignore_desired": ignored}
    assert started.asked == [("play", Path(f), options) for f in ("new", "before", "after")]


def test_play_without_a_folder_means_the_one_it_stands_in(
    command: CommandLine, started: Started
) -> None:
    command("play")
    Path("project").mkdir()
    (Path("project") / "runtime.toml").touch()
    command("play")
    here = Path.cwd()
    assert [folder for _, folder, _ in started.asked] == [here, here / "project"]


def test_play_refuses_a_file_as_a_project(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    ran = command("play", "--project", file)
    assert ran.code == 1
    assert f"{file} is a file, not a project folder" in ran.err
    assert file.read_text() == "mine"


def test_a_project_that_runs_is_not_run_twice(command: CommandLine, project: Path) -> None:
    with hold_lock(project):
        ran = command("run", "--project", project)
    assert ran.code == 1
    assert "already runs on the project" in ran.err
    assert "remedy: stop it first" in ran.err


def test_run_needs_a_project_and_one_that_exists(
    command: CommandLine, started: Started, tmp_path: Path
) -> None:
    ran = command("run")
    assert ran.code == 2
    assert "Missing option '--project'" in ran.err
    assert not started.asked
    assert command("--project", tmp_path, "run", "--ignore-desired").code == 0
    assert started.asked == [("run", tmp_path, {"ignore_desired": True, "reset_from": None})]


def test_run_creates_nothing(command: CommandLine, tmp_path: Path) -> None:
    ran = command("run", "--project", tmp_path / "new")
    assert ran.code == 10
    assert f"{tmp_path}/new has no runtime.toml" in ran.err
    assert f"remedy: create a project with: trust-runtime play --project {tmp_path}/new" in ran.err
    assert not (tmp_path / "new").exists()


def test_exit_on_fault_is_refused(command: CommandLine, started: Started) -> None:
    ran = command("run", "--project", "p", "--exit-on-fault")
    assert ran.code == 2
    assert "--exit-on-fault is not in this version" in ran.err
    assert not started.asked


def test_reset_state_moves_the_file_aside_and_says_where_to(
    command: CommandLine, started: Started, recorded: Path
) -> None:
    state = recorded / ".trust" / "state.db"
    content = state.read_bytes()
    ran = command("run", "--project", recorded, "--reset-state")
    assert ran.code == 0
    (_, _, options) = started.asked[0]
    moved = options["reset_from"]
    assert ran.err == f"moved the old state to {moved}\n"
    assert moved.read_bytes() == content
    assert not state.exists()


def test_reset_state_without_a_state_is_no_fault(
    command: CommandLine, started: Started, project: Path
) -> None:
    ran = command("run", "--project", project, "--reset-state")
    assert (ran.code, ran.err) == (0, "")
    assert started.asked[0][2]["reset_from"] is None


def test_reset_state_leaves_a_running_project_alone(
    command: CommandLine, started: Started, recorded: Path
) -> None:
    with hold_lock(recorded):
        ran = command("run", "--project", recorded, "--reset-state")
    assert ran.code == 1
    assert "already runs on the project" in ran.err
    assert not started.asked
    assert (recorded / ".trust" / "state.db").exists()


def test_validate_accepts_a_new_project_and_changes_nothing(
    command: CommandLine, project: Path
) -> None:
    before = sorted(project.rglob("*"))
    ran = command("validate", "--project", project)
    assert (ran.code, ran.out) == (0, "Project ok\n")
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("flag", ["--json", "--ci"])
def test_validate_as_json(command: CommandLine, project: Path, flag: str) -> None:
    ran = command("validate", "--project", project, flag)
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    wanted = {"version": 1, "command": "validate", "status": "ok", "project": str(project)}
    assert report.items() >= wanted.items()
    assert [report[name] for name in ("resource", "runtime_id", "site", "profile")] == [
        *("press-1", "press-1", "default-site", "dev")
    ]
    assert report["control_endpoint"] == f"unix://{project.parent}/c.sock"
    assert (report["io_drivers"], report["errors"]) == (["loopback"], [])


def test_validate_names_every_error_and_exits_ten(command: CommandLine, project: Path) -> None:
    file = project / "runtime.toml"
    file.write_text(
        file.read_text()
        .replace('level = "info"', 'level = "loud"')
        .replace('role = "peer"', 'role = "router"')
    )
    ran = command("validate", "--project", project)
    assert (ran.code, ran.out) == (10, "")
    lines = ran.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("runtime.toml:") for line in lines)
    assert any("runtime.log.level" in line and '"loud"' in line for line in lines)
    assert any("runtime.mesh.role" in line and "not in this version" in line for line in lines)
    as_json = command("validate", "--project", project, "--json")
    assert (as_json.code, as_json.err) == (10, "")
    report = json.loads(as_json.out)
    assert (report["version"], report["command"], report["status"]) == (1, "validate", "error")
    assert {e["key"] for e in report["errors"]} == {"runtime.log.level", "runtime.mesh.role"}


def test_validate_needs_a_project(command: CommandLine, tmp_path: Path) -> None:
    assert command("validate").code == 2
    assert command("validate", "--project", tmp_path).code == 10


def test_warnings_go_to_stderr_and_leave_the_project_valid(
    command: CommandLine, project: Path
) -> None:
    file = project / "runtime.toml"
    file.write_text(file.read_text().replace('interfaces = ["lo"]', 'interfaces = ["nope0"]'))
    ran = command("validate", "--project", project)
    assert (ran.code, ran.out) == (0, "Project ok\n")
    assert ran.err.startswith("warning: missing_interface: ")
    assert "nope0" in ran.err
