from pathlib import Path

import pytest

from trust_runtime.app.projects import CONFIG_FILE, find_project, require_project
from trust_runtime.contracts.errors import ExitCode, StartRefused


def project(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).touch()
    return folder


def test_a_given_folder_is_the_project_even_before_it_exists(tmp_path: Path) -> None:
    assert find_project(tmp_path / "new") == tmp_path / "new"


def test_here_comes_before_the_folder_named_project_and_that_before_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_project(None) == tmp_path
    (tmp_path / "project").mkdir()
    assert find_project(None) == tmp_path
    inner = project(tmp_path / "project")
    assert find_project(None) == inner
    project(tmp_path)
    assert find_project(None) == tmp_path


def test_a_project_is_named_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path / "press")
    monkeypatch.chdir(tmp_path)
    assert require_project(Path("press")) == tmp_path / "press"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert require_project(Path("~/press")) == tmp_path / "press"


@pytest.mark.parametrize("kind", ["missing", "empty", "folder in its place"])
def test_what_is_no_project_is_refused_with_the_way_to_make_one(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "press"
    if kind != "missing":
        folder.mkdir()
    if kind == "folder in its place":
        (folder / CONFIG_FILE).mkdir()

    with pytest.raises(StartRefused) as refused:
        require_project(folder)

    assert refused.value.exit_code is ExitCode.CONFIG
    assert refused.value.reason == f"{folder} has no runtime.toml"
    assert refused.value.remedy.endswith(f"trust-runtime play --project {folder}")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (CONFIG_FILE, "give its folder: --project "),
        ("notes.txt", "give --project the folder that holds runtime.toml"),
    ],
)
def test_a_file_in_place_of_a_project_is_a_usage_error(
    tmp_path: Path, name: str, remedy: str
) -> None:
    file = tmp_path / name
    file.touch()
    with pytest.raises(StartRefused) as refused:
        require_project(file)
    assert refused.value.exit_code is ExitCode.USAGE
    assert refused.value.reason == f"{file} is a file, not a project folder"
    assert refused.value.remedy.startswith(remedy)
