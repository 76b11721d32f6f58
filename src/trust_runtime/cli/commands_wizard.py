"""`wizard`: asks what a new project needs, or takes it from flags."""

import sys
from pathlib import Path
from typing import Any

import click

from trust_runtime.app import play as app
from trust_runtime.app.projects import start_command
from trust_runtime.app.wizard import (
    DRIVERS,
    init_git,
    make_project,
    name_problem,
    suggested_name,
)
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.ids import DEFAULT_SITE
from trust_runtime.contracts.policy import Profile


@click.command()
@click.option("--path", "folder", type=click.Path(path_type=Path), help="Folder of the project.")
@click.option("--name", help="Name of the runtime (default: from the folder).")
@click.option("--site", help="Site of the runtime (default: default-site).")
@click.option("--profile", type=click.Choice([one.value for one in Profile]), default="dev")
@click.option("--cycle-ms", type=click.IntRange(1, 3_600_000), default=100, show_default=True)
@click.option("--driver", type=click.Choice(DRIVERS), default="loopback", show_default=True)
@click.option("--git", is_flag=True, help="Make the folder a git repository.")
@click.option("--start", is_flag=True, help="Start the runtime afterwards.")
@click.option("--yes", is_flag=True, help="Ask nothing; take the defaults for what is missing.")
def wizard(*, profile: str, git: bool, start: bool, yes: bool, **given: Any) -> int:
    """Create a new project; ask for what no flag says. Nothing that exists is overwritten.

    Example: trust-runtime wizard --path ~/plant/press-1 --site plant-1 --yes
    """
    if profile != Profile.DEV:
        raise StartRefused(
            f"profile {profile} is not in this version", "leave --profile out", ExitCode.USAGE
        )
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on; give --yes and --path.")
    if yes and given["folder"] is None:
        raise click.UsageError("Missing option '--path'.")
    answers = given if yes else _ask(given)
    folder = answers["folder"]
    name = answers["name"] or suggested_name(folder)
    site = answers["site"] or DEFAULT_SITE
    for text in (name, site):
        problem = name_problem(text)
        if problem is not None:
            raise click.UsageError(problem)
    created = make_project(
        folder,
        name=name,
        site=None if site == DEFAULT_SITE else site,
        cycle_ms=answers["cycle_ms"],
        driver=answers["driver"],
    )
    for path in created:
        click.echo(f"created    {path}")
    if git and init_git(folder):
        click.echo(f"created    {folder / '.git'}")
    click.echo(f"start it with: {start_command(folder)}")
    return app.play(folder, tell=click.echo) if start else ExitCode.OK


def _ask(given: dict[str, Any]) -> dict[str, Any]:
    """Return the answers, asking for what no flag says."""
    folder = given["folder"] or Path(click.prompt("Folder of the project", default="./project"))
    name = given["name"] or click.prompt("Name of the runtime", default=suggested_name(folder))
    site = given["site"] or click.prompt("Site", default=DEFAULT_SITE)
    return {**given, "folder": folder, "name": name, "site": site}
