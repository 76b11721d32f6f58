"""`audit list|show|verify|export`."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from trust_runtime.app.records import ProjectRecords
from trust_runtime.cli.asking import client_of
from trust_runtime.cli.options import (
    chosen_project,
    echo_json,
    json_option,
    printable,
    project_option,
)
from trust_runtime.cli.tables import table
from trust_runtime.cli.times import moment, utc_option
from trust_runtime.contracts.audit import AuditFilter, AuditRecord
from trust_runtime.contracts.codec import encode_json, to_plain
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import ExitCode, Refused
from trust_runtime.contracts.ids import parse_runtime_id
from trust_runtime.contracts.witness import FleetAudit, Standing

_HEAD = (
    *("seq", "time", "action", "from -> to", "actor", "result", "code", "request id"),
    "audit id",
)
_UNDOUBTED = (Standing.OK, Standing.NOT_VERIFIED)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _records(ctx: click.Context, project: Path | None) -> ProjectRecords:
    return ProjectRecords(chosen_project(ctx, project) or Path())


def endpoint_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--endpoint`."""
    return click.option("--endpoint", help="Ask this runtime over HTTP instead.")(command)


@click.group()
def audit() -> None:
    """Look into the audit records of a project, whether it runs or not."""


@audit.command("list")
@project_option
@endpoint_option
@json_option
@utc_option
@click.option("--request-id", help="Only this request.")
@click.option("--actor", help="Only this claim.")
@click.option("--runtime", help="Only records from or to this runtime.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most."
)
@click.pass_context
def list_(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    endpoint: str | None,
    as_json: bool,
    utc: bool,
    limit: int,
    **only: str | None,
) -> None:
    """List records, newest first; --json has every field of them.

    Example: trust-runtime audit list --project ~/trust-cloud-demo/runtime-a --limit 5
    """
    if endpoint is None:
        wanted = structs.replace(AuditFilter(limit=limit), **only)
        records = _records(ctx, project).list(wanted)
    else:
        with client_of(endpoint) as client:
            records = client.audit(**only, limit=limit).items
    if as_json:
        echo_json({"items": records})
        return
    rows = [_row(record, utc=utc) for record in records]
    for line in table(_HEAD, rows) if rows else ["no record"]:
        click.echo(line)


@audit.command()
@click.argument("audit_id")
@project_option
@endpoint_option
@json_option
@click.pass_context
def show(
    ctx: click.Context,
    /,
    *,
    audit_id: str,
    project: Path | None,
    endpoint: str | None,
    as_json: bool,
) -> int:
    """Show every record of one audit id; exit 1 when there is none here.

    Example: trust-runtime audit show AUDIT_ID --project ~/trust-cloud-demo/runtime-b
    """
    if not audit_id.strip():
        raise click.UsageError("AUDIT_ID is blank.")
    if endpoint is None:
        records = _records(ctx, project).find(audit_id)
    else:
        records = _find(endpoint, audit_id)
    if as_json:
        echo_json({"records": records})
    else:
        for record in records:
            when = {"time": moment(record["timestamp_ns"])}
            for name, value in {**when, **record}.items():
                click.echo(printable(f"{name:<15} {value}"))
            click.echo()
    if not records:
        click.echo(f"error: no record of {audit_id} here", err=True)
        click.echo("remedy: check the id, and the project it was recorded in", err=True)
        return ExitCode.ERROR
    return ExitCode.OK


@audit.command()
@project_option
@json_option
@click.option("--fleet", is_flag=True, help="Compare with what all other runtimes hold.")
@click.pass_context
def verify(ctx: click.Context, /, *, project: Path | None, as_json: bool, fleet: bool) -> int:
    """Recompute the hash chain; exit 1 naming the first bad record.

    With --fleet every runtime that is online is asked for its own result and for the heads it
    holds of all others; exit 1 unless every log verifies and continues every head.

    Example: trust-runtime audit verify --project ~/trust-cloud-demo/runtime-a
    """
    if fleet:
        return _verify_fleet(_records(ctx, project).verify_fleet(), as_json=as_json)
    report = _records(ctx, project).verify()
    problem = report.problem
    if as_json:
        echo_json(report)
    elif problem is None:
        click.echo(f"ok: {report.records} records, head {report.head.seq} {report.head.hash}")
    else:
        where = "state.db" if problem.seq is None else f"record {problem.seq}"
        click.echo(f"error: {where}: {problem.detail}", err=True)
        click.echo(
            "remedy: keep the file as evidence, restore a backup, or start anew with"
            " trust-runtime run --reset-state",
            err=True,
        )
    return ExitCode.OK if problem is None else ExitCode.ERROR


