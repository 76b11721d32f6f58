"""Ledger entries inside a transaction."""

import sqlite3
from typing import Final

from trust_runtime.adapters.sqlite.database import Access
from trust_runtime.adapters.sqlite.rows import (
    LOW_WATER,
    read_fact,
    seal,
    sealed,
    to_row,
    write_fact,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState
from trust_runtime.contracts.units import NS_PER_S

_KEPT_ANYWAY_NS: Final = 24 * 3_600 * NS_PER_S
_RUNNING: Final = (
    "SELECT record, seal FROM ledger INDEXED BY ledger_running WHERE state = 'running'"
)


def find_entry(access: Access, key: LedgerKey) -> LedgerEntry | None:
    """Return what is remembered under `key`."""
    row = access.connection.execute(
        "SELECT record, seal FROM ledger WHERE origin = ? AND request_id = ?",
        (key.origin, key.request_id),
    ).fetchone()
    return None if row is None else sealed("ledger", row, LedgerEntry)


def running_entries(access: Access) -> tuple[LedgerEntry, ...]:
    """Return every entry without a result."""
    rows = access.connection.execute(_RUNNING).fetchall()
    return tuple(sealed("ledger", row, LedgerEntry) for row in rows)


def insert_entry(access: Access, entry: LedgerEntry) -> None:
    """Remember a new entry.

    Raises:
        ContractViolation: its key is taken.
    """
    text = to_row(entry)
    key = entry.key
    columns = (key.origin, key.request_id, entry.state.value, entry.created_at_ns)
    try:
        access.connection.execute(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?)", (*columns, text, seal("ledger", text))
        )
    except sqlite3.IntegrityError as error:
        allowed = f"a request_id that {key.origin} has not used before"
        raise ContractViolation("$.request_id", key.request_id, allowed) from error


def replace_entry(access: Access, entry: LedgerEntry) -> None:
    """Remember an entry's new state."""
    text = to_row(entry)
    access.connection.execute(
        "UPDATE ledger SET state = ?, record = ?, seal = ? WHERE origin = ? AND request_id = ?",
        (
            entry.state.value,
            text,
            seal("ledger", text),
            entry.key.origin,
            entry.key.request_id,
        ),
    )


def low_water_s(access: Access) -> int:
    """Return the `iat` below which entries were pruned."""
    return read_fact(access.connection, LOW_WATER, int) or 0


def prune_some(access: Access, *, created_before_ns: int, entries_max: int, rows_max: int) -> int:
    """Forget the oldest entries that may go, at most `rows_max`; return how many went.

    An entry is judged by its age first. By number, only those go that are 24 h older than the
    newest one, and so at least that old whatever the clock says now.
    """
    connection = access.connection
    count, newest_ns = connection.execute(
        "SELECT count(*), max(created_at_ns) FROM ledger INDEXED BY ledger_by_age"
    ).fetchone()
    if not count:
        return 0
    rows = connection.execute(
        "SELECT record, seal FROM ledger INDEXED BY ledger_by_age"
        " WHERE created_at_ns < :before OR created_at_ns <= :old AND :surplus > 0"
        " ORDER BY created_at_ns",
        {
            "before": created_before_ns,
            "old": newest_ns - _KEPT_ANYWAY_NS,
            "surplus": count - entries_max,
        },
    )
    going: list[LedgerEntry] = []
    for row in rows:
        entry = sealed("ledger", row, LedgerEntry)
        surplus = count - len(going) > entries_max
        if len(going) == rows_max or not (entry.created_at_ns < created_before_ns or surplus):
            break
        if entry.state is LedgerState.DONE:
            going.append(entry)
    rows.close()
    _forget(access, going)
    return len(going)


def _forget(access: Access, going: list[LedgerEntry]) -> None:
    if not going:
        return
    access.connection.executemany(
        "DELETE FROM ledger WHERE origin = ? AND request_id = ?",
        [(entry.key.origin, entry.key.request_id) for entry in going],
    )
    # One above the youngest that went: what was issued in the same second may be among them.
    raised = max(low_water_s(access), *(entry.iat_s + 1 for entry in going))
    write_fact(access.connection, LOW_WATER, raised)
