"""`completions`: the scripts in their shells, and what is completed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import CommandLine

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
CHECKED = [
    pytest.param(
        shell, marks=pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is missing")
    )
    for shell in ("bash", "zsh", "fish")
]


def completed(words: str, incomplete: str, folder: Path) -> list[str]:
    """Return what fish would offer; the answer has one line each, `plain,WORD`, a tab, a text."""
    told = subprocess.run(
        [sys.executable, "-c", "from trust_runtime.cli.main import main; main()"],
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            **ENV,
            "_TRUST_RUNTIME_COMPLETE": "fish_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": incomplete,
        },
        check=False,
        timeout=60,
    )
    assert told.stderr == ""
    lines = told.stdout.split()  # One empty line where there is nothing.
    return [line.removeprefix("plain,") for line in lines if line.startswith("plain,")]


@pytest.mark.parametrize("shell", CHECKED)
def test_the_script_is_one_of_its_shell(command: CommandLine, tmp_path: Path, shell: str) -> None:
    script = tmp_path / "script"
    script.write_text(command("completions", shell).out)
    judged = subprocess.run(
        [shell, "-n", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (judged.returncode, judged.stderr) == (0, "")


@pytest.mark.parametrize(
    ("shell", "hook"),
    [
        ("bash", "complete -o nosort -F _trust_runtime_completion trust-runtime"),
        ("zsh", "#compdef trust-runtime"),
        ("fish", "complete --no-files --command trust-runtime"),
    ],
)
def test_the_script_registers_for_the_command(command: CommandLine, shell: str, hook: str) -> None:
    assert hook in command("completions", shell).out


def test_bash_completes_with_the_script(command: CommandLine, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(command("completions", "bash").out)
    named = tmp_path / "trust-runtime"
    named.write_text(f"#!{sys.executable}\nfrom trust_runtime.cli.main import main\nmain()\n")
    named.chmod(0o700)
    bash = shutil.which("bash")
    assert bash is not None
    typed = f"source {script}; COMP_WORDS=(trust-runtime fle); COMP_CWORD=1;"
    typed += " _trust_runtime_completion trust-runtime; echo ${COMPREPLY[@]}"
    told = subprocess.run(
        [bash, "--norc", "-c", typed],
        capture_output=True,
        text=True,
        env={**ENV, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "fleet\n", "")


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        ("trust-runtime co", "co", ["config", "completions"]),
        ("trust-runtime --verb", "--verb", ["--verbose"]),
        ("trust-runtime fleet ", "", ["matrix", "status"]),
        ("trust-runtime ctl st", "st", ["status"]),
        (
            "trust-runtime ctl config",
            "config",
            ["config-get", "config-set", "config.get", "config.set"],
        ),
        ("trust-runtime ctl paus", "paus", []),
        ("trust-runtime wizard --driver ", "", ["loopback", "simulated"]),
    ],
)
def test_what_is_offered(words: str, incomplete: str, offered: list[str], tmp_path: Path) -> None:
    assert completed(words, incomplete, tmp_path) == offered
