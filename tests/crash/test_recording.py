"""`crash.recording` reads strace's lines: descriptors, names, and calls that overlap."""

from pathlib import Path

import pytest

from crash.mixture import Told
from crash.recording import (
    Created,
    Removed,
    Renamed,
    Resized,
    Synced,
    Written,
    count_calls,
    read_events,
)

FOLDER = Path("/state")


def quoted(text: str) -> str:
    """Return a text as `strace -xx` writes it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


def path(name: str) -> str:
    return quoted(f"{FOLDER}/{name}")


KEPT = quoted('{"event":"kept","number":7}\n')
LINES = [
    f"9  openat(AT_FDCWD, {path('a.new')}, O_RDWR|O_CREAT, 0600) = 4",
    f"9  openat(AT_FDCWD, {path('a')}, O_RDWR) = -1 ENOENT (No such file or directory)",
    f"9  pwrite64(4, {quoted('abc')}, 3, 10) = 2",
    "9  ftruncate(4, 4096)                   = 0",
    "9  fdatasync(4 <unfinished ...>",
    f"8  write(1, {KEPT}, 28 <unfinished ...>",
    "9  <... fdatasync resumed>)             = 0",
    "8  <... write resumed>)                 = 28",
    "9  close(4)                             = 0",
    f"9  rename({path('a.new')}, {path('a')}) = 0",
    f"9  openat(AT_FDCWD, {quoted(str(FOLDER))}, O_RDONLY|O_DIRECTORY) = 4",
    "9  fsync(4)                             = 0",
    "9  fdatasync(4)                         = 0",
    "9  close(4)                             = 0",
    f"9  openat(AT_FDCWD, {path('a')}, O_RDWR) = 4",
    f"9  pwrite64(4, {quoted('z')}, 1, 0 <unfinished ...>",
    "9  <... pwrite64 resumed>)              = 1",
    "9  fdatasync(4)                         = -1 EIO (Input/output error)",
    f"9  unlink({path('old')})                = 0",
]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    trace = tmp_path / "trace"
    trace.write_text("\n".join([*LINES, ""]))
    return trace


def test_events_stand_in_the_order_in_which_they_took_effect(trace: Path) -> None:
    assert read_events(trace, FOLDER, ["old"]) == [
        Created("a.new", 1),
        Written(1, 10, b"ab"),
        Resized(1, 4096),
        Told(event="kept", number=7),
        Synced(1),
        Renamed("a.new", "a"),
        Synced(None),
        Written(1, 0, b"z"),
        Removed("old"),
    ]


def test_all_calls_that_can_be_broken_are_counted(trace: Path) -> None:
    counts = count_calls(trace)
    assert counts == {
        "openat": 4,
        "pwrite64": 2,
        "ftruncate": 1,
        "fdatasync": 3,
        "fsync": 1,
        "rename": 1,
        "unlink": 1,
    }


def test_calls_of_two_threads_are_refused(trace: Path) -> None:
    trace.write_text(trace.read_text() + "8  fsync(4) = 0\n")
    with pytest.raises(AssertionError, match="one thread"):
        count_calls(trace)


def test_a_call_that_is_not_simulated_is_refused(trace: Path) -> None:
    trace.write_text(f"{LINES[0]}\n9  fallocate(4, 0, 0, 4096) = 0\n")
    with pytest.raises(AssertionError, match="fallocate is not simulated"):
        read_events(trace, FOLDER, [])
