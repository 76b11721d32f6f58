import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_talk import NOBODY, dead_socket
from trust_runtime.adapters.control_socket.claiming import claim
from trust_runtime.contracts.errors import ExitCode, StartRefused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.sock"


@pytest.fixture
def no_mask() -> Iterator[None]:
    mask = os.umask(0)
    yield
    os.umask(mask)


def refusal(path: Path) -> StartRefused:
    with pytest.raises(StartRefused) as refused:
        claim(path)
    assert str(path) in refused.value.reason
    assert refused.value.exit_code is ExitCode.ERROR
    return refused.value


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


@pytest.mark.usefixtures("no_mask")
def test_it_is_closed_to_others_before_it_listens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    class Watched(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            modes.append(stat.S_IMODE(path.stat().st_mode))
            super().listen(backlog)

    with monkeypatch.context() as patch:
        patch.setattr("socket.socket", Watched)
        claim(path).close()

    assert modes == [0o600]
    mask = os.umask(0)
    assert mask == 0


def test_a_socket_nobody_answers_on_is_replaced(path: Path) -> None:
    dead_socket(path)

    with claim(path):
        assert connects(path)


def test_a_socket_somebody_answers_on_is_left_alone(path: Path) -> None:
    with claim(path):
        assert "answers" in refusal(path).reason
        assert connects(path)


def test_a_process_too_busy_to_answer_is_alive(path: Path) -> None:
    waiting: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        try:
            for _ in range(64):
                client = socket.socket(socket.AF_UNIX)
                waiting.append(client)
                client.setblocking(False)  # noqa: FBT003 - the name says it
                client.connect(str(path))
            pytest.fail("its queue never fills")
        except BlockingIOError:
            assert "answers" in refusal(path).reason
        finally:
            for client in waiting:
                client.close()
    assert path.is_socket()


def test_a_file_is_never_removed(path: Path) -> None:
    path.write_text("mine")

    refusal(path)

    assert path.read_text() == "mine"


@pytest.mark.parametrize("target", ["dead.sock", "nowhere"])
def test_a_link_is_never_followed_or_removed(path: Path, target: str) -> None:
    dead_socket(path.with_name("dead.sock"))
    path.symlink_to(path.with_name(target))

    assert "something else" in refusal(path).reason

    assert path.is_symlink()
    assert path.with_name("dead.sock").is_socket()
    assert not path.with_name("nowhere").exists()


def test_a_dead_socket_of_another_user_is_left_alone(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can give a file away")
    dead_socket(path)
    os.chown(path, NOBODY, NOBODY)

    assert f"user {NOBODY}" in refusal(path).reason
    assert path.is_socket()


def test_a_new_owner_who_was_quicker_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_socket(path)
    os.utime(path, (1, 1))
    quicker = socket.socket(socket.AF_UNIX)

    class Late(socket.socket):
        """Knocks, and by the time it is done somebody else listens there."""

        def __exit__(self, *_: object) -> None:
            self.close()
            path.unlink()
            quicker.bind(str(path))
            quicker.listen()

    with quicker, monkeypatch.context() as patch:
        patch.setattr("socket.socket", Late)
        refusal(path)
        assert path.is_socket()
        patch.undo()
        assert connects(path)


@pytest.mark.parametrize("name", ["missing/c.sock", "x" * 200])
def test_a_path_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    assert "runtime.control.endpoint" in refusal(tmp_path / name).remedy


def test_a_refusal_leaves_the_mask_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        refusal(tmp_path / "missing" / "c.sock")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
