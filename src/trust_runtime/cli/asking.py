"""How commands reach a runtime over HTTP: `--endpoint`, else the project's own address."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from trust_runtime.app.asking import endpoint_of
from trust_runtime.cli.options import chosen_project, json_option, project_option
from trust_runtime.client import Client

TOKEN_VARIABLE: Final = "TRUST_CTL_TOKEN"  # noqa: S105 - the name of a variable, no token
_TIMEOUT_S: Final = 15.0


def asking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--project`, `--endpoint`, `--token`, `--timeout` and `--json`."""
    for option in (
        json_option,
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0.1, max=600),
            default=_TIMEOUT_S,
            show_default=True,
            help="Seconds to wait for one answer.",
        ),
        click.option(
            "--token", envvar=TOKEN_VARIABLE, help="For a runtime that asks for one.", hidden=False
        ),
        click.option("--endpoint", help="Any runtime of the fleet, e.g. http://127.0.0.1:18081."),
        project_option,
    ):
        command = option(command)
    return command


def connect(ctx: click.Context, asked: dict[str, Any]) -> Client:
    """Return a client for the options of `asking_options`; they are taken out of `asked`.

    Raises:
        StartRefused: neither an endpoint nor a project is there.
    """
    project: Path | None = asked.pop("project")
    endpoint: str | None = asked.pop("endpoint")
    token, timeout_s = asked.pop("token"), asked.pop("timeout_s")
    if endpoint is None:
        endpoint = endpoint_of(chosen_project(ctx, project) or Path())
    return client_of(endpoint, token=token, timeout_s=timeout_s)


def client_of(endpoint: str, *, token: str | None = None, timeout_s: float = _TIMEOUT_S) -> Client:
    """Return a client of the address and the token that somebody typed.

    Raises:
        click.UsageError: it is no address, or no token that can be sent.
    """
    try:
        parts = urlsplit(endpoint)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise click.UsageError(f"--endpoint {endpoint!r}: write http://HOST:PORT.")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise click.UsageError("--token: only printable ASCII characters can be sent.")
    if math.isnan(timeout_s):
        raise click.UsageError("--timeout: write a number of seconds.")
    return Client(endpoint, token=token, timeout_s=timeout_s)
