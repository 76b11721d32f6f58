"""Hears what Zenoh logs, which it can only do to standard output.

Zenoh 1.7.2 writes its log to file descriptor 1 and offers Python no callback. So for the time of a
run that descriptor is a pipe which a thread of ours reads, and `sys.stdout` writes to the former
one. Lines that are not Zenoh's go there too. Whoever closes standard output closes this ear.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

import zenoh

from trust_runtime.adapters.mesh.refusals import LOG_FILTER, refusal_in
from trust_runtime.contracts.link_refusals import LinkRefusal

_STDOUT: Final = 1
_FILTER_NAME: Final = "RUST_LOG"
_LINE_BYTES_MAX: Final = 65_536
_END_S: Final = 2.0


class Ear:
    """Hands over refusals that Zenoh tells of."""

    def __init__(self) -> None:
        self.on_refused: Callable[[LinkRefusal], None] = lambda _refusal: None
        """Called from a thread of its own."""

    def take(self, line: bytes) -> None:
        """Take one line of Zenoh's log."""
        refusal = refusal_in(line.decode("utf-8", "replace").rstrip())
        if refusal is not None:
            self.on_refused(refusal)


@contextlib.contextmanager
def hear_zenoh() -> Iterator[Ear]:
    """Hear Zenoh for the time of the context; not when standard output is closed."""
    ear = Ear()
    try:
        former = os.dup(_STDOUT)
    except OSError:  # Standard output is closed.
        yield ear
        return
    stdout = sys.stdout
    stdout.flush()
    reading, writing = os.pipe()
    os.dup2(writing, _STDOUT)
    os.close(writing)
    thread = threading.Thread(target=_listen, args=(reading, ear), name="zenoh log", daemon=True)
    thread.start()
    _ask_for_lines()
    own = os.fdopen(former, "w", buffering=1, encoding=stdout.encoding, closefd=False)
    sys.stdout = own
    try:
        yield ear
    finally:
        ear.on_refused = lambda _refusal: None
        own.flush()
        sys.stdout = stdout
        os.dup2(former, _STDOUT)  # Closes the pipe's only writing end: the thread reads its end.
        os.close(former)
        thread.join(_END_S)


def _ask_for_lines() -> None:
    # Whoever set RUST_LOG for another program must not make Zenoh print its configuration here.
    wanted = os.environ.pop(_FILTER_NAME, None)
    try:
        zenoh.init_log_from_env_or(LOG_FILTER)
    finally:
        if wanted is not None:
            os.environ[_FILTER_NAME] = wanted


def _listen(reading: int, ear: Ear) -> None:
    with os.fdopen(reading, "rb") as lines:
        while line := lines.readline(_LINE_BYTES_MAX):
            with contextlib.suppress(RuntimeError):  # The loop it hands over to has ended.
                ear.take(line)
