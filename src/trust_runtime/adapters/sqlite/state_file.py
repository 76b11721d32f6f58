"""The file under the store: made whole or not at all, judged before use, never replaced."""

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from trust_runtime.adapters.sqlite.schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    create_schema,
    schema_problem,
)
from trust_runtime.contracts.errors import StoreFailed

_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_WAL: Final = 2
_COMPANIONS: Final = ("-wal", "-shm")


def open_file(path: Path) -> sqlite3.Connection:
    """Return the one connection to the state file, in exclusive mode; make it when missing.

    Raises:
        StoreFailed: the file is damaged, of a newer version, in use, or cannot be made.
    """
    try:
        if not path.exists():
            _create(path)
        _require_header(path)
        path.chmod(0o600)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            _prepare(connection, path)
            # The journal has its name now. SQLite syncs that too, but goes on when it fails.
            _sync_folder(path.parent)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise opening_fault(path, error) from error
    except OSError as error:
        raise StoreFailed(
            f"{path} cannot be opened ({error.strerror})", "check the disk and who owns the file"
        ) from error
    return connection


def open_file_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that reads the file as it is, damaged or not; nobody else may use it.

    Raises:
        StoreFailed: it is no state file that this version reads, or cannot be opened.
    """
    try:
        _require_header(path)
        journal = path.with_name(path.name + "-wal")
        # Without a journal nothing has to be recovered, and nothing on the disk is touched.
        whole = not journal.exists() or journal.stat().st_size == 0
        mode = "immutable=1" if whole else "mode=rw"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0, isolation_level=None
        )
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise opening_fault(path, error) from error
    except OSError as error:
        raise StoreFailed(
            f"{path} cannot be read ({error.strerror})", "check that the project is the right one"
        ) from error
    return connection


def reset_state(path: Path) -> Path:
    """Move a state file aside with all it holds, so that the next start makes a new one.

    Returns where it is now: `state.db.damaged-STAMP`, its journal beside it.

    Raises:
        StoreFailed: there is no such file, or it cannot be moved.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    present = [s for s in ("", *_COMPANIONS) if path.with_name(path.name + s).exists()]
    if not present:
        raise StoreFailed(f"{path} does not exist", "nothing has to be moved aside")
    try:
        # Cut short, this leaves a journal alone, which the next start refuses: nothing is lost.
        for suffix in present:
            source = path.with_name(path.name + suffix)
            source.rename(aside.with_name(aside.name + suffix))
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreFailed(
            f"{path} cannot be moved aside ({error.strerror})", "check the folder's owner and disk"
        ) from error
    return aside


def repair_remedy(path: Path) -> str:
    """Return what the operator does about a damaged file; it stands in `PROJECT/.trust/`."""
    project = path.absolute().parent.parent
    return (
        "look into it with `trust-runtime audit verify`; to move it aside and start an audited new"
        f" one, run `trust-runtime run --project {project} --reset-state`"
    )


def damage(path: Path, what: str) -> StoreFailed:
    """Return the fault of a file that is not as it was written."""
    return StoreFailed(f"{path} is damaged: {what}", repair_remedy(path))


def opening_fault(path: Path, error: sqlite3.Error) -> StoreFailed:
    """Return what a failure to open means."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreFailed(f"{path} is in use by another process", "stop that process first")
    if code == sqlite3.SQLITE_FULL:
        return StoreFailed(f"the disk of {path} is full", "free some space")
    return damage(path, str(error))


def _create(path: Path) -> None:
    """Make a new file beside its place and move it there: half a file is never seen."""
    for suffix in _COMPANIONS:
        if path.with_name(path.name + suffix).exists():
            raise damage(path, f"it is gone, but {path.name}{suffix} is there")
    growing = path.with_name(path.name + ".new")
    for suffix in (*_COMPANIONS, "-journal", ""):
        growing.with_name(growing.name + suffix).unlink(missing_ok=True)
    os.close(os.open(growing, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(growing, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        create_schema(connection)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    finally:
        connection.close()
    _sync_file(growing)
    growing.rename(path)
    _sync_folder(path.parent)


def _require_header(path: Path) -> None:
    """Judge the first bytes before SQLite does: it takes an empty file for a new one."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise damage(path, "it does not begin as a state file does")
    if header[18] != _WAL or header[19] != _WAL:
        # Otherwise SQLite would ignore the journal, and with it the newest records.
        raise damage(path, "its header does not name the write-ahead journal")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise damage(path, "its header does not name this product")
    version = int.from_bytes(header[60:64], "big")
    if version != SCHEMA_VERSION:
        raise StoreFailed(
            f"{path} has format {version}; this version reads format {SCHEMA_VERSION}",
            f"use the version that wrote it; otherwise {repair_remedy(path)}",
        )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    for setting in (
        "locking_mode = EXCLUSIVE",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        # INSERT OR REPLACE then asks the triggers too, as any other way to delete does.
        "recursive_triggers = ON",
        "cell_size_check = ON",
        # Checkpoints are ours: SQLite hides the failure of those it makes by itself.
        "wal_autocheckpoint = 0",
        "journal_size_limit = 67108864",
    ):
        connection.execute(f"PRAGMA {setting}").fetchone()
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        raise damage(path, "the write-ahead journal cannot be used")
    # Takes the lock now, and for as long as the connection lives.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    problem = schema_problem(connection)
    if problem is not None:
        raise damage(path, problem)
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damage(path, verdict)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
