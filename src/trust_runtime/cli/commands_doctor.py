"""`doctor`: what is wrong with a project and its surroundings, and what to do."""

from pathlib import Path
from typing import Final

import click

from trust_runtime.app.doctor import Verdict, examine
from trust_runtime.cli.options import (
    chosen_project,
    echo_json,
    json_option,
    printable,
    project_option,
)
from trust_runtime.contracts.errors import ExitCode

_MARK: Final = {Verdict.OK: "ok", Verdict.WARNING: "warning", Verdict.ERROR: "ERROR"}


@click.command()
@project_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, /, *, project: Path | None, as_json: bool) -> int:
    """Look at a project and its surroundings; exit 1 when something keeps it from running.

    Example: trust-runtime doctor --project ~/trust-cloud-demo/runtime-a
    """
    found = examine((chosen_project(ctx, project) or Path()).expanduser().absolute())
    if as_json:
        echo_json({"diagnoses": found})
    else:
        for one in found:
            first, *more = one.detail.splitlines()
            click.echo(f"{_MARK[one.verdict]:<8} {one.thing:<14} {printable(first)}")
            for line in more:
                click.echo(f"{'':<24}{printable(line)}")
            if one.remedy is not None:
                said = "next" if one.verdict is Verdict.OK else "remedy"
                click.echo(f"{'':<24}{said}: {printable(one.remedy)}")
    wrong = any(one.verdict is Verdict.ERROR for one in found)
    return ExitCode.ERROR if wrong else ExitCode.OK
