"""Nobody but their owner may use a project's secrets (contract 2.3)."""

import errno
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from trust_runtime.contracts.errors import ExitCode, StartRefused

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SECRET_NAMES: Final = ("*.key", ".*.key.new", "*.token", "state.db*", "mesh-users*")
_KEY_MARK: Final = b"PRIVATE KEY-----"
_KEY_FILE_BYTES_MAX: Final = 65_536


def require_private(folder: Path) -> None:
    """Refuse a project in which group or others may use a key, the state or a secret file.

    Secret is what is called so under `.trust`, and whatever there holds a private key in PEM.

    Raises:
        StartRefused: exit code 10; naming every such file, its mode and the `chmod` to run.
    """
    trust = folder / ".trust"
    try:
        exposed = [*_exposed_folder(trust), *_exposed_files(trust)]
    except OSError as error:
        raise StartRefused(
            f"{error.filename} cannot be read: {error.strerror}",
            f"make {trust} a folder that this user owns and can read",
            ExitCode.CONFIG,
        ) from error
    if exposed:
        raise StartRefused(
            "; ".join(
                f"{path} has mode {mode:04o}: group or others may use it" for path, mode in exposed
            ),
            _repair(path for path, _ in exposed),
            ExitCode.CONFIG,
        )


def _exposed_folder(trust: Path) -> Iterator[tuple[Path, int]]:
    try:
        mode = trust.stat().st_mode
    except FileNotFoundError:
        return  # A project that was never started.
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(trust))
    if mode & _OTHERS:
        yield trust, stat.S_IMODE(mode)


def _exposed_files(trust: Path) -> Iterator[tuple[Path, int]]:
    for place, folders, names in os.walk(trust, onerror=_fail):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            try:
                mode = path.stat().st_mode
            except FileNotFoundError:
                continue  # A link to nothing, or gone meanwhile.
            exposed = stat.S_ISREG(mode) and mode & _OTHERS
            if exposed and (_is_secret_name(name) or _holds_key(path)):
                yield path, stat.S_IMODE(mode)


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _is_secret_name(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES)


def _holds_key(path: Path) -> bool:
    with path.open("rb") as file:
        return _KEY_MARK in file.read(_KEY_FILE_BYTES_MAX)


def _repair(paths: Iterable[Path]) -> str:
    return " && ".join(
        f"chmod {'700' if path.is_dir() else '600'} {shlex.quote(str(path))}" for path in paths
    )
