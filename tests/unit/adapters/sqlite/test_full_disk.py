"""`adapters.sqlite` on a disk that is really full: nothing lost, nothing doubled."""

import asyncio
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from port_contracts.store_samples import draft
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.errors import StoreFailed

pytestmark = pytest.mark.anyio

DISK_BYTES = 4_000_000
ROOM_BYTES = 200_000


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path, None, None]:
    """Mount a small disk."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can mount a small disk to fill")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED: no small disk could be mounted: {mounted.stderr!r}")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def fill_up(ballast: Path) -> None:
    """Leave a little room on the disk."""
    disk = os.statvfs(ballast.parent)
    ballast.write_bytes(b"x" * (disk.f_bavail * disk.f_bsize - ROOM_BYTES))


async def append_each(store: SqliteStore, numbers: range) -> tuple[list[str], list[int]]:
    """Append all at once; return the acknowledged ids and the numbers that were refused."""
    calls = (store.audit.append([draft(number)]) for number in numbers)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    told, refused = [], []
    for number, answer in zip(numbers, answers, strict=True):
        if isinstance(answer, BaseException):
            assert isinstance(answer, StoreFailed)
            assert "full" in answer.reason
            refused.append(number)
        else:
            told.append(answer[0].audit_id)
    return told, refused


async def kept(store: SqliteStore) -> list[str]:
    ids: list[str] = []
    before: int | None = None
    while before != 1:
        page = await store.audit.list(AuditFilter(limit=1_000, before_seq=before))
        ids += [record.audit_id for record in page]
        before = page[-1].seq
    return ids


async def test_a_full_disk_loses_and_doubles_nothing(disk: Path) -> None:
    path = disk / "state.db"
    failures: list[StoreFailed] = []
    ballast = disk / "ballast"
    store = await open_store(path, on_failure=failures.append)
    told: list[str] = []
    number = 0
    for _ in range(3):
        fill_up(ballast)
        refused: list[int] = []
        while not refused:
            more, refused = await append_each(store, range(number, number + 20))
            told += more
            number += 20
        for _ in range(5):  # Less may still fit.
            more, too_much = await append_each(store, range(number, number + 4))
            told, refused = told + more, refused + too_much
            number += 4
        assert sorted(await kept(store)) == sorted(told)
        ballast.unlink()
        for again in refused:
            told += [record.audit_id for record in await store.audit.append([draft(again)])]
        await store.close()  # Brings the journal into the file, and so makes space.
        store = await open_store(path, on_failure=failures.append)
    assert sorted(await kept(store)) == sorted(told)
    assert len(told) == len(set(told))
    report = await store.audit.verify()
    assert (report.records, report.problem) == (len(told), None)
    assert failures == []
    await store.close()


async def test_no_space_for_a_new_file(disk: Path) -> None:
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 2 * DISK_BYTES)
    with pytest.raises(StoreFailed, match=r"full|No space"):
        await open_store(disk / "state.db")
    ballast.unlink()
    store = await open_store(disk / "state.db")
    await store.close()
