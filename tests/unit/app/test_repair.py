from pathlib import Path

import pytest

from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.app.repair import reset_state
from trust_runtime.contracts.errors import StartRefused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runtime.toml").touch()
    (tmp_path / ".trust").mkdir(mode=0o700)
    return tmp_path


def test_a_state_file_is_moved_aside_whole(folder: Path) -> None:
    state = folder / ".trust" / "state.db"
    state.write_bytes(b"damaged")

    moved_to = reset_state(folder)

    assert moved_to is not None
    assert moved_to.read_bytes() == b"damaged"
    assert not state.exists()


def test_without_one_nothing_happens(folder: Path) -> None:
    assert reset_state(folder) is None


def test_a_running_project_is_left_alone(folder: Path) -> None:
    state = folder / ".trust" / "state.db"
    state.write_bytes(b"in use")
    with hold_lock(folder), pytest.raises(StartRefused):
        reset_state(folder)
    assert state.read_bytes() == b"in use"


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"has no runtime\.toml"):
        reset_state(tmp_path)
