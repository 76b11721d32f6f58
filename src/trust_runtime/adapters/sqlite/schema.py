"""The tables of `state.db`, version 1.

Every statement stands here exactly as SQLite keeps it in `sqlite_schema`, so that a file whose
schema was changed, by hand or by a broken disk, is told from one that we made.
"""

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x74525553
"""`tRUS` in the file's header."""

SCHEMA_VERSION: Final = 1
"""`user_version` in the file's header."""

AUDIT_MEMBERS: Final = ("request_id", "actor", "origin", "target")
"""Members of a record that have an index `audit_by_MEMBER`, besides `audit_id`."""

AUDIT_INDEXES: Final = ("audit_by_audit_id", *(f"audit_by_{name}" for name in AUDIT_MEMBERS))


def member_of(name: str) -> str:
    """Return the SQL expression of a record's member, letter for letter as in its index."""
    return f"json_extract(record, '$.{name}')"


def _audit_index(name: str) -> str:
    return f"CREATE INDEX audit_by_{name} ON audit ({member_of(name)})"


_STATEMENTS: Final[dict[str, str]] = {
    # Indexes over expressions: no column repeats a record, and integrity_check compares both.
    "audit": "CREATE TABLE audit (seq INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT",
    "audit_by_audit_id": (
        "CREATE UNIQUE INDEX audit_by_audit_id"
        f" ON audit ({member_of('audit_id')}, {member_of('phase')})"
    ),
    **{f"audit_by_{name}": _audit_index(name) for name in AUDIT_MEMBERS},
    "audit_no_update": (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'audit records never change'); END"
    ),
    "audit_no_delete": (
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END"
    ),
    # Decisions that still wait for their outcome: a few, however long the log is.
    "open_decision": (
        "CREATE TABLE open_decision (audit_id TEXT PRIMARY KEY, seq INTEGER NOT NULL"
        " REFERENCES audit (seq)) STRICT, WITHOUT ROWID"
    ),
    "ledger": (
        "CREATE TABLE ledger (origin TEXT NOT NULL, request_id TEXT NOT NULL, state TEXT NOT NULL,"
        " created_at_ns INTEGER NOT NULL, record TEXT NOT NULL, seal TEXT NOT NULL,"
        " PRIMARY KEY (origin, request_id)) STRICT, WITHOUT ROWID"
    ),
    "ledger_by_age": "CREATE INDEX ledger_by_age ON ledger (created_at_ns)",
    "ledger_running": "CREATE INDEX ledger_running ON ledger (state) WHERE state = 'running'",
    "config_revision": (
        "CREATE TABLE config_revision (revision INTEGER PRIMARY KEY, record TEXT NOT NULL,"
        " seal TEXT NOT NULL) STRICT"
    ),
    "peer": (
        "CREATE TABLE peer (runtime_id TEXT PRIMARY KEY, record TEXT NOT NULL,"
        " seal TEXT NOT NULL) STRICT, WITHOUT ROWID"
    ),
    "timeline": (
        "CREATE TABLE timeline (seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE,"
        " timestamp_ns INTEGER NOT NULL, category TEXT NOT NULL, runtime_id TEXT NOT NULL,"
        " record TEXT NOT NULL, seal TEXT NOT NULL) STRICT"
    ),
    "timeline_by_time": "CREATE INDEX timeline_by_time ON timeline (timestamp_ns)",
    "state_history": (
        "CREATE TABLE state_history (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL,"
        " is_whole INTEGER NOT NULL, record TEXT NOT NULL, seal TEXT NOT NULL) STRICT"
    ),
    "state_history_by_time": "CREATE INDEX state_history_by_time ON state_history (at_ns)",
    "state_history_whole": (
        "CREATE INDEX state_history_whole ON state_history (at_ns) WHERE is_whole = 1"
    ),
    "witnessed_head": (
        "CREATE TABLE witnessed_head (runtime_id TEXT NOT NULL, hour INTEGER NOT NULL,"
        " record TEXT NOT NULL, seal TEXT NOT NULL, PRIMARY KEY (runtime_id, hour))"
        " STRICT, WITHOUT ROWID"
    ),
    "action_row": (
        "CREATE TABLE action_row (request_id TEXT PRIMARY KEY, is_open INTEGER NOT NULL,"
        " created_at_ns INTEGER NOT NULL, bytes INTEGER NOT NULL, record TEXT NOT NULL,"
        " seal TEXT NOT NULL) STRICT, WITHOUT ROWID"
    ),
    "action_row_by_age": (
        "CREATE INDEX action_row_by_age ON action_row (created_at_ns, request_id, bytes)"
    ),
    "action_row_open": (
        "CREATE INDEX action_row_open ON action_row (created_at_ns, request_id) WHERE is_open = 1"
    ),
    "link": (
        "CREATE TABLE link (source TEXT NOT NULL, target TEXT NOT NULL, record TEXT NOT NULL,"
        " seal TEXT NOT NULL, PRIMARY KEY (source, target)) STRICT, WITHOUT ROWID"
    ),
    "fact": (
        "CREATE TABLE fact (name TEXT PRIMARY KEY, record TEXT NOT NULL, seal TEXT NOT NULL)"
        " STRICT, WITHOUT ROWID"
    ),
}


def create_schema(connection: sqlite3.Connection) -> None:
    """Make all tables in an empty file, in one transaction."""
    connection.execute("PRAGMA auto_vacuum = NONE")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _STATEMENTS.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def schema_problem(connection: sqlite3.Connection) -> str | None:
    """Return what is wrong with the tables of an opened file, or None."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    found = dict(rows.fetchall())
    for name in sorted(_STATEMENTS.keys() | found.keys()):
        if found.get(name) != _STATEMENTS.get(name):
            return f"its schema is damaged at {name!r}"
    return None
