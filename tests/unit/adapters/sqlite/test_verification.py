"""`adapters.sqlite.verification`: damage is found and, in the log, located."""
# ruff: noqa: ASYNC240 - small local files; nothing else runs on the loop

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from port_contracts.store_samples import draft
from trust_runtime.adapters.sqlite import open_store, verification
from trust_runtime.contracts.audit import AuditFilter, ChainReport
from trust_runtime.contracts.errors import StoreFailed
from unit.adapters.sqlite.filled import RECORDS, content, fill

pytestmark = pytest.mark.anyio

SAMPLES = 250
HEADER_BYTES = 100


async def verified(path: Path, *, read_only: bool = True) -> ChainReport:
    store = await open_store(path, read_only=read_only)
    report = await store.audit.verify()
    await store.close()
    return report


def tamper(path: Path, *statements: str) -> None:
    """Change the file as somebody would who can write it and knows SQLite."""
    # ruff: noqa: ASYNC240 - small local files; nothing else runs on the loop
    connection = sqlite3.connect(path, isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    kept = triggers.fetchall()
    for name, _ in kept:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in kept:
        connection.execute(sql)
    connection.close()


async def test_every_flipped_byte_is_found_or_without_effect(path: Path) -> None:
    await fill(path)
    whole = path.read_bytes()
    store = await open_store(path)
    expected = await content(store)
    await store.close()
    assert path.read_bytes() == whole  # Opening and closing change nothing.
    chance = random.Random(7)  # noqa: S311 - a sample, no secret
    offsets = [*range(16, HEADER_BYTES), *chance.sample(range(HEADER_BYTES, len(whole)), SAMPLES)]
    found = 0
    for offset in offsets:
        flipped = bytearray(whole)
        flipped[offset] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            store = await open_store(path)
        except StoreFailed:
            found += 1
            continue
        problem = (await store.audit.verify()).problem
        if problem is not None:
            found += 1
        else:
            assert await content(store) == expected, f"byte {offset}"
        await store.close()
    assert found > SAMPLES // 4


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_flipped_byte_in_a_record_is_located(path: Path, *, read_only: bool) -> None:
    await fill(path)
    whole = path.read_bytes()
    for number in (0, 17, RECORDS - 1):
        # The index has a copy of this text, so the record is told by the text around it.
        at = whole.index(f'"audit_id":"audit-{100 + number}"'.encode()) + 12
        path.write_bytes(whole[:at] + b"B" + whole[at + 1 :])
        try:
            report = await verified(path, read_only=read_only)
        except StoreFailed as error:
            assert f"audit record {number + 1}" in error.reason  # noqa: PT017 - either is right
        else:
            assert report.problem is not None
            assert report.problem.seq == number + 1
            assert report.head.seq == number


TAMPERED: list[tuple[str, int | None]] = [
    ("UPDATE audit SET record = replace(record, 'uid:1000', 'uid:1001') WHERE seq = 5", 5),
    ("UPDATE audit SET record = 'rubbish{' WHERE seq = 6", 6),
    ("UPDATE audit SET record = record || ' ' WHERE seq = 6", 6),
    ("DELETE FROM audit WHERE seq = 7", 7),
    ("UPDATE audit SET seq = 1000 WHERE seq = 8", 8),
    ("DELETE FROM open_decision WHERE audit_id = 'audit-w0'", RECORDS + 1),
    ("INSERT INTO open_decision VALUES ('audit-102', 3)", None),
    ("UPDATE ledger SET record = replace(record, 'aa', 'ab') WHERE request_id = 'r1'", None),
    ("UPDATE ledger SET state = 'running' WHERE request_id = 'r1'", None),
    ("UPDATE config_revision SET revision = 9 WHERE revision = 2", None),
    ("UPDATE config_revision SET record = replace(record, 'warn', 'info')", None),
    ("UPDATE peer SET runtime_id = 'press-77' WHERE runtime_id = 'press-2'", None),
    ("UPDATE fact SET record = '1' WHERE name = 'ledger_low_water_s'", None),
    ("UPDATE action_row SET record = replace(record, 'shutdown', 'x') || ' '", None),
    ("UPDATE action_row SET request_id = 'r-77' WHERE request_id = 'request-2'", None),
    ("UPDATE link SET record = replace(record, 'mesh', 'zenoh')", None),
    ("UPDATE link SET source = 'press-9' WHERE target = 'press-2'", None),
    ("INSERT INTO fact VALUES ('x', '1', '2')", None),
    ("CREATE TABLE more (x)", None),
    ("DROP INDEX audit_by_actor", None),
]


@pytest.mark.parametrize(("statement", "seq"), TAMPERED)
async def test_tampering_is_found(path: Path, statement: str, seq: int | None) -> None:
    await fill(path)
    if "rubbish" in statement:  # SQLite itself refuses to index what is no JSON.
        whole = path.read_bytes()
        at = whole.index(b'{"action_type"', whole.index(b'"audit_id":"audit-105"') - 80)
        path.write_bytes(whole[:at] + b"[" + whole[at + 1 :])
    else:
        tamper(path, "PRAGMA foreign_keys = OFF", statement)
    problem = (await verified(path)).problem
    assert problem is not None
    if seq is not None:
        assert problem.seq == seq


@pytest.mark.parametrize("pages_max", [0, 8_192], ids=["in pieces", "as a whole"])
async def test_an_index_that_lost_an_entry_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, pages_max: int
) -> None:
    monkeypatch.setattr(verification, "_WHOLE_PAGES_MAX", pages_max)
    await fill(path)
    whole = path.read_bytes()
    # The entry of record 3 in audit_by_request_id, not the text in the record itself. It stays
    # in order, so that all others are still found.
    at = next(
        i
        for i in range(len(whole))
        if whole.startswith(b"request-102", i) and whole[i - 1 : i] != b'"'
    )
    path.write_bytes(whole[:at] + b"request-101" + whole[at + 11 :])
    report = await verified(path, read_only=False)
    assert report.problem is not None
    assert report.problem.seq == 3
    assert "audit_by_request_id" in report.problem.detail


