"""`pair start|claim|list|revoke`: tokens for people and programs (contract 6.4)."""

import os
from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json
from trust_runtime.cli.tables import table
from trust_runtime.cli.times import moment
from trust_runtime.contracts.pairing import PairClaim, Pairing, PairStart
from trust_runtime.contracts.policy import Role

_HEAD: Final = ("token", "owner", "role", "sites", "ends", "last used", "valid")
_PRIVATE: Final = 0o600


@click.group()
def pair() -> None:
    """Give out tokens of limited role and life, see them, end them."""


@pair.command()
@click.argument("owner")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role if role is not Role.ADMIN]),
    required=True,
    help="What whoever has the token may do.",
)
@click.option("--site", "scope", multiple=True, help="Site its actors may be of; may be repeated.")
@click.option("--days", "token_days", type=int, help="How long the token is valid (30).")
@click.option("--replaces", help="Id of the owner's token that ends after the overlap.")
@click.option("--overlap", "overlap_s", type=int, help="Seconds both tokens are valid (600).")
@asking_options
@click.pass_context
def start(ctx: click.Context, /, *, owner: str, as_json: bool, **given: Any) -> None:
    """Show a code that OWNER can claim a token with, once, within five minutes.

    Example: trust-runtime pair start anna --role operator
    """
    names = ("role", "scope", "token_days", "replaces", "overlap_s")
    wanted = {name: given.pop(name) for name in names}
    scope = list(wanted.pop("scope")) or None
    with connect(ctx, given) as client:
        started = client.start_pairing(PairStart(owner=owner, scope=scope, **wanted))
    if as_json:
        echo_json(started)
        return
    click.echo(f"{started.code}  valid once, until {moment(started.expires_at_ns)}")
    click.echo("claim it with: trust-runtime pair claim --endpoint URL")


@pair.command()
@click.option("--code", prompt=True, envvar="TRUST_PAIR_CODE", help="As it was shown; else asked.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the token there, 0600."
)
@asking_options
@click.pass_context
def claim(
    ctx: click.Context, /, *, code: str, out: Path | None, as_json: bool, **asked: Any
) -> None:
    """Take the token of a code; it is shown now and never again.

    Example: trust-runtime pair claim --endpoint http://127.0.0.1:18081 --out ~/.trust-token
    """
    descriptor = None if out is None else _reserved(out)
    try:
        with connect(ctx, asked) as client:
            claimed = client.claim_pairing(PairClaim(code=code))
    except BaseException:
        if out is not None and descriptor is not None:
            os.close(descriptor)
            out.unlink()
        raise
    if descriptor is not None:
        with os.fdopen(descriptor, "w") as file:
            file.write(claimed.token + "\n")
    if as_json and descriptor is None:
        echo_json(claimed)
    elif descriptor is None:
        click.echo(claimed.token)
    else:
        until = moment(claimed.expires_at_ns)
        click.echo(f"{claimed.token_id} of {claimed.owner}, {claimed.role}, until {until}")


@pair.command("list")
@asking_options
@click.pass_context
def list_(ctx: click.Context, /, *, as_json: bool, **asked: Any) -> None:
    """Show every token that was given out, none of them itself.

    Example: trust-runtime pair list --project ~/trust-cloud-demo/runtime-a
    """
    with connect(ctx, asked) as client:
        page = client.pairings()
    if as_json:
        echo_json(page)
        return
    for line in table(_HEAD, [_row(one) for one in page.items]) if page.items else ["no token"]:
        click.echo(line)


@pair.command()
@click.argument("token_id")
@asking_options
@click.pass_context
def revoke(ctx: click.Context, /, *, token_id: str, as_json: bool, **asked: Any) -> None:
    """End a token at once and for ever.

    Example: trust-runtime pair revoke pt-0123456789abcdef
    """
    with connect(ctx, asked) as client:
        done = client.revoke_pairing(token_id)
    if as_json:
        echo_json(done)
    else:
        click.echo(f"revoked: {done.revoked.token_id} of {done.revoked.owner} ({done.audit_id})")


def _reserved(out: Path) -> int:
    """Make the file before the code is used up, readable for its owner alone from the start."""
    try:
        return os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}.") from error


def _row(one: Pairing) -> tuple[str, ...]:
    used = "never" if one.last_used_ns is None else moment(one.last_used_ns)
    return (
        one.token_id,
        one.owner,
        one.role,
        " ".join(one.scope),
        moment(one.expires_at_ns),
        used,
        "yes" if one.enabled else "no",
    )
