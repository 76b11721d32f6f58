"""`io get|set`: drivers and safe state of a runtime."""

from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.tables import table
from trust_runtime.contracts.codec import convert, encode_json
from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation
from trust_runtime.contracts.io import IoWrite
from trust_runtime.contracts.strict_json import parse_object
from trust_runtime.contracts.units import API_VERSION

_FILE_BYTES_MAX: Final = 2**20
_OWN_IO: Final = {"driver", "params", "drivers", "safe_state"}
_SHOWN_ONLY: Final = {"runtime_id", "source", "supported_drivers"}


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

    FILE holds `drivers` and `safe_state`, as `io get --json` shows them, or `use_system_io: true`
    alone: then the io.toml of the machine is in force.

    Example: trust-runtime io set io.json --target runtime-b
    """
    members = _written_in(file)
    with connect(ctx, asked) as client:
        where = target or client.state().context.connected_via
        head = {"api_version": API_VERSION, "actor": actor, "target_runtime": where}
        done = client.write_io_config(convert({**members, **head}, IoWrite))
    if as_json:
        echo_json(done)
    else:
        click.echo(f"{printable(done.message)} ({done.audit_id})")


def _written_in(file: Path) -> dict[str, Any]:
    """Return the members of FILE; those that only `io get --json` shows are left out."""
    try:
        with file.open("rb") as opened:
            members = parse_object(opened.read(_FILE_BYTES_MAX + 1))
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    except BodyTooLarge as error:
        raise click.UsageError(f"{file} is larger than 1 MiB.") from error
    except ContractViolation as error:
        raise click.UsageError(f"{file}: {error}.") from error
    if members.keys() >= _SHOWN_ONLY:
        members = {name: members[name] for name in ("drivers", "safe_state") if name in members}
    beside = sorted(members.keys() & _OWN_IO)
    if members.get("use_system_io") is True and beside:
        raise click.UsageError(
            f"{file}: use_system_io takes the io.toml of the machine, so {', '.join(beside)} cannot"
            " stand beside it; leave out one or the other."
        )
    return members
