"""Is the file as it was written? Chain, indexes, seals, and the pages under them.

It goes through the file in short jobs, so that writers get their turn between them. SQLite's own
integrity check cannot be cut into pieces; on a live file above `_WHOLE_PAGES_MAX` the same is
found by looking every record up in every index and counting both sides.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from trust_runtime.adapters.sqlite.audit_rows import PAGE_ROWS
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.rows import (
    BOOT,
    LAST_BEAT,
    LOW_WATER,
    PAIRINGS,
    RowDamaged,
    SealedRow,
    audit_record,
    read_fact,
    sealed,
)
from trust_runtime.adapters.sqlite.schema import (
    AUDIT_INDEXES,
    AUDIT_MEMBERS,
    member_of,
    schema_problem,
)
from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditRecord,
    ChainHead,
    ChainProblem,
    ChainReport,
    Phase,
    WitnessedHead,
)
from trust_runtime.contracts.config import BootRecord, ConfigRevision
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerEntry
from trust_runtime.contracts.links import LinkPreference
from trust_runtime.contracts.pairing import PairedToken
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.core.audit_chain import verify_records

_WHOLE_PAGES_MAX: Final = 8_192
"""Up to this size (32 MiB) SQLite's check of the whole file is one short job."""

_NEWEST: Final = 10_000
"""How many records are verified at every start (contract 10.2)."""

_ROWS: Final = "SELECT seq, record FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"

_BY_AUDIT_ID: Final = (
    "SELECT count(*) FROM audit INDEXED BY audit_by_audit_id"  # noqa: S608 - our own names
    f" WHERE {member_of('audit_id')} = json_extract(:record, '$.audit_id')"
    f" AND {member_of('phase')} = "
)
_OUTCOME: Final = _BY_AUDIT_ID + "'outcome'"


def _by_member(name: str) -> str:
    return (
        f"SELECT count(*) FROM audit INDEXED BY audit_by_{name}"  # noqa: S608 - our own names
        f" WHERE {member_of(name)} IS json_extract(:record, '$.{name}') AND seq = :seq"
    )


_LOOK_UPS: Final = (
    ("audit_by_audit_id", _BY_AUDIT_ID + "json_extract(:record, '$.phase') AND seq = :seq"),
    *((f"audit_by_{name}", _by_member(name)) for name in AUDIT_MEMBERS),
)
_OPEN: Final = (
    "SELECT count(*) FROM open_decision"
    " WHERE seq = :seq AND audit_id = json_extract(:record, '$.audit_id')"
)
_LEDGER: Final = (
    "SELECT origin, request_id, state, created_at_ns, record, seal FROM ledger"
    " WHERE (origin, request_id) > (?, ?) ORDER BY origin, request_id LIMIT ?"
)

