"""Read strace's record of one life: what was done to the files of one folder, and what was told."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from crash.living import GROUP_OF
from crash.mixture import Told


@dataclass(frozen=True, slots=True)
class Created:
    """A new file, under a name that was free."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes at a place."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """A new length."""

    file: int
    length: int


@dataclass(frozen=True, slots=True)
class Synced:
    """All that was done to the file is on the disk; None: all that was done to names."""

    file: int | None


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file has another name now."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A name is free again."""

    name: str


Event = Created | Written | Resized | Synced | Renamed | Removed | Told

_CALL: Final = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_CUT: Final = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED: Final = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_AT_ONCE: Final = frozenset({"pwrite64", "write"})
"""Calls whose effect may be there as soon as they begin; all others count when they have ended."""

_FOLDER: Final = -1
_TOLD: Final = -2


@dataclass(frozen=True, slots=True)
class _Ended:
    """One system call that succeeded."""

    thread: str
    name: str
    arguments: str
    result: int


def read_events(trace: Path, folder: Path, present: Iterable[str]) -> list[Event]:
    """Return the events of a trace in the order in which they took effect.

    Args:
        trace: what strace wrote.
        folder: the folder of the state file.
        present: the names that were in it, which are the files 0, 1, 2, ...
    """
    reader = _Reader(folder, present)
    return [event for call in _calls(trace) if call.result >= 0 for event in reader.events(call)]


def count_calls(trace: Path, *, unclosed: bool = False) -> Counter[str]:
    """Return how many calls of each name were made on the state file, failed ones too.

    The n-th one of a thread can be broken; all of them must therefore be of one thread.

    Args:
        trace: what strace wrote.
        unclosed: only those before the file was about to be closed.
    """
    counts: Counter[str] = Counter()
    threads: set[str] = set()
    for call in _calls(trace):
        if call.name in GROUP_OF:
            counts[call.name] += 1
            threads.add(call.thread)
        elif unclosed and call.name == "write" and _told(call.arguments).event == "closing":
            break
    assert len(threads) == 1, "the store has one thread"
    return counts


def _calls(trace: Path) -> Iterator[_Ended]:
    """Yield the calls, each when its effect counts."""
    begun: dict[str, str] = {}
    for line in trace.read_text("ascii").splitlines():
        if cut := _CUT.match(line):
            thread, name, arguments = cut.groups()
            begun[thread] = arguments
            if name in _AT_ONCE:
                # All of it counts: a write to a file that is cut short is an error to SQLite.
                yield _Ended(thread, name, arguments, len(_text(arguments)))
        elif resumed := _RESUMED.match(line):
            thread, name, rest, result = resumed.groups()
            if name not in _AT_ONCE:
                yield _Ended(thread, name, begun.pop(thread) + rest, int(result))
        elif whole := _CALL.match(line):
            thread, name, arguments, result = whole.groups()
            yield _Ended(thread, name, arguments, int(result))


class _Reader:
    """Knows which descriptor and which name is which file."""

    def __init__(self, folder: Path, present: Iterable[str]) -> None:
        self._folder = folder
        self._names = {name: file for file, name in enumerate(present)}
        self._files = len(self._names)
        self._opened: dict[int, int] = {1: _TOLD}

    def events(self, call: _Ended) -> Iterator[Event]:
        match call.name:
            case "open" | "openat":
                yield from self._open(call)
            case "rename" | "renameat" | "renameat2":
                old, new = (Path(text).name for text in _texts(call.arguments))
                self._names[new] = self._names.pop(old)
                yield Renamed(old, new)
            case "unlink" | "unlinkat":
                name = Path(_texts(call.arguments)[0]).name
                del self._names[name]
                yield Removed(name)
            case "chmod" | "fchmodat":
                pass
            case _:
                yield from self._used(call)

    def _open(self, call: _Ended) -> Iterator[Event]:
        path = Path(_texts(call.arguments)[0])
        if path == self._folder:
            self._opened[call.result] = _FOLDER
            return
        assert path.parent == self._folder, path
        assert "-shm" not in path.name, "shared memory is not simulated"
        if path.name not in self._names:
            self._names[path.name] = self._files
            self._files += 1
            yield Created(path.name, self._names[path.name])
        file = self._opened[call.result] = self._names[path.name]
        if "O_TRUNC" in call.arguments:
            yield Resized(file, 0)

    def _used(self, call: _Ended) -> Iterator[Event]:
        number, *rest = call.arguments.split(", ")
        file = self._opened[int(number)]
        match call.name:
            case "write" if file == _TOLD:
                yield _told(call.arguments)
            case "pwrite64":
                yield Written(file, int(rest[-1]), _text(call.arguments)[: call.result])
            case "ftruncate":
                yield Resized(file, int(rest[0]))
            case "fdatasync" if file == _FOLDER:
                pass  # SQLite does not ask whether it worked: nobody may rely on it.
            case "fsync" | "fdatasync":
                yield Synced(None if file == _FOLDER else file)
            case "close":
                del self._opened[int(number)]
            case "read" | "pread64":
                pass
            case _:
                raise AssertionError(f"{call.name} is not simulated")


def _told(arguments: str) -> Told:
    return msgspec.json.decode(_text(arguments), type=Told)


def _text(arguments: str) -> bytes:
    found = _TEXT.search(arguments)
    assert found is not None, arguments[:200]
    return bytes.fromhex(found[1].replace("\\x", ""))


def _texts(arguments: str) -> list[str]:
    return [bytes.fromhex(found.replace("\\x", "")).decode() for found in _TEXT.findall(arguments)]
