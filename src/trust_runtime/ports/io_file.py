"""The file that says which drivers a runtime uses."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from trust_runtime.contracts.io import IoSource


class IoFound(Struct, frozen=True, kw_only=True):
    """What stands there now."""

    source: IoSource
    """Which file it is."""

    document: Mapping[str, Any] | None = None
    """Its content; None when there is no file, or when it is no TOML."""

    fault: str | None = None
    """Why it cannot be read as TOML."""


class IoFile(Protocol):
    """The project's own file and that of the machine.

    What is written is there whole or not at all; what stood there before is kept beside it.
    Any call may raise StoreFailed: nothing was changed. A change may raise NotDurable instead:
    it was made, and only a power failure may undo it.
    A change asks `may_begin`, from any thread, at the last moment before its first effect. When
    that says no it returns False, and nothing was changed.
    """

    async def read(self) -> IoFound:
        """Return the project's file, else that of the machine, else that there is none."""
        ...

    async def read_system(self) -> IoFound:
        """Return the file of the machine; source `default` when there is none."""
        ...

    async def write(self, text: str, *, may_begin: Callable[[], bool]) -> bool:
        """Replace the project's file; the former one becomes `io.toml.previous`."""
        ...

    async def remove(self, *, may_begin: Callable[[], bool]) -> bool:
        """Move the project's file to `io.toml.previous`; nothing happens when there is none."""
        ...
