"""A file of lines that is rotated by size and never makes its writer fail."""

import os
from pathlib import Path
from typing import Final

FILE_BYTES_MAX: Final = 10 * 1024 * 1024
KEPT_FILES: Final = 5
_PRIVATE: Final = 0o600


class RotatingFile:
    """Appends to `NAME`; the full ones before it are `NAME.1` (newest) to `NAME.5`."""

    def __init__(
        self, path: Path, *, bytes_max: int = FILE_BYTES_MAX, kept: int = KEPT_FILES
    ) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._kept = kept
        self._descriptor: int | None = None
        self._size = 0
        self._torn = False

    def append(self, line: bytes) -> bool:
        """Append one line; return False when it is lost: a full disk, a missing folder."""
        try:
            if self._descriptor is None:
                self._open()
            if self._size and self._size + len(line) > self._bytes_max:
                self._rotate()
            return self._write(line)
        except OSError:
            self.close()  # The next line tries again from the beginning.
            return False

    def close(self) -> None:
        """Close the file; the next line opens it again. Safe to call twice."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                os.close(descriptor)
            except OSError:  # A delayed write error; the line is lost like any other.
                return

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, flags, _PRIVATE)
        self._size = os.fstat(self._descriptor).st_size

    def _write(self, line: bytes) -> bool:
        if self._descriptor is None:
            return False
        # A line cut short by a full disk is ended first, so that the next one can be read.
        content = b"\n" + line if self._torn else line
        written = os.write(self._descriptor, content)
        self._size += written
        self._torn = written < len(content)
        return not self._torn

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
