"""Instants as people read and write them: the machine's own zone, always with its offset."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from trust_runtime.contracts.units import NS_PER_S


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
