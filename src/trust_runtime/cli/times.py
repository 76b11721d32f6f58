"""Instants as people read and write them: the machine's own zone, always with its offset."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click

from trust_runtime.contracts.units import NS_PER_S

_EVENT: Final = "evt-"
_NS_MIN: Final = 10**17
"""Nanoseconds of March 1973: a smaller number is one of seconds or milliseconds, or a date."""
_NS_MAX: Final = 2**63 - 1
_WAYS: Final = (
    "write an instant such as 2026-11-24T22:00:00Z, an event id, or nanoseconds since 1970"
)


def utc_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--utc`."""
    return click.option("--utc", is_flag=True, help="Show times in UTC, not in the local zone.")(
        command
    )


def moment(ns: int, *, utc: bool = False) -> str:
    """Return an instant to the second as ISO 8601, in the local zone or in UTC."""
    instant = datetime.fromtimestamp(ns // NS_PER_S, UTC)
    if utc:
        return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    return instant.astimezone().isoformat(timespec="seconds")


def since_of(text: str | None) -> str | int | None:
    """Return what `--since` means: an event id, or nanoseconds since 1970.

    A date without a time begins at midnight; without an offset the local zone is meant.

    Raises:
        click.UsageError: it is neither, or lies before 1970 or after 2262.
    """
    if text is None or (text.startswith(_EVENT) and text.isascii() and text.isprintable()):
        return text
    if text.isascii() and text.isdigit():
        if not _NS_MIN <= int(text) <= _NS_MAX and int(text) != 0:
            raise click.UsageError(f"--since {text!r} are no nanoseconds since 1970: {_WAYS}.")
        return int(text)
    try:
        seconds = int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--since {text!r}: {_WAYS}.") from error
    if not 0 <= seconds * NS_PER_S <= _NS_MAX:
        raise click.UsageError(f"--since {text!r} is before 1970 or after 2262: {_WAYS}.")
    return seconds * NS_PER_S
