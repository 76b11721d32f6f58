"""`pki show` and `pki import-bundle --pin`."""

from pathlib import Path

import click

from trust_runtime.app.records import ProjectRecords
from trust_runtime.cli.options import chosen_project, echo_json, json_option, project_option
from trust_runtime.contracts.ids import parse_runtime_id


@click.group()
def pki() -> None:
    """Look at identities and decide whom to trust."""


@pki.command()
@project_option
@json_option
@click.pass_context
def show(ctx: click.Context, /, *, project: Path | None, as_json: bool) -> None:
    """Show the own identity, and pin and trust of every known peer.

    Example: trust-runtime pki show --project ~/trust-cloud-demo/runtime-a
    """
    shown = ProjectRecords(chosen_project(ctx, project) or Path()).identity()
    if as_json:
        echo_json(shown)
        return
    for name, value in shown.items():
        if name != "peers":
            click.echo(f"{name:<13} {value}")
    for peer in shown["peers"]:
        trust = peer.get("trust_reason") or "trusted"
        click.echo(f"peer          {peer['runtime_id']}  {trust}  pin {peer['pin'] or 'none'}")


@pki.command("import-bundle")
@project_option
@click.option("--pin", "runtime_id", help="Runtime whose pinned key is replaced.")
@click.option("--site", help="Not in this version.")
@click.option("--remove", is_flag=True, help="Remove the pin instead.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_context
def import_bundle(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    runtime_id: str | None,
    site: str | None,
    remove: bool,
    file: Path | None,
) -> None:
    """Trust the key in FILE (PEM certificate or public key) for one runtime.

    Example: trust-runtime pki import-bundle --project a --pin runtime-b runtime-b.crt
    """
    if site is not None:
        raise click.UsageError("--site is not in this version.")
    if runtime_id is None:
        raise click.UsageError("Missing option '--pin'.")
    if remove == (file is not None):
        raise click.UsageError("Give either FILE or --remove.")
    runtime = parse_runtime_id(runtime_id)
    pin = ProjectRecords(chosen_project(ctx, project) or Path()).pin(runtime, file)
    click.echo(f"{runtime}: pin removed" if pin is None else f"{runtime}: pinned {pin}")
