"""`wizard` at a real terminal: other answers, bad answers, Ctrl+C and Ctrl+D in the middle."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import CommandLine
from trust_runtime.app.settings import load_settings
from trust_runtime.cli.interrupts import INTERRUPTED
from waiting import wait_until

END_S = 20.0
CTRL_C, CTRL_D = "\x03", "\x04"


WITH_TERMINAL = """
import os
from trust_runtime.cli.main import main
os.close(os.open(os.ttyname(0), os.O_RDWR))
main()
"""
"""Runs a command with stdin as the terminal that controls it, so that Ctrl+C is a signal."""


class Terminal:
    """The wizard at a terminal of its own; answers are typed when it has asked."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._own, other = pty.openpty()
        os.set_blocking(self._own, False)
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", WITH_TERMINAL, "wizard", *flags],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        os.close(other)

    def answer(self, question: str, *, typed: str) -> None:
        """Wait for a question, and type."""
        assert wait_until(lambda: question in self._read(), within_s=END_S), self.shown
        self.shown = self.shown[self.shown.index(question) + len(question) :]
        os.write(self._own, typed.encode())

    def end(self) -> int:
        """Return its exit code."""
        ended = wait_until(self._ended, within_s=END_S)
        if not ended:
            self._process.kill()
        code = self._process.wait(END_S)
        self._read()
        os.close(self._own)
        assert ended, self.shown
        assert "Traceback" not in self.shown
        return code

    def _ended(self) -> bool:
        self._read()  # A terminal that nobody reads holds up who writes to it.
        return self._process.poll() is not None

    def _read(self) -> str:
        try:
            while data := os.read(self._own, 4_096):
                self.shown += data.decode(errors="replace")
        except OSError:  # Nothing more now, or the other side is closed.
            pass
        return self.shown


QUESTIONS = ("Folder", "Name", "Site", "cycle", "Driver")


def test_other_answers_than_the_defaults(tmp_path: Path) -> None:
    at = Terminal(tmp_path)
    answers = ("line", "press-7", "plant-1", "20", "simulated")
    for question, typed in zip(QUESTIONS, answers, strict=True):
        at.answer(question, typed=f"{typed}\n")
    assert at.end() == 0
    assert "start it with: trust-runtime play --project line" in at.shown
    loaded = load_settings(tmp_path / "line", {})
    assert loaded.settings.runtime_id == "plant-1/press-7"
    assert loaded.io_drivers == ("simulated",)
    assert "cycle_interval_ms = 20" in (tmp_path / "line" / "runtime.toml").read_text()


def test_a_bad_answer_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "runtime.toml").touch()
    at = Terminal(tmp_path)
    for question, typed, said in (
        ("Folder", "there", "runtime.toml exists"),
        ("Folder", "", ""),
        ("Name", "press 1", "use letters"),
        ("Name", "active", "is reserved"),
        ("Name", "", ""),
        ("Site", "a/b", "use letters"),
        ("Site", "x" * 128, "is longer than 128"),
        ("Site", "", ""),
        ("cycle", "0", "is not in the range"),
        ("cycle", "fast", "is not a valid integer"),
        ("cycle", "", ""),
        ("Driver", "gpio", "is not one of"),
    ):
        at.answer(question, typed=f"{typed}\n")
        if said:
            at.answer(said, typed="")
    at.answer("Driver", typed="\n")
    assert at.end() == 0
    assert load_settings(tmp_path / "project", {}).settings.runtime_id == "project"
    assert (tmp_path / "there" / "runtime.toml").read_bytes() == b""


@pytest.mark.parametrize("at_question", range(len(QUESTIONS)))
@pytest.mark.parametrize(("key", "code"), [(CTRL_C, INTERRUPTED), (CTRL_D, 1)])
def test_who_gives_up_leaves_nothing(tmp_path: Path, at_question: int, key: str, code: int) -> None:
    at = Terminal(tmp_path)
    for question in QUESTIONS[:at_question]:
        at.answer(question, typed="\n")
    at.answer(QUESTIONS[at_question], typed=key)
    assert at.end() == code
    assert "nothing was written" in at.shown
    assert list(tmp_path.iterdir()) == []


def test_flags_are_not_asked_for_and_bad_ones_are_told_before_the_first_question(
    tmp_path: Path,
) -> None:
    at = Terminal(tmp_path, "--path", "p", "--site", "plant-1", "--cycle-ms", "50")
    at.answer("Name", typed="\n")
    at.answer("Driver", typed="\n")
    assert at.end() == 0
    assert load_settings(tmp_path / "p", {}).settings.runtime_id == "plant-1/p"
    bad = Terminal(tmp_path, "--name", "a b")
    assert bad.end() == 2
    assert "use letters" in bad.shown


def test_without_a_terminal_nothing_is_asked(command: CommandLine) -> None:
    ran = command("wizard")
    assert (ran.code, "give --yes and --path" in ran.err) == (2, True)
    assert command("wizard", "--yes").code == 2
    assert not list(Path().iterdir())


def test_with_yes_the_defaults_are_taken(command: CommandLine) -> None:
    assert command("wizard", "--yes", "--path", "press-1").code == 0
    assert load_settings(Path("press-1").absolute(), {}).settings.runtime_id == "press-1"
    again = command("wizard", "--yes", "--path", "press-1")
    assert (again.code, "runtime.toml exists" in again.err) == (1, True)
