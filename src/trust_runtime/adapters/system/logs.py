"""Log lines on stderr and in a file (contract 3.6). Implements `ports.log.Log`."""

import logging
import select
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from traceback import format_exception
from typing import Any, Final, TextIO

from trust_runtime.adapters.system.log_file import RotatingFile
from trust_runtime.contracts.codec import REDACTED, encode_json
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.clock import Clock

FILE_NAME: Final = "runtime.jsonl"
TEXT_LENGTH_MAX: Final = 8_192
_NS_PER_US: Final = 1_000
_ORDER: Final = tuple(LogLevel)
_LIFTED: Final = ("request_id", "audit_id")
_SECRETS: Final = frozenset({"auth_token", "password", "secret", "token"})


class RuntimeLog:
    """One line per call to stderr and to the file; what cannot be written is lost and counted."""

    def __init__(
        self,
        *,
        runtime_id: str,
        clock: Clock,
        stream: TextIO | None,
        folder: Path | None = None,
        level: LogLevel = LogLevel.INFO,
    ) -> None:
        """Log for `runtime_id`.

        Args:
            runtime_id: what every line says.
            clock: the wall clock of the lines.
            stream: stderr, or None for none; people's form when it is a terminal, else JSON.
            folder: `.trust/logs`, or None for no file.
            level: the least important level that is written.
        """
        self._runtime_id = runtime_id
        self._clock = clock
        self._stream = stream
        self._file = RotatingFile(folder / FILE_NAME) if folder is not None else None
        self._lock = Lock()
        self._level = level
        self._lost = 0

    @property
    def level(self) -> LogLevel:
        """The least important level that is written."""
        return self._level

    @level.setter
    def level(self, level: LogLevel) -> None:
        self._level = level

    @property
    def lost(self) -> int:
        """How many lines could not be written to stderr or the file."""
        return self._lost

    def error(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.error`."""
        self.write(LogLevel.ERROR, event, message, data=data)

    def warn(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.warn`."""
        self.write(LogLevel.WARN, event, message, data=data)

    def info(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.info`."""
        self.write(LogLevel.INFO, event, message, data=data)

    def debug(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.debug`."""
        self.write(LogLevel.DEBUG, event, message, data=data)

    def trace(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.trace`."""
        self.write(LogLevel.TRACE, event, message, data=data)

    def write(
        self, level: LogLevel, event: str, message: str, *, data: Mapping[str, object]
    ) -> None:
        """Write one line of `level`, unless the log's level leaves it out."""
        if _ORDER.index(level) > _ORDER.index(self._level):
            return
        line = self._line(level, event, message, data=data)
        with self._lock:
            encoded = encode_json(line)
            self._to_stream(line, encoded)
            if self._file is not None and not self._file.append(encoded + b"\n"):
                self._lost += 1

    def reopen(self) -> None:
        """Open the file anew at the next line, after somebody moved it away."""
        with self._lock:
            if self._file is not None:
                self._file.close()

    def close(self) -> None:
        """Close the file; later lines open it again."""
        self.reopen()

    def _line(
        self, level: LogLevel, event: str, message: str, *, data: Mapping[str, object]
    ) -> dict[str, Any]:
        wall_s, rest_ns = divmod(self._clock.wall_ns(), NS_PER_S)
        when = datetime.fromtimestamp(wall_s, UTC).replace(microsecond=rest_ns // _NS_PER_US)
        lifted = {name: _plain(data[name]) for name in _LIFTED if data.get(name) is not None}
        return {
            "ts": when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": level.value,
            "event": event,
            "runtime_id": self._runtime_id,
            "message": _text(message),
            "data": {
                name: REDACTED if name in _SECRETS else _plain(value)
                for name, value in data.items()
                if name not in _LIFTED
            },
            **lifted,
        }

    def _to_stream(self, line: dict[str, Any], encoded: bytes) -> None:
        stream = self._stream
        if stream is None:
            return
        try:
            text = _for_people(line) if stream.isatty() else encoded.decode()
            if _would_block(stream):
                self._lost += 1
                return
            stream.write(text + "\n")
            stream.flush()
        except (OSError, ValueError):  # A closed pipe, a full disk, a closed file object.
            self._lost += 1


class LibraryRecords(logging.Handler):
    """Turns what libraries log through `logging` into our lines, event `library`."""

    def __init__(self, log: RuntimeLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted is shown as it is."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's mistake in its log call must not reach us
            message = str(record.msg)
        level = _level_of(record.levelno)
        data = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            data["exception"] = "".join(format_exception(record.exc_info[1]))[-TEXT_LENGTH_MAX:]
        self._log.write(level, "library", message, data=data)


def adopt_library_logs(log: RuntimeLog) -> None:
    """Send warnings and errors of every library to `log`, instead of stderr as plain text."""
    root = logging.getLogger()
    root.handlers[:] = [LibraryRecords(log)]
    root.setLevel(logging.WARNING)


def _level_of(number: int) -> LogLevel:
    if number >= logging.ERROR:
        return LogLevel.ERROR
    if number >= logging.WARNING:
        return LogLevel.WARN
    return LogLevel.INFO if number >= logging.INFO else LogLevel.DEBUG


def _plain(value: object) -> object:
    """Return `value` if JSON can carry it, else its text."""
    if value is None or (isinstance(value, str) and value.isascii()):
        return value if value is None else value[:TEXT_LENGTH_MAX]
    try:
        encoded = encode_json(value)
    except (TypeError, ValueError, RecursionError):  # Lone surrogates are ValueErrors too.
        return _text(value)
    return value if len(encoded) <= TEXT_LENGTH_MAX else _text(value)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text[:TEXT_LENGTH_MAX].encode("utf-8", "backslashreplace").decode("utf-8")


def _for_people(line: dict[str, Any]) -> str:
    """Return `12:34:56.789 WARN  event  message  name=value`: one line, whatever stands in it."""
    extras = {**line["data"], **{name: line[name] for name in _LIFTED if name in line}}
    shown = "".join(f"  {name}={encode_json(value).decode()}" for name, value in extras.items())
    text = f"{line['ts'][11:23]} {line['level'].upper():5} {line['event']}  {line['message']}"
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in text + shown
    )


def _would_block(stream: TextIO) -> bool:
    """Tell whether whoever reads the stream has stopped reading: a log line waits for nobody."""
    try:
        _, ready, _ = select.select([], [stream.fileno()], [], 0)
    except (OSError, ValueError):  # No file behind it, or one that select cannot watch.
        return False
    return not ready
