"""Audit records inside a transaction: appended, found, listed."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from trust_runtime.adapters.sqlite.database import Access
from trust_runtime.adapters.sqlite.rows import audit_records, to_row
from trust_runtime.adapters.sqlite.schema import member_of
from trust_runtime.contracts.audit import (
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainHead,
    Phase,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.core.audit_chain import link

PAGE_ROWS: Final = 500
"""How many rows one job reads, so that nobody waits long behind it."""


def append_drafts(access: Access, drafts: Sequence[AuditDraft]) -> tuple[AuditRecord, ...]:
    """Append the drafts to the chain, in order.

    Raises:
        ContractViolation: the log already has a record of that audit id and phase.
    """
    records = []
    for draft in drafts:
        record = link(access.head, draft)
        _insert(access.connection, record)
        access.head = ChainHead(seq=record.seq, hash=record.hash)
        records.append(record)
    return tuple(records)


def _insert(connection: sqlite3.Connection, record: AuditRecord) -> None:
    try:
        connection.execute("INSERT INTO audit VALUES (?, ?)", (record.seq, to_row(record)))
    except sqlite3.IntegrityError as error:
        raise ContractViolation(
            "$.audit_id", record.audit_id, f"an audit id without a {record.phase} record"
        ) from error
    if record.phase is Phase.DECISION:
        values = (_indexed(record.audit_id), record.seq)
        connection.execute("INSERT INTO open_decision VALUES (?, ?)", values)
    elif record.phase is Phase.OUTCOME:
        closed = (_indexed(record.audit_id),)
        connection.execute("DELETE FROM open_decision WHERE audit_id = ?", closed)


def find_records(access: Access, audit_id: str) -> tuple[AuditRecord, ...]:
    """Return the records of one audit id, oldest first."""
    rows = access.connection.execute(
        "SELECT seq, record FROM audit INDEXED BY audit_by_audit_id"  # noqa: S608 - our own names
        f" WHERE {member_of('audit_id')} = ? ORDER BY seq",
        (_indexed(audit_id),),
    )
    found = audit_records(rows.fetchall())
    return tuple(record for record in found if record.audit_id == audit_id)


def open_decision_records(access: Access) -> tuple[AuditRecord, ...]:
    """Return the decisions that wait for their outcome, oldest first."""
    rows = access.connection.execute(
        "SELECT seq, record FROM audit WHERE seq IN (SELECT seq FROM open_decision) ORDER BY seq"
    )
    return audit_records(rows.fetchall())


def page(access: Access, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
    """Return the newest candidates before `before_seq`, found by the narrowest index.

    At most `PAGE_ROWS`, newest first. They match the member that the index is of; whether they
    match the rest is the caller's to check, page by page.
    """
    if wanted.request_id is not None:
        members, value = ["request_id"], wanted.request_id
    elif wanted.actor is not None:
        members, value = ["actor"], wanted.actor
    elif wanted.runtime is not None:
        members, value = ["origin", "target"], wanted.runtime
    else:
        members, value = [], ""
    before_seq = 2**62 if wanted.before_seq is None else wanted.before_seq
    found: dict[int, str] = {}
    for query in [_query(member) for member in members] or [_query(None)]:
        parameters = {"before": before_seq, "value": _indexed(value), "rows": PAGE_ROWS}
        found.update(access.connection.execute(query, parameters).fetchall())
    rows = sorted(found.items(), reverse=True)[:PAGE_ROWS]
    return audit_records(rows)


def matches(record: AuditRecord, wanted: AuditFilter) -> bool:
    """Tell whether a record is one of those asked for."""
    return (
        wanted.request_id in (None, record.request_id)
        and wanted.actor in (None, record.actor)
        and wanted.runtime in (None, record.origin, record.target)
    )


def _query(member: str | None) -> str:
    if member is None:
        return "SELECT seq, record FROM audit WHERE seq < :before ORDER BY seq DESC LIMIT :rows"
    return (
        f"SELECT seq, record FROM audit INDEXED BY audit_by_{member}"  # noqa: S608 - our own names
        f" WHERE {member_of(member)} = :value AND seq < :before ORDER BY seq DESC LIMIT :rows"
    )


def _indexed(text: str) -> str:
    """Return what json_extract gives for `text`: SQLite ends a JSON text at its first NUL."""
    return text.partition("\0")[0]