@pytest.mark.parametrize("pages_max", [0, 8_192], ids=["in pieces", "as a whole"])
async def test_a_log_of_several_chunks_is_verified_while_it_grows(
    path: Path, monkeypatch: pytest.MonkeyPatch, pages_max: int
) -> None:
    monkeypatch.setattr(verification, "_WHOLE_PAGES_MAX", pages_max)
    store = await open_store(path)
    await store.audit.append([draft(n) for n in range(1_300)])
    report = await store.audit.verify()
    assert (report.records, report.head, report.problem) == (1_300, store.audit.head(), None)
    await store.close()


async def test_start_verifies_the_newest_records_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_NEWEST", 10)
    await fill(path)
    shutil.copy(path, path.with_suffix(".copy"))
    tamper(path, "UPDATE audit SET record = replace(record, 'uid:1000', 'x') WHERE seq = 2")
    report = await verified(path, read_only=False)
    assert report.problem is not None
    assert report.problem.seq == 2
    shutil.copy(path.with_suffix(".copy"), path)
    tamper(path, "UPDATE audit SET record = replace(record, 'uid:1000', 'x') WHERE seq = 45")
    with pytest.raises(StoreFailed, match=r"audit record 45.*"):
        await open_store(path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"x" * 10_000), id="no database"),
        pytest.param(_truncate, id="cut"),
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
    ],
)
async def test_offline_verification_reports_a_file_that_cannot_be_opened(
    path: Path, spoil: Callable[[Path], object]
) -> None:
    await fill(path)
    spoil(path)
    store = await open_store(path, read_only=True)
    report = await store.audit.verify()
    assert report.problem is not None
    assert "state.db" in report.problem.detail or "malformed" in report.problem.detail
    with pytest.raises(StoreFailed):
        await store.audit.append([draft(1)])
    await store.close()


async def test_reading_offline_needs_no_sound_file(path: Path) -> None:
    await fill(path)
    tamper(path, "UPDATE audit SET record = replace(record, 'uid:1000', 'x') WHERE seq = 45")
    before = path.read_bytes()
    store = await open_store(path, read_only=True)
    assert len(await store.audit.list(AuditFilter(limit=1_000))) > RECORDS
    await store.close()
    assert path.read_bytes() == before
