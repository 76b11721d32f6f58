"""`io get|set`: drivers and safe state of a runtime."""

from pathlib import Path
from typing import Any

import click

from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.tables import table
from trust_runtime.contracts.codec import convert, encode_json
from trust_runtime.contracts.io import IoWrite
from trust_runtime.contracts.strict_json import parse_object
from trust_runtime.contracts.units import API_VERSION


@click.group("io")
def io() -> None:
    """Look at inputs and outputs and change them."""


@io.command()
@click.option("--target", help="Another runtime of the fleet.")
@asking_options
@click.pass_context
def get(ctx: click.Context, /, *, target: str | None, as_json: bool, **asked: Any) -> None:
    """Show drivers and safe state.

    Example: trust-runtime io get --target runtime-b
    """
    with connect(ctx, asked) as client:
        view = client.io_config(target)
    if as_json:
        echo_json(view)
        return
    click.echo(f"{view.runtime_id}: from {view.source}, {view.etag}")
    drivers = [(one.name, encode_json(one.params).decode()) for one in view.drivers]
    for line in table(("driver", "parameters"), drivers):
        click.echo(line)
    outputs = [(one.address, str(one.value)) for one in view.safe_state]
    for line in table(("output", "safe value"), outputs) if outputs else []:
        click.echo(line)


@io.command("set")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", help="Another runtime of the fleet.")
@click.option("--actor", default="local://cli", show_default=True, help="Whom you act for.")
@asking_options
@click.pass_context
def set_(
    ctx: click.Context,
    /,
    *,
    file: Path,
    target: str | None,
    actor: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Write drivers and safe state from a JSON FILE; in force at the next start.

    FILE holds `drivers` and `safe_state`, as `io get --json` shows them.

    Example: trust-runtime io set io.json --target runtime-b
    """
    try:
        members = parse_object(file.read_bytes())
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    with connect(ctx, asked) as client:
        where = target or client.state().context.connected_via
        head = {"api_version": API_VERSION, "actor": actor, "target_runtime": where}
        done = client.write_io_config(convert({**members, **head}, IoWrite))
    if as_json:
        echo_json(done)
    else:
        click.echo(f"{printable(done.message)} ({done.audit_id})")
