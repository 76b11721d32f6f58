"""TOML files with the place of every key, and of what keeps them from being read."""

import re
import tomllib
from bisect import bisect_left
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from trust_runtime.core.config.toml_values import join_path

BYTES_MAX: Final = 1_048_576
"""A longer file is refused unread."""

_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_STRING: Final = re.compile(
    r"\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|" + _QUOTED.pattern, re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}\n#]*")


class TomlFile(Struct, frozen=True, kw_only=True):
    """A file that is TOML."""

    values: dict[str, Any]
    """The document."""

    text: str
    """What it was parsed from."""


class TomlFault(Struct, frozen=True, kw_only=True):
    """Why a file cannot be read as TOML."""

    reason: str
    """What is wrong."""

    line: int = 1
    """1-based line of it."""

    column: int = 1
    """1-based column of it."""


def read_toml(path: Path) -> TomlFile | TomlFault | None:
    """Return the document in a file, or why it is none; None when there is no such file."""
    try:
        if not path.exists():
            return None
        if not path.is_file():
            return TomlFault(reason="is no regular file")
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        return TomlFault(reason=f"cannot be read: {error.strerror}")
    if len(content) > BYTES_MAX:
        return TomlFault(reason=f"is longer than {BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        return TomlFault(
            reason="is no UTF-8 text",
            line=before.count(b"\n") + 1,
            column=error.start - before.rfind(b"\n"),
        )
    return parse_toml(text)


def parse_toml(text: str) -> TomlFile | TomlFault:
    """Return the document in a text, or where it stops being TOML."""
    try:
        return TomlFile(values=tomllib.loads(text), text=text)
    except RecursionError:
        return TomlFault(reason="is nested too deeply")
    except ValueError as error:
        reason = str(error)
        place = _PLACE.search(reason)
        if place is None:
            return TomlFault(reason=reason)
        last = text.count("\n") + 1
        return TomlFault(
            reason=reason[: place.start()],
            line=int(place[1] or last),
            column=int(place[2] or len(text) - text.rfind("\n")),
        )


def key_lines(text: str) -> dict[str, int]:
    """Return the 1-based line of every table, key and list entry of a text that is TOML.

    Paths look like `io.drivers[0].name`; see `join_path` for names in quotes.
    """
    scan = _Scan(text)
    scan.document()
    return scan.lines


class _Scan:
    """Walks through valid TOML; it needs no checks, only places."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._last_entry: dict[str, int] = {}

    def document(self) -> None:
        table = ""
        self._skip(_BLANK)
        while self._at < len(self._text):
            before = self._at
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
            if self._at == before:
                return

    def _header(self) -> str:
        """Enter `[a.b]` or `[[a.b]]`; a table below a list of tables is in its last entry."""
        is_list = self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        path, names = "", self._key()
        self._at += 2 if is_list else 1
        for position, name in enumerate(names, 1):
            path = join_path(path, name)
            self._note(path)
            if is_list and position == len(names):
                self._last_entry[path] = self._last_entry.get(path, -1) + 1
            if path in self._last_entry:
                path = f"{path}[{self._last_entry[path]}]"
                self._note(path)
        return path

    def _pair(self, table: str) -> None:
        path = table
        for name in self._key():
            path = join_path(path, name)
            self._note(path)
        self._at += 1
        self._value(path)

    def _key(self) -> list[str]:
        """Take a dotted key and the blanks around it."""
        names = []
        while True:
            self._skip(_BLANK)
            quoted = self._take(_QUOTED)
            names.append(tomllib.loads(f"name={quoted}")["name"] if quoted else self._take(_BARE))
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return names
            self._at += 1

    def _value(self, path: str) -> None:
        self._skip(_BLANK)
        match self._text[self._at : self._at + 1]:
            case "[":
                self._list(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)

    def _list(self, path: str) -> None:
        index = 0
        while self._goes_on("]"):
            self._note(f"{path}[{index}]")
            self._value(f"{path}[{index}]")
            index += 1

    def _inline_table(self, path: str) -> None:
        while self._goes_on("}"):
            self._pair(path)

    def _goes_on(self, end: str) -> bool:
        """Step over the opening bracket or a comma; False once `end` was stepped over."""
        self._skip(_BLANK)
        if not self._text.startswith(end, self._at):
            self._at += 1
            self._skip(_BLANK)
        if self._text.startswith(end, self._at):
            self._at += 1
            return False
        return self._at < len(self._text)

    def _skip(self, what: re.Pattern[str]) -> None:
        self._take(what)

    def _take(self, what: re.Pattern[str]) -> str:
        match = what.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _note(self, path: str) -> None:
        self.lines.setdefault(path, bisect_left(self._ends, self._at) + 1)
