"""Wait for a condition with a deadline: the only reason a test may sleep."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], *, within_s: float) -> bool:
    """Return True as soon as `holds()` is true, or False when `within_s` seconds have passed."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
