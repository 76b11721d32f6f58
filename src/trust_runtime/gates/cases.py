"""What a gate is made of."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct


class CaseFailed(Exception):
    """What the case demands does not hold; the text says what was found instead."""


class CaseSkipped(Exception):
    """The case could not be run; in a gate that is a failure, with this reason."""


class PrerequisiteMissing(Exception):
    """The gate cannot run here at all: exit 2, which is not a pass."""


class Bench:
    """What a case works with: a place for its files, and its log.

    Args:
        folder: where artifacts of this case go; it exists.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.log_path = folder / f"{name}.log"
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        """Write a line to the log of the case."""
        with self.log_path.open("a") as log:
            log.write(f"{text}\n")

    def warn(self, text: str) -> None:
        """Let something pass that everybody should see."""
        self.say(f"warning: {text}")
        self.warnings.append(text)

    def demand(self, holds: object, otherwise: str) -> None:
        """Fail the case with `otherwise` unless it holds.

        Raises:
            CaseFailed: it does not.
        """
        if not holds:
            raise CaseFailed(otherwise)


RunCase = Callable[[Bench], None]
"""Returns when the case passes; raises `CaseFailed`, or anything else, when it does not."""


def _nothing() -> None:
    pass


class Gate(Struct, frozen=True, kw_only=True):
    """A fixed list of cases and how each is run."""

    name: str
    """As on the command line."""
    expected: tuple[str, ...]
    """Names of all cases, in the order in which they run. One that has no way to run fails."""
    cases: Mapping[str, RunCase]
    """How each case is run; one that is not expected fails the gate as well."""
    close: Callable[[], None] = _nothing
    """Ends what the cases share; called once, whatever became of them."""
