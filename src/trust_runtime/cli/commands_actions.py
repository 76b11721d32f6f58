"""`actions preflight`, `actions dispatch` and `actions show`."""

import json
from typing import Any, Final

import click

from trust_runtime.app.asking import new_request_id
from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.tables import decision_lines, table
from trust_runtime.client import Client
from trust_runtime.contracts.action_rows import ActionRow
from trust_runtime.contracts.actions import ActionRequest, ActionType, OnDenied
from trust_runtime.contracts.errors import ExitCode
from trust_runtime.contracts.results import DispatchReport
from trust_runtime.contracts.strict_json import parse_object
from trust_runtime.contracts.units import API_VERSION

_ACTOR: Final = "local://cli"
_RESULTS: Final = ("runtime", "status", "code", "reason", "audit id")


def _request_options(command: Any) -> Any:
    for option in (
        click.option("--actor", default=_ACTOR, show_default=True, help="Whom you act for."),
        click.option("--request-id", help="To repeat a write safely; made anew when left out."),
        click.option("--payload", "payload_text", help="The whole payload as JSON."),
        click.option(
            "--param", "params", multiple=True, metavar="KEY=JSON", help="A parameter, repeatable."
        ),
        click.option("--command", "verb", help="The verb of a cmd_invoke."),
        click.option(
            "--target", "targets", multiple=True, required=True, help="A runtime, repeatable."
        ),
        click.argument("action_type", type=click.Choice([one.value for one in ActionType])),
    ):
        command = option(command)
    return command


@click.group()
def actions() -> None:
    """Ask whether an action would be allowed, and carry it out."""


@actions.command()
@_request_options
@click.option("--all", "every_check", is_flag=True, help="Show passing checks too.")
@asking_options
@click.pass_context
def preflight(ctx: click.Context, /, *, as_json: bool, every_check: bool, **asked: Any) -> int:
    """Ask whether an action would be allowed on each target, and exactly why not; do nothing.

    Exit 1 when it would be denied.

    Example: trust-runtime actions preflight status_read --target runtime-b
    """
    with connect(ctx, asked) as client:
        decision = client.preflight(_request(client, "preflight", asked))
    if as_json:
        echo_json(decision)
    else:
        for line in decision_lines(decision, every_check=every_check):
            click.echo(line)
    return ExitCode.OK if decision.allowed else ExitCode.ERROR


@actions.command()
@_request_options
@click.option("--dry-run", is_flag=True, help="Decide and record, execute nothing.")
@click.option(
    "--on-denied",
    type=click.Choice([one.value for one in OnDenied]),
    default=OnDenied.ABORT.value,
    show_default=True,
    help="What happens to allowed targets when another one is denied.",
)
@click.option("--budget-ms", type=click.IntRange(0, 10_000), help="Time for all targets.")
@asking_options
@click.pass_context
def dispatch(
    ctx: click.Context,
    /,
    *,
    as_json: bool,
    dry_run: bool,
    on_denied: str,
    budget_ms: int | None,
    **asked: Any,
) -> int:
    """Carry an action out on every target; exit 1 unless all of them did it.

    Example: trust-runtime actions dispatch cfg_apply --target runtime-b --param log.level=debug
    """
    with connect(ctx, asked) as client:
        more = {"dry_run": dry_run, "on_denied": OnDenied(on_denied), "query_budget_ms": budget_ms}
        report = client.dispatch(_request(client, "dispatch", asked, **more))
    if as_json:
        echo_json(report)
    else:
        for line in report_lines(report):
            click.echo(line)
    return ExitCode.OK if report.ok else ExitCode.ERROR


@actions.command()
@click.argument("request_id")
@asking_options
@click.pass_context
def show(ctx: click.Context, /, *, request_id: str, as_json: bool, **asked: Any) -> int:
    """Show what became of a dispatch, as far as its origin knows; exit 1 unless all is ok.

    Example: trust-runtime actions show req-quickstart-cfg-1
    """
    if not request_id.strip():
        raise click.UsageError("REQUEST_ID is blank.")
    with connect(ctx, asked) as client:
        row = client.action(request_id)
    if as_json:
        echo_json(row)
    else:
        for line in row_lines(row):
            click.echo(line)
    return ExitCode.OK if row.report.ok else ExitCode.ERROR


def row_lines(row: ActionRow) -> list[str]:
    """Return what is known of each target of a dispatch."""
    rows = [
        (
            one.runtime_id,
            one.status or "still out",
            one.denial_code or "",
            one.denial_reason or "",
            one.audit_id or "",
        )
        for one in row.report.results
    ]
    head = f"{row.state}: {row.action_type} by {row.actor}, request {row.request_id}"
    return [printable(head), *table(_RESULTS, rows)]


def report_lines(report: DispatchReport) -> list[str]:
    """Return what became of each target; where the decision denied, the decision as well."""
    rows = [
        (
            result.runtime_id,
            result.status + (" (again)" if result.replayed else ""),
            result.denial_code or "",
            result.denial_reason or "",
            result.audit_id or "",
        )
        for result in report.results
    ]
    verdict = "ok" if report.ok else "not ok"
    lines = [f"{verdict}: request {printable(report.request_id)}"]
    lines += table(_RESULTS, rows) if rows else []
    if not report.preflight.allowed:
        lines += decision_lines(report.preflight)
    return lines


def _request(client: Client, purpose: str, asked: dict[str, Any], **more: Any) -> ActionRequest:
    return ActionRequest(
        api_version=API_VERSION,
        request_id=asked["request_id"] or new_request_id(purpose),
        connected_via=client.state().context.connected_via,
        target_runtimes=list(asked["targets"]),
        actor=asked["actor"],
        action_type=asked["action_type"],
        payload=_payload(asked),
        **more,
    )


def _payload(asked: dict[str, Any]) -> dict[str, Any]:
    text, verb, params = asked["payload_text"], asked["verb"], asked["params"]
    if text is not None:
        if verb or params:
            raise click.UsageError("Give either --payload, or --command and --param.")
        return parse_object(text.encode())
    payload: dict[str, Any] = {} if verb is None else {"command": verb}
    if params:
        payload["params"] = dict(_parameter(one) for one in params)
    return payload


def _parameter(text: str) -> tuple[str, Any]:
    """Return name and value of `KEY=JSON`; what is no JSON is a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--param {text!r}: write KEY=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
