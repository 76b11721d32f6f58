"""`config get|set|diff|history|rollback`."""

import json
from typing import Any, Final

import click
from msgspec import structs

from trust_runtime.app.asking import new_request_id
from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.config_comparison import compare, comparison_lines, state_line
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.tables import table
from trust_runtime.cli.times import moment, utc_option
from trust_runtime.client.calls import conflict_of
from trust_runtime.contracts.codec import encode_json, to_plain
from trust_runtime.contracts.config import ConfigRollback, ConfigView, DesiredWrite
from trust_runtime.contracts.errors import ExitCode, Refused
from trust_runtime.contracts.pages import DesiredDone
from trust_runtime.contracts.units import API_VERSION

_ACTOR: Final = "local://cli"


def _target_option(command: Any) -> Any:
    return click.option("--target", help="Another runtime of the fleet.")(command)


def _write_options(command: Any) -> Any:
    for option in (
        click.option("--actor", default=_ACTOR, show_default=True, help="Whom you act for."),
        click.option("--request-id", help="To repeat the write safely."),
        click.option("--expected-revision", type=int, help="Refuse when it is another one."),
    ):
        command = option(command)
    return command


@click.group()
def config() -> None:
    """Read and write configuration, of any runtime of the fleet."""


@config.command()
@click.argument("keys", nargs=-1)
@_target_option
@asking_options
@click.pass_context
def get(
    ctx: click.Context,
    /,
    *,
    keys: tuple[str, ...],
    target: str | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Show KEYS, or all of them, with the value in force and where it comes from.

    Example: trust-runtime config get log.level --target runtime-b
    """
    with connect(ctx, asked) as client:
        view = client.config(target)
    wanted = keys or tuple(sorted(view.effective))
    missing = [key for key in wanted if key not in view.effective]
    if as_json:
        echo_json(_only(view, keys) if keys else view)
        return _tell_missing(missing)
    rows = [
        (key, _json(view.effective[key]), view.sources.get(key, "-"))
        for key in wanted
        if key in view.effective
    ]
    for line in table(("key", "value", "from"), rows) if rows else []:
        click.echo(line)
    click.echo(state_line(view))
    return _tell_missing(missing)


@config.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=JSON...")
@_target_option
@_write_options
@asking_options
@click.pass_context
def set_(
    ctx: click.Context,
    /,
    *,
    assignments: tuple[str, ...],
    target: str | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Write keys; `KEY=null` takes a key back to the file's value. All or nothing.

    Example: trust-runtime config set log.level=debug --target runtime-b
    """
    write = DesiredWrite(
        api_version=API_VERSION,
        actor=asked.pop("actor"),
        desired=dict(_assignment(one) for one in assignments),
        expected_revision=asked.pop("expected_revision"),
        request_id=asked.pop("request_id") or new_request_id("config"),
    )
    with connect(ctx, asked) as client:
        try:
            done = client.write_config(write, target)
        except Refused as refused:
            return _refused(refused)
    return _written(done, as_json=as_json)


@config.command()
@_target_option
@click.option(
    "--against",
    metavar="REVISION|RUNTIME",
    help="Compare the newest desired revision with an older one, or what is in force with another"
    " runtime.",
)
@asking_options
@click.pass_context
def diff(
    ctx: click.Context,
    /,
    *,
    target: str | None,
    against: str | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Show the keys on which two documents differ; exit 1 when there are any.

    Without --against desired and reported: what was asked for and is not in force. With a number
    that revision of the desired document (0: the empty one) and the newest; with the id of a
    runtime all values in force there and here.

    Example: trust-runtime config diff --target runtime-b --against 0
    """
    with connect(ctx, asked) as client:
        view = client.config(target)
        found = compare(client, view, target=target, against=against)
    if as_json:
        echo_json({"runtime_id": view.runtime_id, **to_plain(found)})
    else:
        for line in comparison_lines(found):
            click.echo(line)
        click.echo(state_line(view))
    return ExitCode.ERROR if found.differences else ExitCode.OK


@config.command()
@_target_option
@click.option(
    "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most."
)
@click.option("--before", type=int, help="Only revisions below this one.")
@utc_option
@asking_options
@click.pass_context
def history(
    ctx: click.Context,
    /,
    *,
    target: str | None,
    limit: int,
    before: int | None,
    as_json: bool,
    utc: bool,
    **asked: Any,
) -> None:
    """Show who changed what, newest first.

    Example: trust-runtime config history --limit 5
    """
    with connect(ctx, asked) as client:
        found = client.config_history(target, limit=limit, before=before)
    if as_json:
        echo_json(found)
        return
    rows = [
        (
            str(one.revision),
            one.kind,
            moment(one.created_at_ns, utc=utc),
            one.actor,
            _json(one.patch),
        )
        for one in found.items
    ]
    head = ("revision", "kind", "time", "actor", "patch")
    for line in table(head, rows) if rows else ["no revision yet"]:
        click.echo(line)


@config.command()
@click.argument("revision", type=click.IntRange(min=0))
@_target_option
@_write_options
@asking_options
@click.pass_context
def rollback(
    ctx: click.Context,
    /,
    *,
    revision: int,
    target: str | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Make a new revision that equals an old one.

    Example: trust-runtime config rollback 3 --target runtime-b
    """
    wanted = ConfigRollback(
        api_version=API_VERSION,
        actor=asked.pop("actor"),
        revision=revision,
        expected_revision=asked.pop("expected_revision"),
        request_id=asked.pop("request_id") or new_request_id("rollback"),
    )
    with connect(ctx, asked) as client:
        try:
            done = client.roll_back_config(wanted, target)
        except Refused as refused:
            return _refused(refused)
    return _written(done, as_json=as_json)


def _written(done: DesiredDone, *, as_json: bool) -> int:
    if as_json:
        echo_json(done)
        return ExitCode.OK
    revision = "" if done.meta is None else f" revision {done.meta.desired_revision}"
    verdict = f"changed:{revision}" if done.changed else f"unchanged:{revision}"
    state = "" if done.status is None else f", {done.status.state.replace('_', ' ')}"
    click.echo(f"{verdict}{state}" + (" (done before)" if done.replayed else ""))
    waiting = () if done.status is None else done.status.restart_required or ()
    if waiting:
        click.echo(f"in force after a restart: {', '.join(waiting)}")
    return ExitCode.OK


def _refused(refused: Refused) -> int:
    """Show a refusal, and the present documents where they are the reason."""
    conflict = conflict_of(refused)
    if conflict is None:
        raise refused
    click.echo(f"error: {printable(refused.reason)}", err=True)
    click.echo(f"remedy: {printable(refused.remedy)}", err=True)
    click.echo(
        f"now: revision {conflict.meta.desired_revision} {conflict.meta.desired_etag}", err=True
    )
    for key, value in sorted(conflict.desired.items()):
        click.echo(f"  {printable(key)} = {printable(_json(value))}", err=True)
    return ExitCode.ERROR


def _only(view: ConfigView, keys: tuple[str, ...]) -> ConfigView:
    """Return the view with nothing but these keys."""
    return structs.replace(
        view,
        desired={key: value for key, value in view.desired.items() if key in keys},
        reported={key: value for key, value in view.reported.items() if key in keys},
        effective={key: value for key, value in view.effective.items() if key in keys},
        sources={key: value for key, value in view.sources.items() if key in keys},
    )


def _tell_missing(keys: list[str]) -> ExitCode:
    for key in keys:
        click.echo(f"error: {printable(key)} has no value here", err=True)
    if keys:
        click.echo("remedy: see trust-runtime config get for every key", err=True)
    return ExitCode.ERROR if keys else ExitCode.OK


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{text!r}: write KEY=VALUE.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _json(value: Any) -> str:
    return encode_json(value).decode()
