"""`api`: what a runtime says of its HTTP side, for tools."""

from typing import Any

import click

from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json
from trust_runtime.contracts.errors import ExitCode


@click.group()
def api() -> None:
    """Readiness, metrics and the API's own description."""


@api.command()
@asking_options
@click.pass_context
def ready(ctx: click.Context, /, *, as_json: bool, **asked: Any) -> int:
    """Say whether the runtime is alive and ready; exit 1 when it is not.

    Example: trust-runtime api ready --project ~/trust-cloud-demo/runtime-a
    """
    with connect(ctx, asked) as client:
        client.healthy()
        found = client.ready()
    if as_json:
        echo_json(found)
    else:
        click.echo("ready" if found.ok else "not ready")
        for part, said in found.checks.items():
            click.echo(f"  {part}: {said}")
    return ExitCode.OK if found.ok else ExitCode.ERROR


@api.command()
@asking_options
@click.pass_context
def metrics(ctx: click.Context, /, *, as_json: bool, **asked: Any) -> None:
    """Print the metrics, as Prometheus text.

    Example: trust-runtime api metrics --endpoint http://127.0.0.1:18081
    """
    _refuse_json(as_json)
    with connect(ctx, asked) as client:
        click.echo(client.metrics(), nl=False)


@api.command()
@asking_options
@click.pass_context
def openapi(ctx: click.Context, /, *, as_json: bool, **asked: Any) -> None:
    """Print the API's description, OpenAPI 3.1 in JSON.

    Example: trust-runtime api openapi --endpoint http://127.0.0.1:18081 > openapi.json
    """
    del as_json  # It is JSON anyway.
    with connect(ctx, asked) as client:
        echo_json(client.openapi())


@api.command()
@asking_options
@click.pass_context
def docs(ctx: click.Context, /, *, as_json: bool, **asked: Any) -> None:
    """Print the page that shows the API, as HTML.

    Example: trust-runtime api docs --endpoint http://127.0.0.1:18081 > api.html
    """
    _refuse_json(as_json)
    with connect(ctx, asked) as client:
        click.echo(client.docs(), nl=False)


def _refuse_json(as_json: bool) -> None:  # noqa: FBT001 - the one flag it judges
    if as_json:
        raise click.UsageError("There is no JSON form of this.")
