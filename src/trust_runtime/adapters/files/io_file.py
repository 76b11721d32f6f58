"""`io.toml` of project and machine, replaced whole. Implements `ports.io_file.IoFile`."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from trust_runtime.adapters.files.toml_lines import TomlFault, read_toml
from trust_runtime.contracts.errors import NotDurable, StoreFailed
from trust_runtime.contracts.io import IoSource
from trust_runtime.ports.io_file import IoFound

_MODE = 0o600
"""Of a file that is new: drivers may have secrets."""


class ProjectIoFile:
    """The two files, written and removed off the event loop."""

    def __init__(self, path: Path, system: Path) -> None:
        self._path = path
        self._system = system

    async def read(self) -> IoFound:
        """See `IoFile.read`."""
        return await asyncio.to_thread(
            lambda: _found(self._path, IoSource.PROJECT) or _found(self._system, IoSource.SYSTEM)
        ) or IoFound(source=IoSource.DEFAULT)

    async def read_system(self) -> IoFound:
        """See `IoFile.read_system`."""
        found = await asyncio.to_thread(_found, self._system, IoSource.SYSTEM)
        return found or IoFound(source=IoSource.DEFAULT)

    async def write(self, text: str, *, may_begin: Callable[[], bool]) -> bool:
        """See `IoFile.write`."""
        # Asked on the thread: where all threads are busy, waiting for one takes long.
        return await asyncio.to_thread(self._write, text.encode(), may_begin)

    async def remove(self, *, may_begin: Callable[[], bool]) -> bool:
        """See `IoFile.remove`."""
        return await asyncio.to_thread(self._remove, may_begin)

    @property
    def _previous(self) -> Path:
        return self._path.with_name(self._path.name + ".previous")

    def _write(self, content: bytes, may_begin: Callable[[], bool]) -> bool:
        try:
            mode, former = _MODE, None
            if self._path.is_file():
                mode = self._path.stat().st_mode & 0o777
                former = self._path.read_bytes()
            if not may_begin():
                return False
            if former is not None:
                # A copy, so that at no instant the name stands for nothing.
                _replace(self._previous, former, mode)
            _replace(self._path, content, mode)
        except OSError as error:
            raise self._fault("cannot be written", error) from error
        self._sync("written")
        return True

    def _remove(self, may_begin: Callable[[], bool]) -> bool:
        try:
            if not may_begin():
                return False
            if not os.path.lexists(self._path):
                return True
            self._path.replace(self._previous)
        except OSError as error:
            raise self._fault("cannot be removed", error) from error
        self._sync("removed")
        return True

    def _sync(self, done: str) -> None:
        """Make the names in the folder durable; they are changed already."""
        folder = self._path.parent
        try:
            _sync_folder(folder)
        except OSError as error:
            # Asking the disk again proves nothing: a sync that failed may be answered as done.
            raise NotDurable(
                f"{self._path} was {done}, but {folder} cannot be synced ({error.strerror}):"
                " a power failure may bring the former file back",
                f"check the disk under {folder}, read io/config, then write it again under a new"
                " request_id",
            ) from error

    def _fault(self, what: str, error: OSError) -> StoreFailed:
        return StoreFailed(
            f"{self._path} {what}: {error.strerror}",
            f"make {self._path.parent} writable for this user, with room on its disk",
        )


def _found(path: Path, source: IoSource) -> IoFound | None:
    read = read_toml(path)
    if read is None:
        return None
    if isinstance(read, TomlFault):
        return IoFound(source=source, fault=f"{path.name} {read.reason}")
    return IoFound(source=source, document=read.values)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Put a file in the place of another one, whole or not at all."""
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    fresh.unlink(missing_ok=True)  # Left by a crash of an earlier process of this number.
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
