"""Telling of things that went wrong where nobody can catch them."""

import threading
from collections import Counter
from collections.abc import Callable


class Problems:
    """Counts problems and tells of the 1st, 2nd, 4th, 8th ... of each kind.

    So a flood of bad messages is a number, not a flood of reports. Callable from any thread; the
    callback is called from the same one.
    """

    def __init__(self, on_problem: Callable[[str], None]) -> None:
        self._on_problem = on_problem
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str, cause: object) -> None:
        """Count one more `what`, a constant text; `cause` says what it was this time."""
        with self._lock:
            self._counts[what] += 1
            count = self._counts[what]
        if count & (count - 1) == 0:
            self._on_problem(f"{what} ({count} times): {cause!r}")

    def counts(self) -> dict[str, int]:
        """Return how often each problem happened."""
        with self._lock:
            return dict(self._counts)
