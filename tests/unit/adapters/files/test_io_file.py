"""`adapters.files.io_file`: replaced whole, the former kept; a fault changes nothing."""

import asyncio
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from port_contracts.io_file import LOOPBACK, SIMULATED, IoFileContract, yes
from trust_runtime.adapters.files.io_file import ProjectIoFile
from trust_runtime.contracts.errors import NotDurable, StoreFailed

pytestmark = pytest.mark.anyio


class DiskWorld:
    """See `port_contracts.io_file.World`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "project" / "io.toml"
        self.system = folder / "etc" / "io.toml"
        for path in (self.path, self.system):
            path.parent.mkdir()
        self.file = ProjectIoFile(self.path, self.system)

    @property
    def previous(self) -> Path:
        return self.path.with_name("io.toml.previous")

    def put(self, text: str | None, *, system: str | None = None) -> None:
        for path, content in ((self.path, text), (self.system, system)):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)

    def names(self) -> list[str]:
        """Return what is in the project's folder."""
        return sorted(path.name for path in self.path.parent.iterdir())

    def now(self) -> tuple[str | None, str | None]:
        own, before = (
            path.read_text() if path.exists() else None for path in (self.path, self.previous)
        )
        return own, before


@pytest.fixture
def world(tmp_path: Path) -> DiskWorld:
    return DiskWorld(tmp_path)


class TestProjectIoFile(IoFileContract):
    pass


@pytest.mark.parametrize("mode", [0o600, 0o640])
async def test_a_file_keeps_its_mode_and_a_new_one_is_private(world: DiskWorld, mode: int) -> None:
    await world.file.write(LOOPBACK, may_begin=yes)
    assert world.path.stat().st_mode & 0o777 == 0o600
    world.path.chmod(mode)
    await world.file.write(SIMULATED, may_begin=yes)
    assert world.path.stat().st_mode & 0o777 == mode
    assert world.previous.stat().st_mode & 0o777 == mode


async def test_nothing_else_is_left_in_the_folder(world: DiskWorld) -> None:
    for text in (LOOPBACK, SIMULATED):
        await world.file.write(text, may_begin=yes)
    assert sorted(path.name for path in world.path.parent.iterdir()) == [
        "io.toml",
        "io.toml.previous",
    ]


async def test_what_a_crash_left_is_in_nobodys_way(world: DiskWorld) -> None:
    world.path.with_name(f".io.toml.new-{os.getpid()}").write_text("half")
    await world.file.write(LOOPBACK, may_begin=yes)
    assert world.now() == (LOOPBACK, None)


async def test_a_write_that_fails_half_way_leaves_the_file(
    world: DiskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(LOOPBACK)
    real = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target == world.path:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreFailed, match="cannot be written: No space left"):
        await world.file.write(SIMULATED, may_begin=yes)
    monkeypatch.undo()
    assert world.now() == (LOOPBACK, LOOPBACK)
    assert sorted(path.name for path in world.path.parent.iterdir()) == [
        "io.toml",
        "io.toml.previous",
    ]


@pytest.mark.parametrize("does", ["written", "removed"])
async def test_a_folder_that_cannot_be_synced_is_told_with_what_has_happened(
    world: DiskWorld, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    world.put(LOOPBACK)
    real = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NotDurable, match=rf"io\.toml was {does}, but .*Input/output error") as told:
        await (
            world.file.write(SIMULATED, may_begin=yes)
            if does == "written"
            else world.file.remove(may_begin=yes)
        )
    assert "new request_id" in told.value.remedy
    assert world.now() == (SIMULATED if does == "written" else None, LOOPBACK)


async def test_whether_it_may_begin_is_asked_once_a_thread_is_free(world: DiskWorld) -> None:
    world.put(LOOPBACK)
    release, in_time = threading.Event(), True
    with ThreadPoolExecutor(1) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        busy = pool.submit(release.wait, 10)
        writing = asyncio.create_task(world.file.write(SIMULATED, may_begin=lambda: in_time))
        await asyncio.sleep(0)
        in_time = False
        release.set()
        assert not await writing
        assert busy.result()
    assert world.now() == (LOOPBACK, None)


async def test_a_folder_in_its_place_is_a_fault(world: DiskWorld) -> None:
    world.path.mkdir()
    assert "regular file" in ((await world.file.read()).fault or "")
    with pytest.raises(StoreFailed):
        await world.file.write(LOOPBACK, may_begin=yes)
