"""The running parts whose values change without a restart."""

from typing import Any, Protocol

from trust_runtime.contracts.settings import LogLevel, Settings
from trust_runtime.core.config.effective import live_values
from trust_runtime.services.running import Running


class LogControl(Protocol):
    """The running log."""

    level: LogLevel
    """The level in force, as the log itself says; assigning changes it at once."""


class LiveParts:
    """Applies settings to running parts and reads back what they run with."""

    def __init__(self, *, running: Running, log: LogControl) -> None:
        self._running = running
        self._log = log
        self._read: tuple[Settings, dict[str, Any]] | None = None
        """The settings last read back, and their values: they never change in themselves."""

    def apply(self, settings: Settings) -> tuple[str, ...]:
        """Hand settings to the parts that hold values of their own; return what failed."""
        self._log.level = settings.log_level
        if self._log.level is not settings.log_level:
            return (f"log.level: the log runs at {self._log.level}",)
        return ()

    def read_back(self) -> dict[str, Any]:
        """Return config keys with the values the running parts use at this moment."""
        # Services read `running.settings` each time they decide, so it is what runs.
        settings = self._running.settings
        if self._read is None or self._read[0] is not settings:
            self._read = (settings, live_values(settings))
        return {**self._read[1], "log.level": str(self._log.level)}
