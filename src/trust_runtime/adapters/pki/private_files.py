"""Files that nobody but their owner may read: written whole or not at all."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trust_runtime.contracts.errors import ExitCode, StartRefused

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, each closed to group and others (0700)."""
    if not folder.parent.is_dir():
        make_private_folder(folder.parent)
    folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def write_private(path: Path, content: bytes, *, mode: int = _PRIVATE) -> None:
    """Put `content` at `path` (0600), whole and on disk when this returns.

    A crash at any moment leaves either what was there before or all of `content`. The folder has
    one writer at a time: the holder of `.trust/lock`, or of `hold_folder`.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)  # Left by a crash; its content was never relied on.
    try:
        # The mode stands at creation, so that there is no moment when others could read it.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # Whatever the umask was.
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Be the only one who writes in `folder`; waits for whoever does so now."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def require_closed(path: Path) -> None:
    """Refuse a private key that group or others may use; a missing one is somebody else's matter.

    Raises:
        StartRefused: exit 10; naming the file and its mode.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    _refuse_exposed(path, mode)


def read_private(path: Path) -> bytes | None:
    """Return the content of `path`, or None when there is no such file.

    Raises:
        StartRefused: it cannot be read, or group or others may.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            _refuse_exposed(path, mode)
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartRefused(
            f"{path} cannot be read: {error.strerror}",
            f"make {path} a file that this user owns and can read",
            ExitCode.CONFIG,
        ) from error


def _refuse_exposed(path: Path, mode: int) -> None:
    if mode & _OTHERS:
        raise StartRefused(
            f"{path} has mode {mode:04o}: group or others may use it",
            f"chmod 600 {path}",
            ExitCode.CONFIG,
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)  # The new name itself must survive a power loss.
    finally:
        os.close(descriptor)
