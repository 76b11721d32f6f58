"""The few exceptions of the product, and the exit codes of its commands.

A refusal is a value (`contracts.denial.Denial`); an exception here is a fault or a bad input
found at an edge.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

_SHOWN_MAX: Final = 500


class ExitCode(IntEnum):
    """Exit codes of every command (contract 3.5)."""

    OK = 0
    ERROR = 1
    USAGE = 2
    CONFIG = 10
    BUILD = 11
    TEST = 12
    TIMEOUT = 13
    INTERNAL = 20


class TrustError(Exception):
    """Base of every exception this product raises on purpose."""


class ContractViolation(TrustError):
    """A value from outside does not fit its contract.

    Args:
        path: where it stood, e.g. `$.target_runtimes[0]`.
        value: what was given.
        allowed: what would have been accepted.
    """

    def __init__(self, path: str, value: object, allowed: str) -> None:
        shown = value[: _SHOWN_MAX + 1] if isinstance(value, str) else value
        super().__init__(f"{_cut(path)}: got {_cut(repr(shown))}; allowed: {allowed}")
        self.path = path
        self.value = value
        self.allowed = allowed


def _cut(text: str) -> str:
    """Return the beginning of what came from outside: nobody reads a megabyte of it back."""
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."


class BodyTooLarge(TrustError):
    """A JSON text is longer than its limit."""


class StartRefused(TrustError):
    """The process must not start as things are.

    Args:
        reason: what is wrong, naming the thing.
        remedy: what the operator does about it.
        exit_code: the exit code of the command.
    """

    def __init__(self, reason: str, remedy: str, exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.exit_code = exit_code


class StoreFailed(TrustError):
    """The durable store cannot keep or give what was asked; nothing was acknowledged.

    Args:
        reason: what failed, naming the file.
        remedy: what the operator does about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class BodyUnread(TrustError):
    """A request's body could not be read, for a reason that is not in it; nothing was begun.

    Args:
        reason: what failed.
        remedy: what the client or the operator does about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class StoreBusy(StoreFailed):
    """Too many reads wait for the store, which works: only this one was not taken."""


class NotDurable(StoreFailed):
    """What was asked has happened, but a power failure may undo it: its sync failed."""


class MeshUnavailable(TrustError):
    """The mesh session is not open, or could not be opened."""


class TokenInvalid(TrustError):
    """A signed token cannot be accepted whoever signed it: undecodable, or a bad signature.

    Args:
        reason: what is wrong with it.
        undecodable: True when it could not even be read.
    """

    def __init__(self, reason: str, *, undecodable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.undecodable = undecodable


class NoAnswer(TrustError):
    """Nobody answered, or not in time, or not as this API does.

    Args:
        reason: what happened, naming the address.
        remedy: what to do about it.
        late: True when the time ran out.
        nobody: True when no connection could be made.
    """

    def __init__(
        self, reason: str, remedy: str, *, late: bool = False, nobody: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.late = late
        self.nobody = nobody


class Refused(TrustError):
    """The runtime refused, with its code, reason and remedy (contract 6.2).

    Args:
        status: the HTTP status.
        denial_code: what to branch on; None when a newer runtime sent one unknown here.
        reason: for people.
        remedy: what to do about it.
        body: every member of the answer.
    """

    def __init__(
        self,
        status: int,
        denial_code: str | None,
        reason: str,
        /,
        *,
        remedy: str,
        body: Mapping[str, Any],
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.denial_code = denial_code
        self.reason = reason
        self.remedy = remedy
        self.body = body
