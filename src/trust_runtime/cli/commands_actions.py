"""`actions preflight`, `actions dispatch` and `actions show`."""

import json
from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.app.asking import new_request_id
from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import echo_json, printable
from trust_runtime.cli.receipt_files import read_receipt, write_receipt
from trust_runtime.cli.tables import decision_lines, table
from trust_runtime.client import Client
from trust_runtime.contracts.action_rows import ActionRow
from trust_runtime.contracts.actions import ActionRequest, ActionType, OnDenied
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.errors import ContractViolation, ExitCode
from trust_runtime.contracts.receipt import RECEIPT_LIFETIME_S, MovedFact
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
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path),
    help="Write the sealed receipt of an allowed decision there.",
)
@asking_options
@click.pass_context
def preflight(
    ctx: click.Context,
    /,
    *,
    as_json: bool,
    every_check: bool,
    receipt_file: Path | None,
    **asked: Any,
) -> int:
    """Ask whether an action would be allowed on each target, and exactly why not; do nothing.

    Exit 1 when it would be denied; then no receipt is written.

    Example: trust-runtime actions preflight status_read --target runtime-b
    """
    with connect(ctx, asked) as client:
        wanted = True if receipt_file else None
        decision = client.preflight(_request(client, "preflight", asked, want_receipt=wanted))
    if receipt_file is not None and decision.receipt is not None:
        write_receipt(receipt_file, decision.receipt)
    if as_json:
        echo_json(decision)
    else:
        for line in decision_lines(decision, every_check=every_check):
            click.echo(line)
        if receipt_file is not None:
            click.echo(_receipt_line(decision, receipt_file))
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
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path),
    help="A receipt of preflight: nothing is sent when a fact has moved since.",
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
    receipt_file: Path | None,
    **asked: Any,
) -> int:
    """Carry an action out on every target; exit 1 unless all of them did it.

    With --receipt the request must be that of the preflight; its request id is taken over.

    Example: trust-runtime actions dispatch cfg_apply --target runtime-b --param log.level=debug
    """
    more: dict[str, Any] = {
        "dry_run": dry_run,
        "on_denied": OnDenied(on_denied),
        "query_budget_ms": budget_ms,
    }
    if receipt_file is not None:
        receipt = more["receipt"] = read_receipt(receipt_file)
        asked["request_id"] = asked["request_id"] or receipt.facts.request_id
    with connect(ctx, asked) as client:
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


def _receipt_line(decision: Preflight, file: Path) -> str:
    if decision.receipt is None:
        return f"no receipt: what is denied gets none; {printable(str(file))} is not written"
    minutes = RECEIPT_LIFETIME_S // 60
    return f"receipt: {printable(str(file))}, good for {minutes} minutes"


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
    return [printable(head), *table(_RESULTS, rows), *_reuse_lines(row)]


def _reuse_lines(row: ActionRow) -> list[str]:
    reuse = row.refused_reuse
    if reuse is None:
        return []
    said = f"{reuse.count} other request(s) under this id were refused, last {reuse.action_type}"
    why = f"{reuse.denial_code or 'refused'}: {reuse.denial_reason or 'no reason given'}"
    records = f" ({', '.join(reuse.audit_ids)})" if reuse.audit_ids else ""
    return [printable(f"{said} by {reuse.actor}: {why}{records}")]


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
    lines += [_moved_line(one) for one in report.moved]
    if not report.preflight.allowed:
        lines += decision_lines(report.preflight)
    return lines


def _moved_line(one: MovedFact) -> str:
    told = f"{one.fact} of {one.runtime_id}: {one.expected or '-'} -> {one.found or '-'}"
    return f"moved: {printable(told)} (seen by the {one.seen_by})"


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
        try:
            return parse_object(text.encode())
        except ContractViolation as error:
            raise click.UsageError(f"--payload: {error}.") from error
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
