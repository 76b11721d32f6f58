"""`links list|set|remove`: how process data travels to other runtimes."""

from typing import Any, Final

import click

from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.tables import table
from trust_runtime.cli.times import moment, utc_option
from trust_runtime.contracts.links import LinkPreference, Transport, TransportWrite
from trust_runtime.contracts.units import API_VERSION

_HEAD: Final = ("source", "target", "transport", "actor", "since", "from")


@click.group()
def links() -> None:
    """Look at link preferences and change them."""


@links.command("list")
@utc_option
@asking_options
@click.pass_context
def list_(ctx: click.Context, /, *, as_json: bool, utc: bool, **asked: Any) -> None:
    """Show every link preference of the runtime.

    Example: trust-runtime links list --project ~/trust-cloud-demo/runtime-a
    """
    with connect(ctx, asked) as client:
        page = client.links()
    if as_json:
        echo_json(page)
        return
    rows = [_row(one, utc=utc) for one in page.items]
    for line in table(_HEAD, rows) if rows else ["no preference; process data goes by the mesh"]:
        click.echo(line)


@links.command("set")
@click.argument("target")
@click.argument("transport", type=click.Choice([one.value for one in Transport]))
@click.option("--actor", default="local://cli", show_default=True, help="Whom you act for.")
@asking_options
@click.pass_context
def set_(
    ctx: click.Context,
    /,
    *,
    target: str,
    transport: str,
    actor: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Prefer TRANSPORT for what goes from the connected runtime to TARGET.

    Example: trust-runtime links set runtime-b zenoh
    """
    with connect(ctx, asked) as client:
        write = TransportWrite(
            api_version=API_VERSION,
            actor=actor,
            source=client.state().context.connected_via,
            target=target,
            transport=transport,
        )
        done = client.set_link(write)
    if as_json:
        echo_json(done)
    else:
        one = done.preference
        click.echo(f"{one.source} -> {one.target}: {one.transport} ({done.audit_id})")
        for warning in done.warnings:
            click.echo(f"warning: {printable(warning)}", err=True)


@links.command()
@click.argument("target")
@asking_options
@click.pass_context
def remove(ctx: click.Context, /, *, target: str, as_json: bool, **asked: Any) -> None:
    """Forget the preference for what goes to TARGET.

    Example: trust-runtime links remove runtime-b
    """
    with connect(ctx, asked) as client:
        done = client.remove_link(client.state().context.connected_via, target)
    if as_json:
        echo_json(done)
    else:
        click.echo(f"removed: {done.removed.source} -> {done.removed.target} ({done.audit_id})")


def _row(one: LinkPreference, *, utc: bool) -> tuple[str, ...]:
    since = moment(one.updated_at_ns, utc=utc)
    return (one.source, one.target, one.transport, one.actor, since, one.origin)
