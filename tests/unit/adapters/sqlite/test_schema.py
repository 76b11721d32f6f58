import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from trust_runtime.adapters.sqlite import schema
from trust_runtime.adapters.sqlite.schema import (
    APPLICATION_ID,
    AUDIT_INDEXES,
    AUDIT_MEMBERS,
    SCHEMA_VERSION,
    create_schema,
    member_of,
    schema_problem,
)

RECORD = """{"audit_id": "audit-1", "phase": "decision", "request_id": "r-1", "actor": "erik",
"origin": "press-1", "target": "press-2"}"""


@pytest.fixture
def made() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_schema(connection)
        yield connection


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file_is_ours_and_without_a_problem(made: sqlite3.Connection) -> None:
    assert schema_problem(made) is None
    assert pragma(made, "application_id") == APPLICATION_ID == int.from_bytes(b"tRUS")
    assert pragma(made, "user_version") == SCHEMA_VERSION
    assert pragma(made, "auto_vacuum") == 0
    assert not made.in_transaction


def test_an_empty_file_misses_the_first_table() -> None:
    with closing(sqlite3.connect(":memory:")) as empty:
        assert schema_problem(empty) == "its schema is damaged at 'action_row'"


@pytest.mark.parametrize("name", sorted(schema._STATEMENTS))
def test_whatever_is_missing_is_named(made: sqlite3.Connection, name: str) -> None:
    kind, table = made.execute(
        "SELECT type, tbl_name FROM sqlite_schema WHERE name = ?", (name,)
    ).fetchone()
    # A dropped table takes its indexes and triggers along; the first one of them is named.
    gone = {
        row[0]
        for row in made.execute("SELECT name, tbl_name FROM sqlite_schema WHERE sql IS NOT NULL")
        if row[0] == name or (kind == "table" and row[1] == table)
    }
    made.execute("PRAGMA foreign_keys = OFF")
    made.execute(f"DROP {kind} {name}")

    assert schema_problem(made) == f"its schema is damaged at {min(gone)!r}"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE peer ADD COLUMN more TEXT", "peer"),
        ("ALTER TABLE fact RENAME COLUMN record TO content", "fact"),
        ("CREATE TABLE stranger (a)", "stranger"),
        ("CREATE VIEW aaa AS SELECT 1", "aaa"),
        ("CREATE INDEX zzz ON audit (record)", "zzz"),
        ("CREATE TRIGGER late BEFORE DELETE ON peer BEGIN SELECT 1; END", "late"),
    ],
)
def test_what_was_changed_or_added_is_named(
    made: sqlite3.Connection, change: str, named: str
) -> None:
    made.execute(change)

    assert schema_problem(made) == f"its schema is damaged at {named!r}"


def test_a_creation_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {**schema._STATEMENTS, "zzz": "CREATE TABLE"}
    monkeypatch.setattr(schema, "_STATEMENTS", broken)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            create_schema(connection)
        connection.execute("ROLLBACK")

        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        assert pragma(connection, "application_id") == 0


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET record = '{}'", "DELETE FROM audit", "REPLACE INTO audit"]
)
def test_audit_records_can_only_be_added(made: sqlite3.Connection, statement: str) -> None:
    made.execute("PRAGMA recursive_triggers = ON")
    made.execute("INSERT INTO audit VALUES (1, ?)", (RECORD,))
    if statement.startswith("REPLACE"):
        statement += " VALUES (1, '{}')"

    with pytest.raises(sqlite3.IntegrityError, match=r"audit records (never|are never)"):
        made.execute(statement)

    assert made.execute("SELECT record FROM audit").fetchall() == [(RECORD,)]


def test_one_audit_id_has_one_record_of_each_phase(made: sqlite3.Connection) -> None:
    made.execute("INSERT INTO audit VALUES (1, ?)", (RECORD,))
    made.execute("INSERT INTO audit VALUES (2, ?)", (RECORD.replace("decision", "outcome"),))

    with pytest.raises(sqlite3.IntegrityError, match="audit_by_audit_id"):
        made.execute("INSERT INTO audit VALUES (3, ?)", (RECORD,))


@pytest.mark.parametrize("member", ["audit_id", *AUDIT_MEMBERS])
def test_a_search_by_a_member_uses_its_index(made: sqlite3.Connection, member: str) -> None:
    plan = made.execute(
        f"EXPLAIN QUERY PLAN SELECT record FROM audit WHERE {member_of(member)} = ?",  # noqa: S608 - the members of our own schema
        ("x",),
    ).fetchall()

    assert f"audit_by_{member}" in AUDIT_INDEXES
    assert f"audit_by_{member} " in plan[0][3]
