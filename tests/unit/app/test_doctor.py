"""`app.doctor`: what is told of the process of a project."""

from pathlib import Path

import pytest

from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.app import doctor
from trust_runtime.app.doctor import Diagnosis, Verdict, examine
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.results import ControlReply

PACK = Path(__file__).parents[3] / "examples" / "runtime_cloud"


def process(folder: Path) -> Diagnosis:
    create_project(folder, ProjectTemplate(name="press-1"))
    return next(one for one in examine(folder) if one.thing == "process")


def test_a_process_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_args: object) -> ControlReply:
        raise StartRefused("no answer on c.sock within 2 s", "see the log", ExitCode.TIMEOUT)

    monkeypatch.setattr(doctor, "ask", late)
    found = process(tmp_path / "press-1")
    assert found.verdict is Verdict.ERROR
    assert "does not answer" in found.detail
    assert found.remedy is not None


def test_the_process_of_another_user_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def foreign(*_args: object) -> ControlReply:
        raise StartRefused("served by user 7", "run this as that user")

    monkeypatch.setattr(doctor, "ask", foreign)
    found = process(tmp_path / "press-1")
    assert (found.verdict, found.detail) == (Verdict.ERROR, "served by user 7")


@pytest.mark.parametrize(
    ("health", "verdict", "detail"),
    [
        ("healthy", Verdict.OK, "runs"),
        ("degraded", Verdict.WARNING, "runs, but is degraded: disk"),
    ],
)
def test_a_process_is_as_well_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, health: str, verdict: Verdict, detail: str
) -> None:
    result = {"health": health, "reasons": ["disk"]}
    monkeypatch.setattr(doctor, "ask", lambda *_args: ControlReply(id=1, ok=True, result=result))
    found = process(tmp_path / "press-1")
    assert (found.verdict, found.detail) == (verdict, detail)


def test_a_project_that_does_not_run_says_how_to_start_it(tmp_path: Path) -> None:
    folder = tmp_path / "press 1"
    found = process(folder)
    assert (found.verdict, found.detail) == (Verdict.OK, "does not run")
    assert found.remedy == f"start it: trust-runtime play --project '{folder}'"


def test_what_a_profile_demands_and_lacks_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "press-1"
    create_project(folder, ProjectTemplate(name="press-1"))
    file = folder / "runtime.toml"
    file.write_text(file.read_text().replace('profile = "dev"', 'profile = "plant"'))
    found = [one for one in examine(folder) if one.thing == "profile"]
    assert [one.detail for one in found] == [
        "plant needs runtime.web.auth='token'",
        "plant needs runtime.web.tls=true",
    ]
    assert all(one.verdict is Verdict.ERROR and one.remedy for one in found)


def test_a_pair_for_https_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "runtime-plant"
    create_project(folder, ProjectTemplate(name="runtime-plant"))
    (folder / "runtime.toml").write_text((PACK / "runtime-plant.toml").read_text())
    found = next(one for one in examine(folder) if one.thing == "certificate")
    assert found.verdict is Verdict.ERROR
    assert "certs/runtime.crt cannot be read" in found.detail
    assert "trust-runtime pki issue" in (found.remedy or "")
