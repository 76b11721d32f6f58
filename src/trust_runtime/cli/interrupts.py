"""Ctrl+C while the program is being loaded, when there is nothing yet to stop in order."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

INTERRUPTED: Final = 130
"""Exit code of what Ctrl+C ended before it had begun or while it waited: 128 + SIGINT, as shells
have it. A runtime that stops in order ends with 0 (contract 3.4)."""


@contextmanager
def held_back() -> Iterator[None]:
    """Let Ctrl+C wait for the end of something short that must be done whole or not at all.

    Raises:
        KeyboardInterrupt: at the end, when it was pressed meanwhile.
    """
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    with suppress(ValueError):  # Only the main thread may, and only it is interrupted.
        signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def ending_at_once() -> Iterator[None]:
    """End the process without a word at Ctrl+C; a half-loaded module cannot handle it.

    Whoever ignores the signal already, as a shell has it for what runs in the background, or
    handles it, keeps that.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    with suppress(ValueError):  # Only the main thread may, and only it gets the signal.
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)
