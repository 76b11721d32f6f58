"""`play`, `run`, `validate`."""

from pathlib import Path

import click

from trust_runtime.app import play as app
from trust_runtime.app.projects import find_project
from trust_runtime.app.repair import reset_state as move_state_aside
from trust_runtime.app.validate import validate_project
from trust_runtime.cli.options import chosen_project, echo_json, json_option, project_option
from trust_runtime.contracts.errors import ExitCode, StartRefused

_ENGINE_FLAGS = (
    click.option("--restart", type=click.Choice(["cold", "warm"]), help="Not in this version."),
    click.option("--simulation", is_flag=True, help="Not in this version."),
    click.option("--time-scale", type=int, help="Not in this version."),
)


@click.command()
@project_option
@click.option("--no-console", is_flag=True, help="Accepted, no effect.")
@click.option("--ignore-desired", is_flag=True, help="Start from runtime.toml alone.")
@_ENGINE_FLAGS[0]
@_ENGINE_FLAGS[1]
@_ENGINE_FLAGS[2]
@click.pass_context
def play(
    ctx: click.Context,
    /,
    *,
    project: Path | None = None,
    no_console: bool = False,
    ignore_desired: bool = False,
    restart: str | None = None,
    simulation: bool = False,
    time_scale: int | None = None,
) -> int:
    """Create what a project lacks, then run it until Ctrl+C.

    Example: trust-runtime play --project ~/trust-cloud-demo/runtime-a
    """
    del no_console
    _refuse_engine_flags(restart=restart, simulation=simulation, time_scale=time_scale)
    folder = find_project(chosen_project(ctx, project))
    return app.play(folder, tell=_tell, ignore_desired=ignore_desired)


@click.command()
@project_option
@click.option("--ignore-desired", is_flag=True, help="Start from runtime.toml alone.")
@click.option("--reset-state", is_flag=True, help="Move a damaged state file aside first.")
@click.option("--exit-on-fault", is_flag=True, help="Not in this version.")
@_ENGINE_FLAGS[0]
@_ENGINE_FLAGS[1]
@_ENGINE_FLAGS[2]
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    project: Path | None,
    ignore_desired: bool,
    reset_state: bool,
    exit_on_fault: bool,
    restart: str | None,
    simulation: bool,
    time_scale: int | None,
) -> int:
    """Run an existing project as a service: no banner, JSON log lines.

    Example: trust-runtime run --project /srv/trust/runtime-a
    """
    _refuse_engine_flags(restart=restart, simulation=simulation, time_scale=time_scale)
    if exit_on_fault:
        raise click.UsageError("--exit-on-fault is not in this version: there is no engine.")
    folder = chosen_project(ctx, project)
    if folder is None:
        raise click.UsageError("Missing option '--project'.")
    moved = move_state_aside(folder) if reset_state else None
    if moved is not None:
        click.echo(f"moved the old state to {moved}", err=True)
    return app.run(folder, ignore_desired=ignore_desired, reset_from=moved)


@click.command()
@project_option
@json_option
@click.option("--ci", "as_json", is_flag=True, help="The same as --json.")
@click.pass_context
def validate(ctx: click.Context, /, *, project: Path | None, as_json: bool) -> int:
    """Check a project's configuration and files; start nothing.

    Example: trust-runtime validate --project ~/trust-cloud-demo/runtime-a --json
    """
    folder = chosen_project(ctx, project)
    if folder is None:
        raise click.UsageError("Missing option '--project'.")
    report = validate_project(folder)
    if as_json:
        echo_json(report)
    elif report.status == "ok":
        for warning in report.warnings:
            click.echo(f"warning: {warning}", err=True)
        click.echo("Project ok")
    else:
        for line in report.lines:
            click.echo(line, err=True)
    return ExitCode.OK if report.status == "ok" else ExitCode.CONFIG


def _tell(line: str) -> None:
    click.echo(line)


def _refuse_engine_flags(*, restart: str | None, simulation: bool, time_scale: int | None) -> None:
    given = {
        "--restart": restart is not None,
        "--simulation": simulation,
        "--time-scale": time_scale is not None,
    }
    for flag, is_given in given.items():
        if is_given:
            raise StartRefused(
                f"{flag} is not in this version: there is no program engine",
                f"leave {flag} out",
                ExitCode.USAGE,
            )
