"""What the process tells whoever runs it (contract 3.6)."""

from typing import Protocol


class Log(Protocol):
    """Structured log lines; never raises, callable from any thread.

    `event` is a stable snake_case name, `message` a sentence for people, `data` what belongs to it.
    `request_id` and `audit_id` in `data` become members of the line itself. Secrets are the
    caller's to keep out.
    """

    def error(self, event: str, message: str, /, **data: object) -> None:
        """Tell of a fault."""
        ...

    def warn(self, event: str, message: str, /, **data: object) -> None:
        """Tell of something that needs attention."""
        ...

    def info(self, event: str, message: str, /, **data: object) -> None:
        """Tell of a change worth a line in every log."""
        ...

    def debug(self, event: str, message: str, /, **data: object) -> None:
        """Tell of a step, for whoever looks for a cause."""
        ...

    def trace(self, event: str, message: str, /, **data: object) -> None:
        """Tell of every single message."""
        ...
