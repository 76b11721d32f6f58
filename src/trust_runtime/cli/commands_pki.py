"""`trust-runtime pki`: identities, and whom to trust (contract 2.5)."""

from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.app import certifying
from trust_runtime.app.certifying import ProjectIdentity
from trust_runtime.app.records import ProjectRecords
from trust_runtime.cli.options import (
    chosen_project,
    echo_json,
    json_option,
    printable,
    project_option,
)
from trust_runtime.cli.pki_issuing import day, init, issue, renew, revoke
from trust_runtime.cli.times import moment
from trust_runtime.contracts.ids import parse_runtime_id
from trust_runtime.contracts.units import NS_PER_S

_PATH: Final = click.Path(path_type=Path)
_LISTS: Final = ("peers", "bundles", "notes")


@click.group()
def pki() -> None:
    """Make identities, and decide whom to trust."""


pki.add_command(init)
pki.add_command(issue)
pki.add_command(renew)
pki.add_command(revoke)


@pki.command()
@project_option
@json_option
@click.pass_context
def show(ctx: click.Context, /, *, project: Path | None, as_json: bool) -> None:
    """Show the own identity, installed bundles, and pin and trust of every known peer.

    Example: trust-runtime pki show --project ~/trust-cloud-demo/runtime-a
    """
    shown = ProjectRecords(chosen_project(ctx, project) or Path()).identity()
    if as_json:
        echo_json(shown)
        return
    for name, value in shown.items():
        if name in _LISTS:
            continue
        if name.endswith("_s"):  # Seconds since 1970, in JSON.
            click.echo(f"{name.removesuffix('_s'):<13} {moment(value * NS_PER_S)}")
        else:
            click.echo(f"{name:<13} {value}")
    for bundle in shown["bundles"]:
        click.echo(_bundle_line(bundle))
    for note in shown["notes"]:
        click.echo(f"not used      {printable(note)}")
    for peer in shown["peers"]:
        trust = peer.get("trust_reason") or "trusted"
        click.echo(f"peer          {peer['runtime_id']}  {trust}  pin {peer['pin'] or 'none'}")


@pki.command("import-bundle")
@project_option
@click.option("--site", help="Site whose trust bundle is installed.")
@click.option("--pin", "runtime_id", help="Runtime whose pinned key is replaced (profile dev).")
@click.option("--remove", is_flag=True, help="Remove it instead.")
@click.argument("file", required=False, type=_PATH)
@click.pass_context
def import_bundle(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    site: str | None,
    runtime_id: str | None,
    remove: bool,
    file: Path | None,
) -> None:
    """Trust another site by its bundle, or one runtime by its key (PEM certificate or key).

    Example: trust-runtime pki import-bundle --project a --site site-b site-b.pem

    Example: trust-runtime pki import-bundle --project a --pin runtime-b runtime-b.crt
    """
    if (site is None) == (runtime_id is None):
        raise click.UsageError("Give either --site or --pin.")
    _one_of(file, remove)
    folder = chosen_project(ctx, project) or Path()
    if site is not None:
        place = ProjectIdentity(folder).import_bundle(site, file)
        click.echo(f"{site}: removed {place}" if remove else f"{site}: trusted by {place}")
    elif runtime_id is not None:
        runtime = parse_runtime_id(runtime_id)
        pin = ProjectRecords(folder).pin(runtime, file)
        click.echo(f"{runtime}: pin removed" if pin is None else f"{runtime}: pinned {pin}")


@pki.command("export-bundle")
@project_option
@click.option("--ca", type=_PATH, help="Folder of the CA.")
@click.option("--out", type=_PATH, help="File to write.  [default: standard output]")
@click.pass_context
def export_bundle(
    ctx: click.Context, /, *, project: Path | None, ca: Path | None, out: Path | None
) -> None:
    """Write the site's trust bundle: certificates that others need to know its runtimes.

    Example: trust-runtime pki export-bundle --ca pki/site-a --out site-a.pem
    """
    _hand_over(_exported(ctx, project, ca=ca, crl=False), out)


@pki.command("export-crl")
@project_option
@click.option("--ca", type=_PATH, help="Folder of the CA.")
@click.option("--out", type=_PATH, help="File to write.  [default: standard output]")
@click.pass_context
def export_crl(
    ctx: click.Context, /, *, project: Path | None, ca: Path | None, out: Path | None
) -> None:
    """Write the site's revocation list, signed by its CA.

    Example: trust-runtime pki export-crl --ca pki/site-a --out site-a.crl
    """
    _hand_over(_exported(ctx, project, ca=ca, crl=True), out)


@pki.command("import-crl")
@project_option
@click.option("--site", help="Site whose list it is.  [default: the project's own]")
@click.option("--remove", is_flag=True, help="Remove it: whom it names is let in again.")
@click.argument("file", required=False, type=_PATH)
@click.pass_context
def import_crl(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    site: str | None,
    remove: bool,
    file: Path | None,
) -> None:
    """Refuse the runtimes that a site revoked; a running process follows within 2 s.

    Example: trust-runtime pki import-crl --project a --site site-b site-b.crl
    """
    _one_of(file, remove)
    identity = ProjectIdentity(chosen_project(ctx, project) or Path())
    place, count = identity.import_crl(site, file)
    whose = site or identity.site
    told = f"removed {place}" if remove else f"{count} revoked by {place}"
    click.echo(f"{whose}: {told}")


def _exported(ctx: click.Context, project: Path | None, *, ca: Path | None, crl: bool) -> bytes:
    if ca is not None and project is not None:
        raise click.UsageError("Give either --ca or --project.")
    if ca is not None:
        return certifying.export_of_ca(ca, crl=crl)
    return ProjectIdentity(chosen_project(ctx, project) or Path()).export(crl=crl)


def _hand_over(content: bytes, out: Path | None) -> None:
    if out is None:
        click.echo(content.decode(), nl=False)
        return
    certifying.write_file(out, content)
    click.echo(f"wrote         {out}")


def _one_of(file: Path | None, remove: bool) -> None:  # noqa: FBT001 - it is one of the two
    if remove == (file is not None):
        raise click.UsageError("Give either FILE or --remove.")


def _bundle_line(bundle: dict[str, Any]) -> str:
    revoked = f", {bundle['revoked']} revoked" if bundle.get("revoked") else ""
    prints = " ".join(bundle["fingerprints"])
    return f"bundle        {bundle['site']}  until {day(bundle['not_after_s'])}{revoked}  {prints}"
