"""How commands reach a runtime over HTTP: `--endpoint`, else the project's own address."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from trust_runtime.app.asking import endpoint_of
from trust_runtime.app.projects import CONFIG_FILE, not_running
from trust_runtime.cli.options import chosen_project, json_option, project_option
from trust_runtime.client import Client
from trust_runtime.client.calls import Call
from trust_runtime.contracts.errors import ExitCode, NoAnswer, StartRefused

T = TypeVar("T")

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
    if endpoint is not None:
        return client_of(endpoint, token=token, timeout_s=timeout_s)
    folder = chosen_project(ctx, project)
    if folder is None and not Path(CONFIG_FILE).exists():
        raise StartRefused(
            f"{Path.cwd()} is no project, and no runtime is named",
            "give --project FOLDER, or --endpoint http://HOST:PORT",
            ExitCode.CONFIG,
        )
    client = client_of(endpoint_of(folder or Path()), token=token, timeout_s=timeout_s)
    client.not_there = lambda: not_running(folder or Path())
    return client


class NamedClient(Client):
    """A client that says what to start when nobody answers, where that is known."""

    not_there: Callable[[], StartRefused] | None = None
    """Makes the refusal; None: what the client says anyway."""

    def send(self, call: Call[T]) -> T:
        """See `Client.send`.

        Raises:
            StartRefused: nobody answers, and it is known who should.
        """
        try:
            return super().send(call)
        except NoAnswer as error:
            if error.nobody and self.not_there is not None:
                raise self.not_there() from error
            raise


def client_of(
    endpoint: str, *, token: str | None = None, timeout_s: float = _TIMEOUT_S
) -> NamedClient:
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
    return NamedClient(endpoint, token=token, timeout_s=timeout_s)
