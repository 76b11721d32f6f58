import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.files.modes import require_private
from trust_runtime.adapters.files.project import (
    ProjectTemplate,
    create_project,
    project_name,
)
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.ids import RESERVED_NAMES, parse_runtime_id

FILES = ("runtime.toml", "io.toml", "src/main.st", "src/config.st", ".gitignore")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/home/anna/trust-cloud-demo/runtime-a", "runtime-a"),
        ("/srv/Press 1 (north)", "Press-1--north-"),
        ("/srv/Größe", "Gr--e"),
        ("/srv/active", "runtime"),
        ("/srv/cfg", "runtime"),
        ("/srv/cfg2", "cfg2"),
        ("/srv/Active", "Active"),
        ("/srv/...", "..."),
        ("/srv/" + "a" * 128, "a" * 128),
        ("/srv/" + "a" * 129, "a" * 128),
        ("/", "runtime"),
        ("/srv/plant/press/..", "plant"),
    ],
)
def test_the_folder_names_the_runtime(folder: str, name: str) -> None:
    assert project_name(Path(folder)) == name


@given(st.text(min_size=1, max_size=200).filter(lambda name: not set(name) & {"/", "\0"}))
def test_any_folder_gives_a_name_that_a_runtime_may_have(folder: str) -> None:
    name = project_name(Path("/srv") / folder)

    assert parse_runtime_id(name) == name
    assert name not in RESERVED_NAMES


def test_a_new_project_is_made_whole_and_all_of_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "plants" / "runtime-a"

    created = create_project(folder, ProjectTemplate(name="runtime-a"))

    above, sources, private = tmp_path / "plants", folder / "src", folder / ".trust"
    assert set(created) == {above, folder, sources, private, *(folder / name for name in FILES)}
    # Whoever is killed before the last one has made no project, and goes on the next time.
    assert created[-1] == folder / "runtime.toml"
    assert set(contents(folder)) == set(FILES)
    assert 'name = "runtime-a"' in (folder / "runtime.toml").read_text()
    assert ".trust/" in (folder / ".gitignore").read_text().splitlines()
    assert stat.S_IMODE((folder / ".trust").stat().st_mode) == 0o700
    require_private(folder)


def test_a_second_time_creates_and_changes_nothing(tmp_path: Path) -> None:
    create_project(tmp_path / "a", ProjectTemplate(name="a"))
    before = contents(tmp_path)

    assert create_project(tmp_path / "a", ProjectTemplate(name="another-name")) == ()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("missing", FILES[:2] + FILES[4:])
def test_what_is_missing_comes_back_alone(tmp_path: Path, missing: str) -> None:
    create_project(tmp_path, ProjectTemplate(name="a"))
    whole = contents(tmp_path)
    for name in FILES:
        (tmp_path / name).write_text("mine")
    (tmp_path / missing).unlink()

    assert create_project(tmp_path, ProjectTemplate(name="a")) == (tmp_path / missing,)
    assert contents(tmp_path) == {
        name: whole[name] if name == missing else b"mine" for name in FILES
    }


@pytest.mark.parametrize("own", ["src/press.st", "src/lib/deep/press.ST", "src/a.pou", "src/b.POU"])
def test_a_project_with_sources_gets_no_example(tmp_path: Path, own: str) -> None:
    (tmp_path / own).parent.mkdir(parents=True)
    (tmp_path / own).write_text("PROGRAM Press END_PROGRAM")

    create_project(tmp_path, ProjectTemplate(name="a"))

    sources = {name for name in contents(tmp_path) if name.startswith("src/")}
    assert sources == {own}


def test_a_folder_of_other_things_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "README.md").write_text("notes")

    assert tmp_path / "src" / "main.st" in create_project(tmp_path, ProjectTemplate(name="a"))


@pytest.mark.parametrize("target", ["nowhere", "precious"])
def test_a_link_under_one_of_the_names_stays(tmp_path: Path, target: str) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "io.toml").symlink_to(tmp_path / target)

    assert tmp_path / "io.toml" not in create_project(tmp_path, ProjectTemplate(name="a"))
    assert (tmp_path / "io.toml").readlink() == tmp_path / target
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_appears_meanwhile_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def editor_saves(descriptor: int) -> None:
        real(descriptor)
        (tmp_path / "runtime.toml").write_text("mine")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", editor_saves)
        created = create_project(tmp_path, ProjectTemplate(name="a"))

    assert tmp_path / "runtime.toml" not in created
    assert (tmp_path / "runtime.toml").read_text() == "mine"
    assert set(contents(tmp_path)) == set(FILES)


def test_a_full_disk_leaves_no_half_file_and_the_next_time_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StartRefused, match="cannot be created: No space"):
            create_project(tmp_path, ProjectTemplate(name="a"))

    assert list(tmp_path.iterdir()) == []
    assert len(create_project(tmp_path, ProjectTemplate(name="a"))) == 7


@pytest.mark.parametrize("synced", range(14))
def test_a_disk_that_fills_up_leaves_nothing_of_what_was_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: int
) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "notes.txt").write_text("mine")
    left = iter(range(synced))
    real = os.fsync

    def fills_up(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fills_up)
        with pytest.raises(StartRefused, match="cannot be created: No space"):
            create_project(tmp_path / "plant" / "deep" / "a", ProjectTemplate(name="a"))

    assert [path.name for path in (tmp_path / "plant").iterdir()] == ["notes.txt"]


def test_every_file_and_its_name_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, int]] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.append((status.st_dev, status.st_ino))
        real(descriptor)

    monkeypatch.setattr("os.fsync", note)
    folder = tmp_path / "a"
    create_project(folder, ProjectTemplate(name="a"))

    for path in (tmp_path, folder, folder / "src", *(folder / name for name in FILES)):
        status = path.stat()
        assert (status.st_dev, status.st_ino) in synced, path


def test_a_plain_file_is_no_project(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("hello")

    for folder in (plain, plain / "below"):
        with pytest.raises(StartRefused, match=str(plain)) as refused:
            create_project(folder, ProjectTemplate(name="a"))
        assert refused.value.exit_code is ExitCode.ERROR

    assert plain.read_text() == "hello"


@pytest.mark.parametrize("name", ["src", ".trust"])
def test_a_file_in_place_of_a_folder_is_named_and_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")

    with pytest.raises(StartRefused, match=str(tmp_path / name)):
        create_project(tmp_path, ProjectTemplate(name="a"))

    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(closed_folder: Path) -> None:
    for folder in (closed_folder / "a", closed_folder):
        with pytest.raises(StartRefused, match=f"{closed_folder}.* cannot be created: Permission"):
            create_project(folder, ProjectTemplate(name="a"))

    assert list(closed_folder.iterdir()) == []


def test_sources_that_cannot_be_looked_at_are_named_not_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()

    def unreadable(place: str) -> None:
        raise PermissionError(13, "Permission denied", os.fspath(place))

    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", unreadable)
        with pytest.raises(StartRefused, match=f"{tmp_path / 'src'} cannot be read"):
            create_project(tmp_path, ProjectTemplate(name="a"))

    assert list((tmp_path / "src").iterdir()) == []
