"""Slowing one process down: bursts in which it is stopped, and a small share of one core."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from waiting import wait_until

_CPU_GROUPS: Final = Path("/sys/fs/cgroup/cpu")
_PERIOD_US: Final = 100_000
_QUOTA_US: Final = 5_000


def wait_through_bursts(
    process: subprocess.Popen[bytes], lengths_s: Sequence[float], *, look: Callable[[], object]
) -> None:
    """Stop the process for each of the lengths, looking on meanwhile."""
    for length_s in lengths_s:
        until_s = time.monotonic() + length_s
        process.send_signal(signal.SIGSTOP)
        try:
            while time.monotonic() < until_s:
                look()
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGCONT)


@contextmanager
def starved(pid: int) -> Iterator[float]:
    """Give the process a twentieth of one core; yields that share.

    Raises:
        OSError: this machine has no CPU groups.
    """
    share = _QUOTA_US / _PERIOD_US
    group = _CPU_GROUPS / f"trust-fault-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(_QUOTA_US))
        (group / "cgroup.procs").write_text(str(pid))
        try:
            yield share
        finally:
            with suppress(OSError):
                (_CPU_GROUPS / "cgroup.procs").write_text(str(pid))
    finally:
        with suppress(OSError):
            wait_until(lambda: not (group / "cgroup.procs").read_text(), within_s=2)
            group.rmdir()
