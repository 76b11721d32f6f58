"""Rows of JSON and what guards them: audit records by their chain, all others by a seal."""

import sqlite3
from collections.abc import Iterable
from typing import Final, TypeVar

from trust_runtime.contracts.audit import EMPTY_CHAIN, AuditRecord, ChainHead
from trust_runtime.contracts.codec import canonical_json, decode_json, sha256_hex
from trust_runtime.contracts.errors import ContractViolation

T = TypeVar("T")

AuditRow = tuple[int, str]
"""`seq` and the record's JSON."""

SealedRow = tuple[str, str]
"""The record's JSON and its seal."""

BOOT: Final = "boot"
LOW_WATER: Final = "ledger_low_water_s"
LAST_BEAT: Final = "last_beat_ns"
PAIRINGS: Final = "pairings"
LAST_ROW: Final = "SELECT seq, record FROM audit ORDER BY seq DESC LIMIT 1"


class RowDamaged(Exception):
    """A stored row is not as it was written."""


def to_row(value: object) -> str:
    """Return the JSON that is stored."""
    return canonical_json(value).decode()


def audit_record(row: AuditRow) -> AuditRecord:
    """Return a stored audit record.

    Raises:
        RowDamaged: it is not what was written, as far as one record alone can show.
    """
    seq, text = row
    try:
        record = decode_json(text.encode(), AuditRecord)
    except (ContractViolation, UnicodeEncodeError, AttributeError) as error:
        raise RowDamaged(f"audit record {seq} cannot be read") from error
    if record.seq != seq or to_row(record) != text:
        raise RowDamaged(f"audit record {seq} is not as it was written")
    return record


def seal(table: str, text: str) -> str:
    """Return the digest stored with a row; the record holds the row's key, so it covers both."""
    return sha256_hex(f"{table}\n{text}".encode())


def sealed(table: str, row: SealedRow, kind: type[T]) -> T:
    """Return the record of a sealed row.

    Raises:
        RowDamaged: record or seal changed.
    """
    text, digest = row
    try:
        if seal(table, text) != digest:
            raise RowDamaged(f"a row of {table!r} is not as it was written")
        return decode_json(text.encode(), kind)
    except (ContractViolation, UnicodeEncodeError, AttributeError) as error:
        raise RowDamaged(f"a row of {table!r} cannot be read") from error


def read_fact(connection: sqlite3.Connection, name: str, kind: type[T]) -> T | None:
    """Return one of the single values, or None."""
    query = "SELECT record, seal FROM fact WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    return None if row is None else sealed(f"fact {name}", row, kind)


def write_fact(connection: sqlite3.Connection, name: str, value: object) -> None:
    """Keep one of the single values."""
    text = to_row(value)
    connection.execute(
        "INSERT INTO fact VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET record = excluded.record, seal = excluded.seal",
        (name, text, seal(f"fact {name}", text)),
    )


def read_head(connection: sqlite3.Connection) -> ChainHead:
    """Return the newest record's place, as the file has it."""
    row = connection.execute(LAST_ROW).fetchone()
    if row is None:
        return EMPTY_CHAIN
    record = audit_record(row)
    return ChainHead(seq=record.seq, hash=record.hash)


def audit_records(rows: Iterable[AuditRow]) -> tuple[AuditRecord, ...]:
    """Return stored records in the order of `rows`."""
    return tuple(audit_record(row) for row in rows)
