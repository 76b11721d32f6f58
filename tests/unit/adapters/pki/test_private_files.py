import stat
from pathlib import Path

import pytest

from trust_runtime.adapters.pki.private_files import (
    make_private_folder,
    read_private,
    require_closed,
    write_private,
)
from trust_runtime.contracts.errors import StartRefused


def test_what_was_written_is_read_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "runtime.key"

    write_private(path, b"first, and longer")
    write_private(path, b"second")

    assert read_private(path) == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_elsewhere_must_be_closed_too(tmp_path: Path) -> None:
    path = tmp_path / "web.key"
    require_closed(path)
    write_private(path, b"key")
    require_closed(path)
    path.chmod(0o604)
    with pytest.raises(StartRefused, match="has mode 0604"):
        require_closed(path)


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "runtime.key") is None


def test_a_failed_write_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runtime.key"
    write_private(path, b"first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_private(path, b"second")

    assert read_private(path) == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runtime.key").mkdir()

    with pytest.raises(StartRefused, match=r"runtime\.key"):
        read_private(tmp_path / "runtime.key")


def test_every_missing_folder_is_private(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b")
    make_private_folder(tmp_path / "a" / "b")

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
