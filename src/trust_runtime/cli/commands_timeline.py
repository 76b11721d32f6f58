"""`timeline`: what happened, and what happens."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import click

from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.tables import table
from trust_runtime.cli.times import moment, since_of, utc_option
from trust_runtime.client import Client
from trust_runtime.contracts.codec import convert, encode_json
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.timeline import Category, TimelineEvent

_HEAD: Final = ("time", "severity", "category", "runtime", "what")


@click.command()
@click.option(
    "--since",
    help="An instant such as 2026-11-24T22:00:00+01:00, an event id, or nanoseconds since 1970.",
)
@click.option(
    "--category", type=click.Choice([one.value for one in Category]), help="Only this category."
)
@click.option("--runtime", help="Only about this runtime.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most."
)
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl+C.")
@utc_option
@asking_options
@click.pass_context
def timeline(
    ctx: click.Context,
    /,
    *,
    as_json: bool,
    utc: bool,
    since: str | None,
    category: str | None,
    runtime: str | None,
    limit: int,
    follow: bool,
    **asked: Any,
) -> None:
    """Show what happened, oldest first; without --since the newest events.

    Example: trust-runtime timeline --since 2026-11-24T22:00:00Z --category communication
    """
    with connect(ctx, asked) as client:
        page = client.timeline(
            since=since_of(since),
            category=None if category is None else Category(category),
            runtime=runtime,
            limit=limit,
        )
        if as_json:
            echo_json(page)
        else:
            for line in event_lines(page.items, utc=utc):
                click.echo(line)
            if page.next_since is not None:
                click.echo(f"more: --since {page.next_since}", err=True)
        if follow:
            with suppress(KeyboardInterrupt):
                _follow(client, category=category, runtime=runtime, as_json=as_json, utc=utc)


def event_lines(events: Iterable[TimelineEvent], *, utc: bool = False) -> list[str]:
    """Return events as a table."""
    rows = [
        (moment(one.timestamp_ns, utc=utc), one.severity, one.category, one.runtime_id, one.summary)
        for one in events
    ]
    return table(_HEAD, rows) if rows else ["nothing happened"]


def _follow(
    client: Client, *, category: str | None, runtime: str | None, as_json: bool, utc: bool
) -> None:
    for message in client.events():
        if message.event != "timeline":
            continue
        try:
            event = convert(message.data, TimelineEvent, known_only=False)
        except ContractViolation:
            continue
        if category in (None, event.category) and runtime in (None, event.runtime_id):
            text = encode_json(event).decode() if as_json else _line(event, utc=utc)
            click.echo(text)


def _line(event: TimelineEvent, *, utc: bool) -> str:
    when = moment(event.timestamp_ns, utc=utc)
    return printable(f"{when}  {event.severity}  {event.runtime_id}  {event.summary}")
