"""The durable store in one SQLite file; the only home of the `sqlite3` library."""

from trust_runtime.adapters.sqlite.state_file import reset_state
from trust_runtime.adapters.sqlite.store import SqliteStore, open_store

__all__ = ["SqliteStore", "open_store", "reset_state"]
