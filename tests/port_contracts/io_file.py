"""What every `IoFile` must do."""

from typing import Protocol

import pytest

from trust_runtime.contracts.io import IoSource
from trust_runtime.ports.io_file import IoFile

LOOPBACK = '[io]\ndriver = "loopback"\n'
SIMULATED = '[io]\ndriver = "simulated"\n'


def yes() -> bool:
    """Let every change begin."""
    return True


class World(Protocol):
    """A project and a machine, whose files the test can put and look at."""

    @property
    def file(self) -> IoFile: ...

    def put(self, text: str | None, *, system: str | None = None) -> None:
        """Have these files, None: none."""

    def now(self) -> tuple[str | None, str | None]:
        """Return the project's file and the one kept beside it."""


@pytest.mark.anyio
class IoFileContract:
    @pytest.mark.parametrize(
        ("own", "system", "source", "driver"),
        [
            (LOOPBACK, SIMULATED, IoSource.PROJECT, "loopback"),
            (None, SIMULATED, IoSource.SYSTEM, "simulated"),
            (None, None, IoSource.DEFAULT, None),
        ],
    )
    async def test_the_projects_file_goes_before_that_of_the_machine(
        self,
        world: World,
        own: str | None,
        system: str | None,
        source: IoSource,
        driver: str | None,
    ) -> None:
        world.put(own, system=system)
        found = await world.file.read()
        assert (found.source, found.fault) == (source, None)
        assert found.document == (None if driver is None else {"io": {"driver": driver}})

    async def test_the_file_of_the_machine_is_read_by_itself(self, world: World) -> None:
        world.put(LOOPBACK, system=SIMULATED)
        found = await world.file.read_system()
        assert (found.source, found.document) == (
            IoSource.SYSTEM,
            {"io": {"driver": "simulated"}},
        )
        world.put(LOOPBACK)
        assert (await world.file.read_system()).source is IoSource.DEFAULT

    async def test_what_is_no_toml_says_so(self, world: World) -> None:
        world.put("[io")
        found = await world.file.read()
        assert (found.source, found.document) == (IoSource.PROJECT, None)
        assert "io.toml" in (found.fault or "")

    async def test_what_is_written_is_there_and_the_former_beside_it(self, world: World) -> None:
        world.put(None)
        await world.file.write(LOOPBACK, may_begin=yes)
        assert world.now() == (LOOPBACK, None)
        await world.file.write(SIMULATED, may_begin=yes)
        assert world.now() == (SIMULATED, LOOPBACK)
        await world.file.write(SIMULATED, may_begin=yes)
        assert world.now() == (SIMULATED, SIMULATED)

    async def test_what_is_removed_stays_beside(self, world: World) -> None:
        world.put(LOOPBACK)
        await world.file.remove(may_begin=yes)
        assert world.now() == (None, LOOPBACK)
        await world.file.remove(may_begin=yes)
        assert world.now() == (None, LOOPBACK)

    @pytest.mark.parametrize("before", [LOOPBACK, None])
    async def test_a_change_that_may_not_begin_changes_nothing(
        self, world: World, before: str | None
    ) -> None:
        world.put(before)
        assert not await world.file.write(SIMULATED, may_begin=lambda: False)
        assert not await world.file.remove(may_begin=lambda: False)
        assert world.now() == (before, None)
        assert await world.file.write(SIMULATED, may_begin=yes)
        assert await world.file.remove(may_begin=yes)
