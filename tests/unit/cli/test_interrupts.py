"""Ctrl+C at the worst moment: while a module is being loaded, in a real process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trust_runtime.cli.interrupts import INTERRUPTED, ending_at_once, held_back

PRESS = """
import os, signal, sys
os.kill(os.getpid(), signal.SIGINT)
sys.path.remove(os.path.dirname(__file__))
del sys.modules[__name__]
__import__(__name__)
print(__name__, "was loaded")
"""
"""A module that presses Ctrl+C, and is then the one it stands in the way of."""


def interrupted_at(
    module: str, *arguments: str, folder: Path, ignored: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that gets SIGINT where it begins to load a module."""
    first = folder / "first"
    first.mkdir()
    (first / f"{module}.py").write_text(PRESS)
    path = os.pathsep.join([str(first), *(entry for entry in sys.path if entry)])
    return subprocess.run(
        [sys.executable, "-m", "trust_runtime", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        check=False,
        timeout=60,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
    )


@pytest.mark.parametrize("module", ["click", "msgspec", "sqlite3", "zenoh", "uvicorn"])
def test_ctrl_c_while_it_is_loaded_ends_it_without_a_word(module: str, tmp_path: Path) -> None:
    ran = interrupted_at(module, "play", "--project", "p", folder=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (INTERRUPTED, "", "")
    assert not (tmp_path / "p").exists()


def test_who_ignores_the_signal_goes_on_ignoring_it(tmp_path: Path) -> None:
    ran = interrupted_at("click", "completions", "bash", folder=tmp_path, ignored=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("click was loaded\n")
    assert len(ran.stdout.splitlines()) > 1


def test_afterwards_it_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ending_at_once():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_that_is_there_stays() -> None:
    def mine(_number: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGINT, mine)
    try:
        with ending_at_once():
            assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_must_be_whole_is_finished_before_ctrl_c_is_heard() -> None:
    done: list[int] = []

    def interrupted() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [1]
    with held_back():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
