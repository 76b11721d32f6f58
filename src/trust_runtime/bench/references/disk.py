"""The disk without the product: one write and fdatasync, and one INSERT and COMMIT."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

_RECORD = b"x" * 512


class Log:
    """A file that grows by one synced record at a time."""

    def __init__(self, path: Path) -> None:
        # A name of its own, as the journal has: preallocation would make the disk look faster.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def sync_one(self) -> int:
        """Append one record, sync it, and return how long that took, in ns."""
        started = time.perf_counter_ns()
        os.write(self._file, _RECORD)
        os.fdatasync(self._file)
        return time.perf_counter_ns() - started

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def insert_times_ns(path: Path, count: int) -> list[int]:
    """Return how long each of `count` synced INSERTs took, one by one, in a WAL database."""
    text = _RECORD.decode()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, text TEXT)")
        times = []
        for _ in range(count):
            started = time.perf_counter_ns()
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO record (text) VALUES (?)", (text,))
            database.execute("COMMIT")
            times.append(time.perf_counter_ns() - started)
    return times
