"""`bench WORKLOAD`: measure, print, judge (contract 3.3, 17.1)."""

from pathlib import Path

import click

from trust_runtime.bench import plot as svg
from trust_runtime.bench import table
from trust_runtime.bench.catalog import LATER, WORKLOADS
from trust_runtime.bench.figures import percentile
from trust_runtime.bench.report import Options, Report, to_json
from trust_runtime.cli.options import echo_json
from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.errors import ExitCode


def _known(_ctx: click.Context, _parameter: click.Parameter, name: str) -> str:
    if name in LATER:
        raise click.UsageError(f"workload '{name}' is not in this version.")
    if name not in WORKLOADS:
        raise click.UsageError(
            f"no such workload '{name}'{nearest(name, list(WORKLOADS))}; there are"
            f" {', '.join(WORKLOADS)}."
        )
    return name


@click.command()
@click.argument("workload", callback=_known)
@click.option("--samples", type=click.IntRange(1, 1_000_000), help="Values of each series.")
@click.option(
    "--fanout",
    type=click.IntRange(1, 256),
    default=3,
    show_default=True,
    help="Targets of a dispatch.",
)
@click.option("--payload-bytes", type=click.IntRange(8, 1_048_576), help="Size of a message.")
@click.option("--tls", is_flag=True, help="Not in this version.")
@click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for tools.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw the samples as SVG.")
@click.option("--max-p95-us", type=click.FloatRange(min=0), help="Exit 12 above this p95.")
def bench(
    *,
    workload: str,
    samples: int | None,
    fanout: int,
    payload_bytes: int | None,
    tls: bool,
    output: str,
    plot: Path | None,
    max_p95_us: float | None,
) -> int:
    """Measure one WORKLOAD on this machine, beside references that run in the same rounds.

    Workloads: dispatch, mesh-zenoh, preflight, preflight-http, state-http, presence, audit,
    startup.

    Example: trust-runtime bench dispatch --fanout 3 --plot dispatch.svg
    """
    if tls:
        raise click.UsageError("'--tls' is not in this version.")
    chosen = WORKLOADS[workload]
    report = chosen.run(
        Options(
            samples=samples or chosen.samples,
            fanout=fanout,
            payload_bytes=payload_bytes or chosen.payload_bytes,
        )
    )
    if output == "json":
        echo_json(to_json(report))
    else:
        click.echo(table.render(report), nl=False)
    if plot is not None:
        _write(plot, svg.render(report))
    return _judge(report, max_p95_us)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from error


def _judge(report: Report, max_p95_us: float | None) -> int:
    """Return 12 when the headline's p95 is above the limit, saying so."""
    found = percentile(report.judged.values_us, 95)
    if max_p95_us is None or found <= max_p95_us:
        return ExitCode.OK
    click.echo(f"error: {report.headline} p95 is {found:.1f} us, above {max_p95_us:g} us", err=True)
    return ExitCode.TEST
