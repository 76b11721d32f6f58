"""`trust-runtime`: the entrance; it loads the rest so that Ctrl+C ends it without a word."""

import importlib
from typing import NoReturn

from trust_runtime.cli.interrupts import ending_at_once


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code; no fault ends in a traceback."""
    with ending_at_once():
        running = importlib.import_module("trust_runtime.cli.running")
    running.run(arguments)
    raise AssertionError("a command ends with its exit code")
