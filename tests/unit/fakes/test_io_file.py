"""The file in memory keeps what `ports.io_file` promises, as the one on disk does."""

import pytest

from fakes.io_file import FakeIoFile
from port_contracts.io_file import IoFileContract


class MemoryWorld:
    """See `port_contracts.io_file.World`."""

    def __init__(self) -> None:
        self.file = FakeIoFile(None)

    def put(self, text: str | None, *, system: str | None = None) -> None:
        self.file = FakeIoFile(text, system=system)

    def now(self) -> tuple[str | None, str | None]:
        return self.file.text, self.file.previous


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestFakeIoFile(IoFileContract):
    pass
