"""`wizard`: asks what a new project needs, or takes it from flags."""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.app.projects import start_command
from trust_runtime.app.wizard import (
    DRIVERS,
    id_problem,
    init_git,
    make_project,
    require_new,
    suggested_name,
)
from trust_runtime.cli.interrupts import held_back
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.ids import DEFAULT_SITE
from trust_runtime.contracts.policy import Profile

_CYCLE_MS: Final = click.IntRange(1, 3_600_000)
_DRIVER: Final = click.Choice(DRIVERS)
_FOLDER: Final = "./project"
_ANY_NAME: Final = "runtime"
_UNASKED: Final = {"name": None, "site": DEFAULT_SITE, "cycle_ms": 100, "driver": "loopback"}
"""What is taken with --yes for what no flag says; the name comes from the folder then."""


@click.command()
@click.option("--path", "folder", type=click.Path(path_type=Path), help="Folder of the project.")
@click.option("--name", help="Name of the runtime (default: from the folder).")
@click.option("--site", help="Site of the runtime (default: default-site).")
@click.option(
    "--profile",
    type=click.Choice([one.value for one in Profile]),
    default="dev",
    help="Only dev in this version.",
)
@click.option("--cycle-ms", type=_CYCLE_MS, help="Length of a cycle (default: 100).")
@click.option("--driver", type=_DRIVER, help="Driver of I/O (default: loopback).")
@click.option("--git", is_flag=True, help="Make the folder a git repository.")
@click.option("--start", is_flag=True, help="Start the runtime afterwards.")
@click.option("--yes", is_flag=True, help="Ask nothing; take the defaults for what is missing.")
def wizard(*, profile: str, git: bool, start: bool, yes: bool, **given: Any) -> int:
    """Create a new project; ask for what no flag says. Nothing that exists is overwritten.

    A bad answer is asked again; Ctrl+C and Ctrl+D leave everything as it was.

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
    answers = _checked({**_UNASKED, **_said(given)} if yes else _asked(given))
    folder = answers["folder"]
    with held_back():
        created = make_project(
            folder,
            name=answers["name"],
            site=None if answers["site"] == DEFAULT_SITE else answers["site"],
            cycle_ms=answers["cycle_ms"],
            driver=answers["driver"],
        )
    for path in created:
        click.echo(f"created    {path}")
    if git and init_git(folder):
        click.echo(f"created    {folder / '.git'}")
    click.echo(f"start it with: {start_command(folder)}")
    if not start:
        return ExitCode.OK
    # Loaded now, as it is all of a runtime.
    code: int = importlib.import_module("trust_runtime.app.play").play(folder, tell=click.echo)
    return code


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _checked(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers with the name that the folder suggests where none was given.

    Raises:
        click.UsageError: name or site cannot be those of a runtime.
    """
    name = answers["name"] or suggested_name(answers["folder"])
    _fitting(name, answers["site"])
    return {**answers, "name": name}


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the answers, asking for what no flag says until each is one that can be meant."""
    answers = _said(given)

    def ask(key: str, text: str, default: object, *, judge: Callable[[Any], object]) -> None:
        if key not in answers:
            answers[key] = click.prompt(text, default=default, value_proc=judge)

    def named(name: str) -> str:
        return _fitting(name, answers.get("site", DEFAULT_SITE), answer=name)

    def sited(site: str) -> str:
        return _fitting(answers["name"], site, answer=site)

    _fitting(answers.get("name", _ANY_NAME), answers.get("site", DEFAULT_SITE))
    try:
        ask("folder", "Folder of the project", _FOLDER, judge=_new_folder)
        folder = _new_folder(answers["folder"])
        ask("name", "Name of the runtime", suggested_name(folder), judge=named)
        ask("site", "Site", DEFAULT_SITE, judge=sited)
        for key, text, kind in (
            ("cycle_ms", "Length of a cycle in ms", _CYCLE_MS),
            ("driver", f"Driver ({', '.join(DRIVERS)})", _DRIVER),
        ):
            ask(key, text, _UNASKED[key], judge=partial(kind.convert, param=None, ctx=None))
    except click.Abort:
        click.echo("nothing was written", err=True)
        raise
    return answers


def _new_folder(given: str | Path) -> Path:
    try:
        require_new(Path(given))
    except StartRefused as refused:
        raise click.UsageError(f"{refused.reason}; {refused.remedy}.") from refused
    return Path(given)


def _fitting(name: str, site: str, *, answer: str = "") -> str:
    problem = id_problem(name, site)
    if problem is not None:
        raise click.UsageError(f"{problem}.")
    return answer
