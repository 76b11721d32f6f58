"""`adapters.sqlite.state_file`: made whole, refused when damaged, moved aside by order only."""
# ruff: noqa: ASYNC240 - small local files; nothing else runs on the loop

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from port_contracts.store_samples import draft
from trust_runtime.adapters.sqlite import open_store, reset_state, state_file
from trust_runtime.contracts.errors import StoreFailed
from unit.adapters.sqlite.filled import fill

pytestmark = pytest.mark.anyio


async def test_the_file_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        store = await open_store(path)
        await store.audit.append([draft(1)])
        modes = {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()}
        await store.close()
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600}


async def test_a_file_that_others_can_read_is_made_private(path: Path) -> None:
    await fill(path)
    path.chmod(0o644)
    store = await open_store(path)
    assert path.stat().st_mode & 0o777 == 0o600
    await store.close()


async def test_settings_of_the_connection(path: Path) -> None:
    store = await open_store(path)

    def setting(name: str) -> Callable[..., object]:
        return lambda access: access.connection.execute(f"PRAGMA {name}").fetchone()[0]

    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "exclusive",
        "foreign_keys": 1,
        "user_version": 1,
        "application_id": 0x74525553,
        "auto_vacuum": 0,
    }
    assert {name: await store.database.read(setting(name)) for name in wanted} == wanted
    await store.close()


async def test_a_start_that_was_cut_short_leaves_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr(state_file, "create_schema", die)
        with pytest.raises(StoreFailed):
            await open_store(path)
    assert not path.exists()
    store = await open_store(path)
    await store.close()
    assert [p.name for p in path.parent.iterdir()] == ["state.db"]


async def test_nothing_is_kept_while_the_journals_name_may_be_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(path)
    journal = path.with_name("state.db-wal")
    assert not journal.exists()

    def fail(folder: Path) -> None:
        assert (folder, journal.exists()) == (path.parent, True)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(state_file, "_sync_folder", fail)
        with pytest.raises(StoreFailed, match="cannot be opened"):
            await open_store(path)
    store = await open_store(path)
    await store.close()


async def test_a_second_process_is_refused(path: Path) -> None:
    store = await open_store(path)
    await store.audit.append([draft(1)])
    with pytest.raises(StoreFailed, match="in use"):
        await open_store(path)
    await store.close()


async def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="cannot be opened"):
        await open_store(tmp_path / "none" / "state.db")


def overwrite(at: int, content: bytes) -> Callable[[Path], object]:
    def spoil(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(content)

    return spoil


SPOILED = [
    pytest.param(lambda path: path.write_bytes(b""), "damaged", id="empty"),
    pytest.param(lambda path: path.write_bytes(b"x" * 9_999), "damaged", id="no database"),
    pytest.param(lambda path: os.truncate(path, 9_000), "damaged", id="cut"),
    pytest.param(overwrite(4_096, b"\xff" * 64), "damaged", id="a page"),
    pytest.param(overwrite(18, b"\1\1"), "damaged", id="no journal"),
    pytest.param(overwrite(60, b"\0\0\0\2"), "format 2", id="newer"),
    pytest.param(overwrite(68, b"\0\0\0\0"), "damaged", id="another product"),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILED)
async def test_a_bad_file_is_refused_and_left_as_it_is(
    path: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    await fill(path)
    spoil(path)
    before = path.read_bytes()
    told: list[StoreFailed] = []
    with pytest.raises(StoreFailed, match=reason) as raised:
        await open_store(path, on_failure=told.append)
    assert str(path) in raised.value.reason
    project = path.parent.parent
    assert f"trust-runtime run --project {project} --reset-state" in raised.value.remedy
    assert told == []
    assert path.read_bytes() == before


async def test_a_journal_without_its_file_is_refused(path: Path) -> None:
    journal = path.with_name("state.db-wal")
    journal.write_bytes(b"records")
    with pytest.raises(StoreFailed, match="gone"):
        await open_store(path)
    assert journal.read_bytes() == b"records"
    assert not path.exists()


async def test_reset_moves_everything_aside(path: Path) -> None:
    await fill(path)
    content = path.read_bytes()
    path.with_name("state.db-wal").write_bytes(b"journal")
    aside = reset_state(path)
    assert aside.name.startswith("state.db.damaged-2")
    assert aside.read_bytes() == content
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"journal"
    store = await open_store(path)
    assert store.audit.head().seq == 0
    await store.close()
    assert reset_state(path) != aside


def test_reset_of_nothing(path: Path) -> None:
    with pytest.raises(StoreFailed, match="does not exist"):
        reset_state(path)


def test_reset_of_a_journal_alone(path: Path) -> None:
    path.with_name("state.db-wal").write_bytes(b"journal")
    aside = reset_state(path)
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"journal"
    assert not path.with_name("state.db-wal").exists()
