"""`io.toml` in memory. Implements `ports.io_file.IoFile`."""

import tomllib
from typing import Any

from trust_runtime.contracts.errors import NotDurable, StoreFailed
from trust_runtime.contracts.io import IoSource
from trust_runtime.ports.io_file import IoFound

LOOPBACK = '[io]\ndriver = "loopback"\n'


class FakeIoFile:
    """The project's text and the machine's; None: no such file. `fails` refuses every change.

    `unsynced` lets every change happen and says that it is not durable.
    """

    def __init__(self, text: str | None = LOOPBACK, *, system: str | None = None) -> None:
        self.text = text
        self.system = system
        self.previous: str | None = None
        self.fails = False
        self.unsynced = False
        self.writes = 0

    async def read(self) -> IoFound:
        """See `IoFile.read`."""
        if self.text is None:
            return await self.read_system()
        return _found(self.text, IoSource.PROJECT)

    async def read_system(self) -> IoFound:
        """See `IoFile.read_system`."""
        if self.system is None:
            return IoFound(source=IoSource.DEFAULT)
        return _found(self.system, IoSource.SYSTEM)

    async def write(self, text: str) -> None:
        """See `IoFile.write`."""
        self._change()
        if self.text is not None:
            self.previous = self.text
        self.text = text
        self._sync()

    async def remove(self) -> None:
        """See `IoFile.remove`."""
        self._change()
        if self.text is not None:
            self.previous, self.text = self.text, None
            self._sync()

    def _change(self) -> None:
        if self.fails:
            raise StoreFailed("io.toml cannot be written: the disk is full", "free space")
        self.writes += 1

    def _sync(self) -> None:
        if self.unsynced:
            raise NotDurable("io.toml was changed, but cannot be synced", "check the disk")


def _found(text: str, source: IoSource) -> IoFound:
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return IoFound(source=source, fault=f"io.toml {error}")
    return IoFound(source=source, document=document)
