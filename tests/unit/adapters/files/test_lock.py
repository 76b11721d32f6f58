import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.contracts.errors import ExitCode, StartRefused

LOCKING = Path(__file__).with_name("locking_process.py")


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(LOCKING), str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_second_process_is_refused_naming_the_first(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        assert first_line(holder) == "held\n"

        with pytest.raises(StartRefused, match=rf"process {holder.pid} ") as refused:
            with hold_lock(tmp_path):
                pytest.fail("two hold it")

        assert str(tmp_path) in refused.value.reason
        assert refused.value.exit_code is ExitCode.ERROR


def test_a_process_is_refused_while_we_hold_it_and_welcome_afterwards(tmp_path: Path) -> None:
    with hold_lock(tmp_path), another_process(tmp_path) as late:
        assert f"process {os.getpid()} " in first_line(late)
        assert late.wait(20) == 1

    with another_process(tmp_path) as later:
        assert first_line(later) == "held\n"


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        assert first_line(holder) == "held\n"
        holder.kill()
        holder.wait(20)

    with hold_lock(tmp_path):
        assert (tmp_path / ".trust" / "lock").read_text() == f"{os.getpid()}\n"


def test_the_longer_pid_of_an_earlier_holder_leaves_nothing(tmp_path: Path) -> None:
    with hold_lock(tmp_path):
        pass
    (tmp_path / ".trust" / "lock").write_text("9" * 15 + "\n")

    with hold_lock(tmp_path), pytest.raises(StartRefused, match=rf"process {os.getpid()} "):
        with hold_lock(tmp_path):
            pytest.fail("two hold it")


def test_a_holder_that_has_not_written_yet_is_another_process(tmp_path: Path) -> None:
    with hold_lock(tmp_path):
        os.truncate(tmp_path / ".trust" / "lock", 0)
        with pytest.raises(StartRefused, match="another process already runs"):
            with hold_lock(tmp_path):
                pytest.fail("two hold it")


def test_an_error_of_its_user_frees_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        with hold_lock(tmp_path):
            raise KeyError

    with hold_lock(tmp_path):
        pass


def test_what_it_makes_is_private_under_any_mask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        with hold_lock(tmp_path):
            pass
    finally:
        os.umask(mask)

    assert stat.S_IMODE((tmp_path / ".trust").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".trust" / "lock").stat().st_mode) == 0o600


def test_a_file_in_place_of_the_folder_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / ".trust").write_text("mine")

    with pytest.raises(StartRefused, match=r"\.trust/lock cannot be opened") as refused:
        with hold_lock(tmp_path):
            pytest.fail("held")

    assert str(tmp_path / ".trust") in refused.value.remedy
    assert (tmp_path / ".trust").read_text() == "mine"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / ".trust").mkdir(mode=0o700)
    (tmp_path / ".trust" / "lock").symlink_to(precious)

    with pytest.raises(StartRefused, match="cannot be opened"):
        with hold_lock(tmp_path):
            pytest.fail("held")

    assert precious.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused(closed_folder: Path) -> None:
    with pytest.raises(StartRefused, match="Permission denied") as refused:
        with hold_lock(closed_folder):
            pytest.fail("held")

    assert str(closed_folder / ".trust") in refused.value.remedy
    assert not (closed_folder / ".trust").exists()


def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", no_locks)
        with pytest.raises(StartRefused, match="cannot be locked: No locks"):
            with hold_lock(tmp_path):
                pytest.fail("held")

    with hold_lock(tmp_path):  # Nothing of the refused one is left open.
        pass


def test_a_full_disk_does_not_keep_it_from_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)

    with hold_lock(tmp_path), pytest.raises(StartRefused, match="another process"):
        with hold_lock(tmp_path):
            pytest.fail("two hold it")
