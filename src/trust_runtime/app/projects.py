"""Which folder is a project, and where its files are (contract 3.1)."""

import shlex
from pathlib import Path
from typing import Final

from trust_runtime.contracts.errors import ExitCode, StartRefused

CONFIG_FILE: Final = "runtime.toml"
STATE_FILE: Final = "state.db"


def find_project(given: Path | None) -> Path:
    """Return the project folder `play` means: given, here, `./project`, or here anew."""
    if given is not None:
        return given
    here = Path.cwd()
    if (here / CONFIG_FILE).is_file():
        return here
    if (here / "project" / CONFIG_FILE).is_file():
        return here / "project"
    return here


def start_command(folder: Path) -> str:
    """Return what starts the project, as one would type it."""
    return f"trust-runtime play --project {shlex.quote(str(folder))}"


def not_running(folder: Path) -> StartRefused:
    """Return that no runtime runs on a project, and how to start it."""
    folder = folder.expanduser().absolute()
    return StartRefused(f"no runtime runs on {folder}", f"start it: {start_command(folder)}")


def require_folder(folder: Path) -> Path:
    """Return `folder` as an absolute path unless it is a file.

    Raises:
        StartRefused: it is one; exit code 2.
    """
    folder = folder.expanduser().absolute()
    if folder.is_file():
        inside = folder.name == CONFIG_FILE
        raise StartRefused(
            f"{folder} is a file, not a project folder",
            f"give its folder: --project {shlex.quote(str(folder.parent))}"
            if inside
            else f"give --project the folder that holds {CONFIG_FILE}",
            ExitCode.USAGE,
        )
    return folder


def require_project(folder: Path) -> Path:
    """Return `folder` as an absolute path if it is a project.

    Raises:
        StartRefused: it is a file, exit code 2, or has no `runtime.toml`, exit code 10.
    """
    folder = require_folder(folder)
    if not (folder / CONFIG_FILE).is_file():
        raise StartRefused(
            f"{folder} has no {CONFIG_FILE}",
            f"create a project with: {start_command(folder)}",
            ExitCode.CONFIG,
        )
    return folder
