"""Takes a path for the control socket, never from somebody who is alive (contract 3.4)."""

import os
import socket
import stat
from pathlib import Path
from typing import Final

from trust_runtime.contracts.errors import StartRefused

_CLOSED_TO_OTHERS: Final = 0o177
_BACKLOG: Final = 64
_ELSEWHERE: Final = "set runtime.control.endpoint to another path"


def claim(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, mode 0600 from its first moment.

    Raises:
        StartRefused: something stands there that is not a dead socket of this user, or the path
            cannot be used; naming it.
    """
    _make_way(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The mask is the whole process's: a file that another thread makes within these
        # microseconds is private too, which harms nothing.
        mask = os.umask(_CLOSED_TO_OTHERS)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartRefused(
            f"control socket {path} cannot be made: {error.strerror or error}",
            f"make {path.parent} a folder that this user can write, or {_ELSEWHERE}",
        ) from error
    return listener


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Tell whether both are one file; a number alone may have been given to a new one."""
    return os.path.samestat(one, other) and one.st_mtime_ns == other.st_mtime_ns


def _make_way(path: Path) -> None:
    """Remove the socket a dead process of this user has left."""
    try:
        found = path.lstat()
        if not stat.S_ISSOCK(found.st_mode):
            raise StartRefused(
                f"control socket {path}: there is something else of that name",
                f"move it away, or {_ELSEWHERE}",
            )
        if found.st_uid != os.geteuid():
            raise StartRefused(
                f"control socket {path} belongs to user {found.st_uid}",
                f"remove it, or {_ELSEWHERE}",
            )
        if _answers(path):
            raise StartRefused(
                f"control socket {path}: another process answers there",
                f"stop that process, or {_ELSEWHERE}",
            )
        if is_same(path.lstat(), found):  # Else a new owner was quicker; bind tells.
            path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartRefused(
            f"control socket {path} cannot be looked at: {error.strerror}", _ELSEWHERE
        ) from error


def _answers(path: Path) -> bool:
    """Tell whether somebody listens there; what cannot be told counts as yes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(0)
        try:
            knocking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
