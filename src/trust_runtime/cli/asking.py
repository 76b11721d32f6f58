"""How commands reach a runtime over HTTP: `--endpoint`, else the project's own address."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from msgspec import Struct

from trust_runtime.app.asking import proof_for
from trust_runtime.app.projects import CONFIG_FILE, not_running
from trust_runtime.cli.options import chosen_project, json_option, project_option
from trust_runtime.client import Client
from trust_runtime.client.calls import Call
from trust_runtime.contracts.errors import ExitCode, NoAnswer, StartRefused

T = TypeVar("T")

CA_VARIABLE: Final = "TRUST_CA"
TOKEN_VARIABLE: Final = "TRUST_CTL_TOKEN"  # noqa: S105 - the name of a variable, no token
_TIMEOUT_S: Final = 15.0

credential_options: Final = (
    click.option(
        "--token",
        envvar=TOKEN_VARIABLE,
        help="For a runtime that asks for one. Others see it in the list of processes:"
        f" {TOKEN_VARIABLE} and --token-file keep it to yourself.",
    ),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A file that holds the token.",
    ),
    click.option(
        "--ca",
        envvar=CA_VARIABLE,
        type=click.Path(path_type=Path, dir_okay=False),
        help="Certificates that prove an https endpoint (default: the project's).",
    ),
)


class Credentials(Struct, frozen=True, kw_only=True):
    """What proves the one who asks, and the one who is asked."""

    token: str | None = None
    ca: Path | None = None

    def or_else(self, other: "Credentials") -> "Credentials":
        """Return this with what it lacks taken from another."""
        return Credentials(
            token=other.token if self.token is None else self.token,
            ca=other.ca if self.ca is None else self.ca,
        )


def with_credentials(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--token`, `--token-file` and `--ca`."""
    for option in credential_options:
        command = option(command)
    return command


def asking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--project`, `--endpoint`, `--timeout`, `--json` and what proves both."""
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
        *credential_options,
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
    timeout_s = asked.pop("timeout_s")
    credentials = credentials_of(asked)
    if endpoint is not None:
        return client_of(endpoint, credentials, timeout_s=timeout_s)
    folder = chosen_project(ctx, project)
    if folder is None and not Path(CONFIG_FILE).exists():
        raise StartRefused(
            f"{Path.cwd()} is no project, and no runtime is named",
            "give --project FOLDER, or --endpoint http://HOST:PORT",
            ExitCode.CONFIG,
        )
    proof = proof_for(folder or Path())
    own = Credentials(token=proof.token, ca=proof.ca)
    client = client_of(proof.endpoint, credentials.or_else(own), timeout_s=timeout_s)
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


def credentials_of(asked: dict[str, Any]) -> Credentials:
    """Return what `credential_options` gave; they are taken out of `asked`.

    Raises:
        click.UsageError: the token's file cannot be read, or has none.
    """
    token: str | None = asked.pop("token")
    file: Path | None = asked.pop("token_file")
    ca: Path | None = asked.pop("ca")
    if token is None and file is not None:
        try:
            token = file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--token-file {file}: it cannot be read as a token.") from error
        if not token:
            raise click.UsageError(f"--token-file {file}: it is empty.")
    return Credentials(token=token, ca=ca)


def client_of(
    endpoint: str, credentials: Credentials | None = None, *, timeout_s: float = _TIMEOUT_S
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
        raise click.UsageError(
            f"--endpoint {endpoint!r}: write http://HOST:PORT or https://HOST:PORT."
        )
    given = credentials or _from_environment()
    token = given.token
    if token is not None and not (token.isascii() and token.isprintable()):
        raise click.UsageError("--token: only printable ASCII characters can be sent.")
    if math.isnan(timeout_s):
        raise click.UsageError("--timeout: write a number of seconds.")
    return NamedClient(endpoint, token=token, timeout_s=timeout_s, ca=given.ca)


def _from_environment() -> Credentials:
    ca = os.environ.get(CA_VARIABLE)
    return Credentials(token=os.environ.get(TOKEN_VARIABLE), ca=None if ca is None else Path(ca))
