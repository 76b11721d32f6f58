"""`app.wizard`: a new project is made whole, or not at all."""

from pathlib import Path

import pytest

from trust_runtime.app.settings import load_settings
from trust_runtime.app.wizard import id_problem, make_project, require_new
from trust_runtime.contracts.errors import ExitCode, StartRefused


def make(folder: Path, **answers: object) -> tuple[Path, ...]:
    given = {"name": "press-1", "site": None, "cycle_ms": 100, "driver": "loopback", **answers}
    return make_project(folder, **given)  # type: ignore[arg-type]  # the answers of a test


def test_the_answers_stand_in_the_project(tmp_path: Path) -> None:
    made = make(tmp_path / "p", site="plant-1", cycle_ms=20, driver="simulated")
    assert made[-1] == tmp_path / "p" / "runtime.toml"
    loaded = load_settings(tmp_path / "p", {})
    assert loaded.settings.runtime_id == "plant-1/press-1"
    assert loaded.io_drivers == ("simulated",)
    assert "cycle_interval_ms = 20" in (tmp_path / "p" / "runtime.toml").read_text()


def test_a_folder_whose_files_do_not_fit_is_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "io.toml").write_text("nonsense = 1\n")
    with pytest.raises(StartRefused) as refused:
        make(folder)
    assert refused.value.exit_code is ExitCode.CONFIG
    assert [path.name for path in folder.iterdir()] == ["io.toml"]


def test_a_project_or_a_file_is_never_touched(tmp_path: Path) -> None:
    make(tmp_path / "p")
    before = (tmp_path / "p" / "runtime.toml").read_bytes()
    for place in (tmp_path / "p", tmp_path / "p" / "runtime.toml"):
        with pytest.raises(StartRefused):
            require_new(place)
        with pytest.raises(StartRefused):
            make(place, name="press-2")
    assert (tmp_path / "p" / "runtime.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "site", "said"),
    [
        ("press-1", "default-site", None),
        ("a" * 64, "b" * 63, None),
        ("a" * 64, "b" * 64, "longer than 128"),
        ("press 1", "plant", "use letters"),
        ("press", "plant/1", "use letters"),
        ("active", "plant", "reserved"),
        ("", "plant", "use letters"),
    ],
)
def test_which_names_a_runtime_can_have(name: str, site: str, said: str | None) -> None:
    problem = id_problem(name, site)
    assert (problem is None) == (said is None)
    assert said is None or said in (problem or "")
