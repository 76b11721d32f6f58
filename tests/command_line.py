"""Runs commands of `trust-runtime` inside the test's process."""

from typing import NamedTuple

import pytest

from trust_runtime.cli.main import main


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    """Its exit code."""

    out: str
    """What it wrote to stdout."""

    err: str
    """What it wrote to stderr."""


class CommandLine:
    """The command line of one test; asserts that no command ever ends in a traceback."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *arguments: object) -> Ran:
        """Run one command to its exit."""
        self._captured.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        out, err = self._captured.readouterr()
        assert "Traceback" not in out + err
        return Ran(code=int(ended.value.code), out=out, err=err)
