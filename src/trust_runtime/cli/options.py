"""Options several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from trust_runtime.contracts.codec import encode_json


def project_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--project`; before or after the command's name."""
    return click.option(
        "--project",
        type=click.Path(path_type=Path),
        help="Project folder (default: the current one).",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def chosen_project(ctx: click.Context, project: Path | None) -> Path | None:
    """Return the project given after the command, else before it."""
    given = (ctx.find_root().obj or {}).get("project")
    return project if project is not None else given


def printable(text: str) -> str:
    """Return a text from elsewhere so that it neither forges a line nor steers the terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def echo_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(encode_json(value), indent=2).decode())