_ACTION_ROWS: Final = (
    "SELECT request_id, record, seal FROM action_row"
    " WHERE request_id > ? ORDER BY request_id LIMIT ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one job found."""

    head: ChainHead
    """Newest record that is intact."""
    problem: ChainProblem | None = None
    """The first damage."""
    done: bool = False
    """Whether all records have been seen."""


async def verify_store(database: Database) -> ChainReport:
    """Return whether everything in the file is as it was written."""
    head = EMPTY_CHAIN
    try:
        while True:
            part = await database.read(partial(_chain_part, head=head))
            head = part.head
            if part.problem is not None:
                return _report(head, part.problem)
            if part.done:
                break
        detail = await _ledger_problem(database) or await _action_row_problem(database)
        for check in _checks_of_the_rest():
            detail = detail or await database.read(partial(_guarded, check=check))
        if detail is not None:
            return _report(head, ChainProblem(seq=None, detail=detail))
    except StoreFailed as error:
        return _report(head, ChainProblem(seq=None, detail=error.reason))
    return _report(head, None)


def verify_newest(access: Access) -> ChainHead:
    """Return the head of the chain, its newest 10 000 records verified.

    Raises:
        RowDamaged: one of them is not as it was written.
    """
    connection = access.connection
    (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
    head = EMPTY_CHAIN
    if newest > _NEWEST:
        first = audit_record(connection.execute(_ROWS, (newest - _NEWEST - 1, 1)).fetchone())
        head = ChainHead(seq=first.seq, hash=first.hash)
    while True:
        rows = connection.execute(_ROWS, (head.seq, PAGE_ROWS)).fetchall()
        if not rows:
            break
        head, problem = verify_records(head, (audit_record(row) for row in rows))
        if problem is not None:
            raise RowDamaged(f"audit record {problem.seq}: {problem.detail}")
    if head.seq != newest:
        raise RowDamaged(f"audit records end at {head.seq}, not at {newest}")
    return head


def _report(head: ChainHead, problem: ChainProblem | None) -> ChainReport:
    # The store does not know whose it is; the service fills in the id.
    return ChainReport(runtime_id="", records=head.seq, head=head, problem=problem)


def _chain_part(access: Access, head: ChainHead) -> _Part:
    """Verify the records after `head` and their index entries, as they stand in the file."""
    connection = access.connection
    try:
        connection.execute("PRAGMA shrink_memory")
        rows = connection.execute(_ROWS, (head.seq, PAGE_ROWS)).fetchall()
        intact: list[AuditRecord] = []
        problem = _first_unreadable(rows, intact)
        head, broken = verify_records(head, intact)
        problem = broken or problem
        for row, record in zip(rows, intact, strict=False):
            if problem is not None and record.seq >= (problem.seq or 0):
                break
            _require_indexed(connection, row, record)
    except RowDamaged as error:
        return _Part(head=head, problem=ChainProblem(seq=None, detail=str(error)))
    except _IndexDamaged as error:
        return _Part(head=head, problem=ChainProblem(seq=error.seq, detail=str(error)))
    except (sqlite3.DatabaseError, UnicodeError) as error:
        detail = f"the records after {head.seq} cannot be read ({error})"
        return _Part(head=head, problem=ChainProblem(seq=head.seq + 1, detail=detail))
    if problem is None and not rows and head.seq < access.head.seq:
        lost = f"the log ends here; record {access.head.seq} was the newest"
        problem = ChainProblem(seq=head.seq + 1, detail=lost)
    return _Part(head=head, problem=problem, done=not rows)


class _IndexDamaged(Exception):
    """A record and an index do not agree."""

    def __init__(self, seq: int, detail: str) -> None:
        super().__init__(detail)
        self.seq = seq


def _first_unreadable(
    rows: list[tuple[int, str]], intact: list[AuditRecord]
) -> ChainProblem | None:
    """Put the readable records before the first bad one into `intact`."""
    for row in rows:
        try:
            intact.append(audit_record(row))
        except RowDamaged as error:
            due = intact[-1].seq + 1 if intact else row[0]
            return ChainProblem(seq=min(due, row[0]), detail=str(error))
    return None


def _require_indexed(
    connection: sqlite3.Connection, row: tuple[int, str], record: AuditRecord
) -> None:
    named = {"seq": row[0], "record": row[1]}
    for index, query in _LOOK_UPS:
        if connection.execute(query, named).fetchone() != (1,):
            raise _IndexDamaged(row[0], f"index {index} does not lead to record {row[0]}")
    if record.phase is Phase.DECISION:
        (outcomes,) = connection.execute(_OUTCOME, named).fetchone()
        (waiting,) = connection.execute(_OPEN, named).fetchone()
        if outcomes + waiting != 1:
            raise _IndexDamaged(row[0], f"decision {row[0]} is neither open nor closed")


_Check = Callable[[Access], str | None]


def _checks_of_the_rest() -> Iterator[_Check]:
    """Yield what follows the chain: each returns what is wrong, or None."""
    yield lambda access: schema_problem(access.connection)
    for index in (*AUDIT_INDEXES, "ledger_by_age", "action_row_by_age"):
        yield partial(_count_problem, index=index)
    yield _open_problem
    yield _fact_problem
    for table in _KINDS:
        yield partial(_seal_problem, table=table)
    yield _whole_problem


def _guarded(access: Access, check: _Check) -> str | None:
    try:
        access.connection.execute("PRAGMA shrink_memory")
        return check(access)
    except (sqlite3.DatabaseError, RowDamaged, UnicodeError) as error:
        return str(error)


def _count_problem(access: Access, index: str) -> str | None:
    table = index.partition("_by_")[0]
    queries = (
        f"SELECT count(*) FROM {table} INDEXED BY {index}",  # noqa: S608 - our own names
        f"SELECT count(*) FROM {table} NOT INDEXED",  # noqa: S608 - our own name
    )
    entries, rows = (access.connection.execute(query).fetchone()[0] for query in queries)
    return None if entries == rows else f"index {index} has {entries} entries for {rows} rows"


def _open_problem(access: Access) -> str | None:
    row = access.connection.execute(
        "SELECT seq FROM open_decision WHERE NOT EXISTS (SELECT 1 FROM audit"  # noqa: S608 - our own names
        " WHERE audit.seq = open_decision.seq"
        f" AND {member_of('phase')} = 'decision'"
        f" AND {member_of('audit_id')} = open_decision.audit_id)"
    ).fetchone()
    return None if row is None else f"open_decision names record {row[0]}, which is none"


def _fact_problem(access: Access) -> str | None:
    read_fact(access.connection, BOOT, BootRecord)
    read_fact(access.connection, LOW_WATER, int)
    rows = access.connection.execute("SELECT name FROM fact ORDER BY name").fetchall()
    read_fact(access.connection, LAST_BEAT, int)
    read_fact(access.connection, PAIRINGS, tuple[PairedToken, ...])
    unknown = [name for (name,) in rows if name not in {BOOT, LOW_WATER, LAST_BEAT, PAIRINGS}]
    return f"table 'fact' holds {unknown[0]!r}" if unknown else None


def _seal_problem(access: Access, table: str) -> str | None:
    """A few thousand rows a table (contract 1.6), one job each."""
    key, kind = _KINDS[table]
    query = f"SELECT {key}, record, seal FROM {table}"  # noqa: S608 - our own names
    for value, *row in access.connection.execute(query):
        record = sealed(table, _sealed_row(row), kind)
        if getattr(record, key) != value:
            return f"{table} {value!r} stands in the wrong place"
    return None


_KINDS: Final[dict[str, tuple[str, type[Any]]]] = {
    "config_revision": ("revision", ConfigRevision),
    "peer": ("runtime_id", PeerRecord),
    "witnessed_head": ("runtime_id", WitnessedHead),
    "link": ("source", LinkPreference),
}


async def _ledger_problem(database: Database) -> str | None:
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        after, detail = await database.read(partial(_ledger_part, after=after))
        if detail is not None:
            return detail
    return None


def _ledger_part(
    access: Access, after: tuple[str, str]
) -> tuple[tuple[str, str] | None, str | None]:
    """Return the key to go on from, None at the end, and what is wrong before it."""
    key: tuple[str, str] | None = None
    try:
        for *columns, text, digest in access.connection.execute(_LEDGER, (*after, PAGE_ROWS)):
            entry = sealed("ledger", (text, digest), LedgerEntry)
            key = (entry.key.origin, entry.key.request_id)
            if columns != [*key, entry.state.value, entry.created_at_ns]:
                return None, f"ledger entry of request {key[1]!r} stands in the wrong place"
    except (sqlite3.DatabaseError, RowDamaged, UnicodeError) as error:
        return None, str(error)
    return key, None


async def _action_row_problem(database: Database) -> str | None:
    after: str | None = ""
    while after is not None:
        after, detail = await database.read(partial(_action_row_part, after=after))
        if detail is not None:
            return detail
    return None


def _action_row_part(access: Access, after: str) -> tuple[str | None, str | None]:
    """Return the key to go on from, None at the end, and what is wrong before it."""
    key: str | None = None
    try:
        for name, *row in access.connection.execute(_ACTION_ROWS, (after, PAGE_ROWS)):
            key = sealed("action_row", _sealed_row(row), KeptRow).request_id
            if key != name:
                return None, f"action row of request {key!r} stands in the wrong place"
    except (sqlite3.DatabaseError, RowDamaged, UnicodeError) as error:
        return None, str(error)
    return key, None


def _sealed_row(row: list[Any]) -> SealedRow:
    return (row[0], row[1])


def _whole_problem(access: Access) -> str | None:
    connection = access.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (reading,) = connection.execute("PRAGMA query_only").fetchone()
    if pages > _WHOLE_PAGES_MAX and not reading:
        return None
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return None if verdict == "ok" else f"integrity_check: {verdict}"
