"""`pki init`, `issue`, `renew`, `revoke`: a site's CA and what it signs (contract 2.5)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from trust_runtime.app import certifying
from trust_runtime.app.certifying import Made, ProjectIdentity
from trust_runtime.cli.options import chosen_project, project_option

_DAYS_MAX: Final = 36_500
_PATH: Final = click.Path(path_type=Path)
_HOST_HELP: Final = "Further DNS name or IP address; may be repeated."

days_option = click.option(
    "--days",
    type=click.IntRange(1, _DAYS_MAX),
    default=397,
    show_default=True,
    help="How long it is valid; never longer than the CA.",
)
host_option = click.option("--host", "hosts", multiple=True, help=_HOST_HELP)


@click.command()
@click.option("--site", required=True, help="Site the CA vouches for.")
@click.option("--ca", type=_PATH, help="Folder of the CA.  [default: ./pki/SITE]")
@click.option(
    "--days", type=click.IntRange(1, _DAYS_MAX), default=3650, show_default=True, help="Validity."
)
def init(*, site: str, ca: Path | None, days: int) -> None:
    """Make the certificate authority (CA) of a site.

    Example: trust-runtime pki init --site site-a
    """
    made = certifying.init_ca(site, ca, days=days)
    _tell("CA of", made)
    folder = made.written[0].parent
    click.echo(f"next: trust-runtime pki issue --ca {folder} --project DIR, for each runtime")
    click.echo(f"Keep {folder} off the runtimes: whoever has ca.key can speak as any of them.")


@click.command()
@project_option
@click.option("--ca", type=_PATH, help="Folder of the CA.")
@host_option
@days_option
@click.option("--csr-out", type=_PATH, help="Write a signing request instead, for another machine.")
@click.option("--csr", type=_PATH, help="Sign this request instead of a project's key.")
@click.option("--out", type=_PATH, help="Where the certificate for --csr goes.")
@click.option("--cert", type=_PATH, help="Install this certificate, made from --csr-out.")
@click.option("--ca-cert", type=_PATH, help="CA certificate that signed --cert.")
@click.pass_context
def issue(  # noqa: PLR0913 - one parameter each option of the contract
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    ca: Path | None,
    hosts: tuple[str, ...],
    days: int,
    csr_out: Path | None,
    csr: Path | None,
    out: Path | None,
    cert: Path | None,
    ca_cert: Path | None,
) -> None:
    """Issue the certificate of a runtime and install it in its project.

    Example: trust-runtime pki issue --ca pki/site-a --project runtime-plant

    For a key that never leaves its machine there are three steps. There: --csr-out FILE; at the
    CA: --csr FILE --out FILE; there again: --cert FILE --ca-cert FILE.
    """
    way = [bool(csr_out), bool(csr), bool(cert)]
    if sum(way) > 1 or bool(csr) != bool(out) or bool(cert) != bool(ca_cert):
        raise click.UsageError("Give --csr-out, or --csr with --out, or --cert with --ca-cert.")
    if csr is not None and out is not None:
        _tell("issued", certifying.sign_request(_needed(ca), csr, out, hosts=hosts, days=days))
        click.echo(
            "next, at the runtime: trust-runtime pki issue --project DIR --cert FILE"
            " --ca-cert CA_BUNDLE"
        )
        return
    if ca is not None and (csr_out or cert):
        raise click.UsageError("--ca does not go with --csr-out or --cert.")
    identity = ProjectIdentity(chosen_project(ctx, project) or Path())
    if csr_out is not None:
        _tell("request of", identity.request(csr_out, hosts=hosts))
        click.echo("next, at the CA: trust-runtime pki issue --ca DIR --csr FILE --out FILE")
    elif cert is not None and ca_cert is not None:
        _tell("installed", identity.install(cert, ca_cert))
    else:
        _tell("issued", identity.issue(_needed(ca), hosts=hosts, days=days))
        click.echo(f"next: trust-runtime pki show --project {identity.folder}")


@click.command()
@project_option
@click.option("--ca", type=_PATH, required=True, help="Folder of the CA.")
@host_option
@days_option
@click.option("--new-key", is_flag=True, help="Make a new key too; what signed before is gone.")
@click.pass_context
def renew(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    ca: Path,
    hosts: tuple[str, ...],
    days: int,
    new_key: bool,
) -> None:
    """Renew the certificate of a runtime; a running process takes it up within 2 s.

    Example: trust-runtime pki renew --ca pki/site-a --project runtime-plant
    """
    identity = ProjectIdentity(chosen_project(ctx, project) or Path())
    _tell("renewed", identity.renew(ca, hosts=hosts, days=days, new_key=new_key))
    if new_key:
        click.echo(
            "The key is new: peers in profile dev must pin it, with pki import-bundle --pin."
        )


@click.command()
@click.option("--ca", type=_PATH, required=True, help="Folder of the CA.")
@click.argument("which", metavar="ID")
def revoke(*, ca: Path, which: str) -> None:
    """Revoke certificates: by serial, fingerprint, or all of one runtime by its id.

    Example: trust-runtime pki revoke --ca pki/site-a site-a/runtime-plant
    """
    found, place = certifying.revoke(ca, which)
    for one in found:
        click.echo(f"revoked       {one.runtime_id}  serial {one.serial}")
    click.echo(f"wrote         {place}")
    click.echo(
        f"next: trust-runtime pki export-crl --ca {ca} --out FILE, then at every runtime"
        " trust-runtime pki import-crl --project DIR FILE"
    )


def _needed(ca: Path | None) -> Path:
    if ca is None:
        raise click.UsageError("Missing option '--ca'.")
    return ca


def _tell(what: str, made: Made) -> None:
    until = "" if made.not_after_s is None else f", valid until {day(made.not_after_s)}"
    click.echo(f"{what} {made.what}{until}")
    if made.fingerprint is not None:
        click.echo(f"fingerprint   {made.fingerprint}")
    if made.hosts:
        click.echo(f"names         {', '.join(made.hosts)}")
    for path in made.written:
        click.echo(f"wrote         {path}")
    for path in made.kept:
        click.echo(f"kept          {path}: it is not of this identity")


def day(at_s: int) -> str:
    """Return an instant for people, to the minute, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
