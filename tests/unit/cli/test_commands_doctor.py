"""`doctor`: what is told, and whether it counts as wrong."""

from pathlib import Path

from answering_process import answering
from command_line import CommandLine


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_project_that_does_not_run_is_told_how_to_start(
    command: CommandLine, project: Path
) -> None:
    told = lines(command("doctor", "--project", project).out)
    at = told.index("ok process does not run")
    assert told[at + 1] == f"next: start it: trust-runtime play --project {project}"


def test_a_project_that_runs_is_not_told_to_start(
    command: CommandLine, project: Path, tmp_path: Path
) -> None:
    with answering(tmp_path / "c.sock", health={"ok": True, "health": "healthy", "reasons": []}):
        ran = command("doctor", "--project", project)
    assert "ok process runs" in lines(ran.out)
    assert "start it" not in ran.out


def test_what_is_no_project_is_an_error(command: CommandLine, tmp_path: Path) -> None:
    ran = command("doctor", "--project", tmp_path)
    assert ran.code == 1
    assert "remedy: create a project with: trust-runtime play --project" in ran.out