@audit.command()
@click.argument("runtime_id")
@project_option
@click.pass_context
def accept(ctx: click.Context, /, *, runtime_id: str, project: Path | None) -> None:
    """Take the present log of RUNTIME_ID as the true one, after its contradiction was looked into.

    Example: trust-runtime audit accept runtime-b --project ~/trust-cloud-demo/runtime-a
    """
    runtime = parse_runtime_id(runtime_id)
    accepted = _records(ctx, project).accept_log(runtime)
    click.echo(f"{runtime}: " + ("accepted" if accepted else "was not contradicted"))


@audit.command()
@project_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    help="JSON lines or CSV.",
)
@click.option("--request-id", help="Only this request.")
@click.option("--actor", help="Only this claim.")
@click.option("--runtime", help="Only records from or to this runtime.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=1000, show_default=True, help="At most."
)
@click.pass_context
def export(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    out: Path,
    form: str,
    request_id: str | None,
    actor: str | None,
    runtime: str | None,
    limit: int,
) -> None:
    """Write records to a new file, newest first.

    Example: trust-runtime audit export --project ~/trust-cloud-demo/runtime-a --out audit.jsonl
    """
    wanted = AuditFilter(request_id=request_id, actor=actor, runtime=runtime, limit=limit)
    records = _records(ctx, project).list(wanted)
    text = _as_csv(records) if form == "csv" else _as_lines(records)
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise click.UsageError(f"cannot write {out}: {error.strerror}") from error
    click.echo(f"wrote {len(records)} records to {out}")


def _find(endpoint: str, audit_id: str) -> tuple[dict[str, Any], ...]:
    """Return the records a runtime has of one id; none is no error here."""
    with client_of(endpoint) as client:
        try:
            return tuple(to_plain(client.audit_records(audit_id).records))
        except Refused as refused:
            if refused.denial_code == DenialCode.PEER_NOT_AVAILABLE:
                return ()
            raise


def _verify_fleet(found: FleetAudit, *, as_json: bool) -> int:
    if as_json:
        echo_json(found)
        return ExitCode.OK if found.ok else ExitCode.ERROR
    for one in found.runtimes:
        head = "" if one.head is None else f"  head {one.head.seq}"
        held = f"  held by {', '.join(one.witnesses)}" if one.witnesses else "  held by nobody"
        detail = "" if one.detail is None else f"  {one.detail}"
        click.echo(f"{one.standing.replace('_', ' '):<13} {one.runtime_id}{head}{held}{detail}")
    for one in found.runtimes:
        if one.standing is Standing.NOT_VERIFIED:
            remedy = one.remedy or "verify again when it answers"
            click.echo(f"remedy: {one.runtime_id}: {remedy}", err=True)
    if any(one.standing not in _UNDOUBTED for one in found.runtimes):
        click.echo(
            "remedy: compare the logs named; when the cause is known and accepted,"
            " trust-runtime audit accept RUNTIME_ID",
            err=True,
        )
    return ExitCode.OK if found.ok else ExitCode.ERROR


def _row(record: AuditRecord, *, utc: bool) -> tuple[str, ...]:
    return (
        str(record.seq),
        moment(record.timestamp_ns, utc=utc),
        record.action_type + (f" {record.verb}" if record.verb else ""),
        f"{record.origin} -> {record.target or '-'}",
        record.actor,
        record.outcome or f"{record.decision} ({record.phase})",
        record.denial_code or "-",
        record.request_id,
        record.audit_id,
    )


def _as_lines(records: tuple[AuditRecord, ...]) -> str:
    return "".join(encode_json(record).decode() + "\n" for record in records)


def _as_csv(records: tuple[AuditRecord, ...]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(AuditRecord.__struct_fields__))
    writer.writeheader()
    for record in records:
        writer.writerow({name: _cell(value) for name, value in to_plain(record).items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
