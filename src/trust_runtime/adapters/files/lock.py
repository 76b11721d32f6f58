"""One process per project: the exclusive lock on `.trust/lock` (contract 3.1)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from trust_runtime.contracts.errors import StartRefused

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_PID_BYTES_MAX: Final = 20


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the project in `folder` for this process; makes `.trust` (0700) when it is missing.

    The lock is the kernel's: it is free again at the moment its holder is gone, however it ended.

    Raises:
        StartRefused: another process holds it (naming its pid), or it cannot be taken.
    """
    path = folder / ".trust" / "lock"
    try:
        path.parent.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        raise StartRefused(
            f"{path} cannot be opened: {error.strerror}",
            f"make {path.parent} a folder that this user owns and can write",
        ) from error
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartRefused(
            f"{_holder(descriptor)} already runs on the project {path.parent.parent}",
            "stop it first, or give another project folder",
        ) from error
    except OSError as error:
        raise StartRefused(
            f"{path} cannot be locked: {error.strerror}",
            "put the project on a file system with locks, such as a local disk",
        ) from error
    # Written in place, as a file put in its place would not be the one that is locked. A full
    # disk costs others our pid, nothing else.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)


def _holder(descriptor: int) -> str:
    """Return who wrote the file last: its holder, but for the moment before it has written."""
    text = os.pread(descriptor, _PID_BYTES_MAX, 0).strip()
    return f"process {text.decode()}" if text.isdigit() else "another process"
