"""A log that keeps its lines. Implements `ports.log.Log`."""

from collections.abc import Mapping
from typing import NamedTuple

from trust_runtime.contracts.settings import LogLevel


class Line(NamedTuple):
    """What was told once."""

    level: LogLevel
    event: str
    message: str
    data: Mapping[str, object]


class FakeLog:
    """Keeps every line, whatever `level` says; that is only set and read back (`LogControl`)."""

    def __init__(self, level: LogLevel = LogLevel.INFO) -> None:
        self.lines: list[Line] = []
        self.level = level

    def error(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.error`."""
        self._keep(LogLevel.ERROR, event, message, data)

    def warn(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.warn`."""
        self._keep(LogLevel.WARN, event, message, data)

    def info(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.info`."""
        self._keep(LogLevel.INFO, event, message, data)

    def debug(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.debug`."""
        self._keep(LogLevel.DEBUG, event, message, data)

    def trace(self, event: str, message: str, /, **data: object) -> None:
        """See `Log.trace`."""
        self._keep(LogLevel.TRACE, event, message, data)

    def events(self) -> list[str]:
        """Return the name of every line, in order."""
        return [line.event for line in self.lines]

    def of(self, event: str) -> list[Line]:
        """Return the lines of one event, in order."""
        return [line for line in self.lines if line.event == event]

    def _keep(self, level: LogLevel, event: str, message: str, data: Mapping[str, object]) -> None:
        self.lines.append(Line(level, event, message, data))
