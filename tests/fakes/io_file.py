"""`io.toml` in memory. Implements `ports.io_file.IoFile`."""

import tomllib
from collections.abc import Callable
from typing import Any

from trust_runtime.contracts.errors import NotDurable, StoreFailed
from trust_runtime.contracts.io import IoSource
from trust_runtime.ports.io_file import IoFound
from virtual_time import wait_ms

LOOPBACK = '[io]\ndriver = "loopback"\n'


class FakeIoFile:
    """The project's text and the machine's; None: no such file. `fails` refuses every change.

    `unsynced` lets every change happen and says that it is not durable. `waits_ms` is how long a
    change waits for a thread.
    """

    def __init__(self, text: str | None = LOOPBACK, *, system: str | None = None) -> None:
        self.text = text
        self.system = system
        self.previous: str | None = None
        self.fails = False
        self.unsynced = False
        self.waits_ms = 0
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

    async def write(self, text: str, *, may_begin: Callable[[], bool]) -> bool:
        """See `IoFile.write`."""
        await wait_ms(self.waits_ms)
        if not may_begin():
            return False
        self._change()
        if self.text is not None:
            self.previous = self.text
        self.text = text
        self._sync()
        return True

    async def remove(self, *, may_begin: Callable[[], bool]) -> bool:
        """See `IoFile.remove`."""
        await wait_ms(self.waits_ms)
        if not may_begin():
            return False
        self._change()
        if self.text is not None:
            self.previous, self.text = self.text, None
            self._sync()
        return True

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
