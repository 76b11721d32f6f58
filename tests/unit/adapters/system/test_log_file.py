import os
import stat
from pathlib import Path

import pytest

from trust_runtime.adapters.system.log_file import RotatingFile


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_full_files_are_kept_by_number_and_the_oldest_goes(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "x.jsonl", bytes_max=10, kept=2)

    assert all(file.append(f"line {number}\n".encode()) for number in range(5))

    assert names(tmp_path) == ["x.jsonl", "x.jsonl.1", "x.jsonl.2"]
    assert (tmp_path / "x.jsonl").read_text() == "line 4\n"
    assert (tmp_path / "x.jsonl.1").read_text() == "line 3\n"
    assert (tmp_path / "x.jsonl.2").read_text() == "line 2\n"


def test_a_file_is_filled_exactly_and_continued_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for _ in range(2):
        file = RotatingFile(path, bytes_max=14)
        assert file.append(b"line 0\n")
        file.close()

    assert path.read_text() == "line 0\nline 0\n"
    assert RotatingFile(path, bytes_max=14).append(b"line 1\n")
    assert path.read_text() == "line 1\n"


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        RotatingFile(tmp_path / "logs" / "x.jsonl").append(b"line\n")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "logs" / "x.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_a_full_disk_loses_the_line_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RotatingFile(tmp_path / "x.jsonl")
    whole = os.write
    file.append(b"before\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, content: whole(descriptor, content[:3]))
        assert not file.append(b"torn away\n")

    assert file.append(b"after\n")
    assert (tmp_path / "x.jsonl").read_text() == "before\ntor\nafter\n"


def test_a_folder_in_the_way_loses_lines_until_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.mkdir()
    file = RotatingFile(path)
    assert not file.append(b"lost\n")

    path.rmdir()

    assert file.append(b"kept\n")


def test_the_sizes_are_those_of_the_contract(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "x.jsonl")
    line = b"x" * 65_535 + b"\n"

    assert all(file.append(line) for _ in range(1_120))

    assert names(tmp_path) == ["x.jsonl", *(f"x.jsonl.{number}" for number in range(1, 6))]
    sizes = [(tmp_path / name).stat().st_size for name in names(tmp_path)]
    assert sizes[1:] == [10 * 1024 * 1024] * 5
    assert sizes[0] == (1_120 % 160 or 160) * len(line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_is_full_for_ever_loses_lines_and_never_raises(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.symlink_to("/dev/full")
    file = RotatingFile(path)
    assert not any(file.append(b"lost\n") for _ in range(3))

    path.unlink()

    assert file.append(b"kept\n")
    assert path.read_text() == "kept\n"


def test_a_rotation_that_cannot_be_done_loses_lines_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    (tmp_path / "x.jsonl.1").mkdir()
    (tmp_path / "x.jsonl.1" / "inside").touch()
    file = RotatingFile(path, bytes_max=10, kept=1)
    assert file.append(b"line 0\n")
    assert not file.append(b"line 1\n")

    (tmp_path / "x.jsonl.1" / "inside").unlink()
    (tmp_path / "x.jsonl.1").rmdir()

    assert file.append(b"line 2\n")
    assert path.read_text() == "line 2\n"
    assert (tmp_path / "x.jsonl.1").read_text() == "line 0\n"
