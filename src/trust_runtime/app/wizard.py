"""`wizard`: makes a new project from answers (contract 3.3)."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from trust_runtime.adapters.files.project import (
    ProjectTemplate,
    create_project,
    project_name,
)
from trust_runtime.app.projects import CONFIG_FILE
from trust_runtime.app.settings import load_settings
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import RESERVED_NAMES, is_id_part

DRIVERS: Final = ("loopback", "simulated")
_GIT_S: Final = 30


def suggested_name(folder: Path) -> str:
    """Return the runtime name that a folder suggests."""
    return project_name(folder.expanduser().absolute())


def name_problem(name: str) -> str | None:
    """Return why a text can be no name of a runtime, or None."""
    if name in RESERVED_NAMES:
        return f"{name!r} is reserved"
    if not is_id_part(name):
        return f"{name!r}: use letters, digits, '.', '_' and '-'"
    return None


def make_project(
    folder: Path, *, name: str, site: str | None, cycle_ms: int, driver: str
) -> tuple[Path, ...]:
    """Create a project that is not there yet; return what was created.

    Raises:
        StartRefused: there is one, the folder cannot be written, or the answers do not fit.
    """
    folder = folder.expanduser().absolute()
    if (folder / CONFIG_FILE).exists():
        raise StartRefused(
            f"{folder / CONFIG_FILE} exists",
            "choose another --path; the wizard changes no project that is there",
        )
    template = ProjectTemplate(name=name, site=site, cycle_ms=cycle_ms, driver=driver)
    created = create_project(folder, template)
    load_settings(folder, {})
    return created


def init_git(folder: Path) -> bool:
    """Make the project a git repository; return whether that was done."""
    git = shutil.which("git")
    if git is None or (folder / ".git").exists():
        return False
    done = subprocess.run(  # noqa: S603 - the program that PATH names, on the user's own folder
        [git, "init", "--quiet", str(folder.expanduser().absolute())],
        check=False,
        timeout=_GIT_S,
        capture_output=True,
    )
    return done.returncode == 0
