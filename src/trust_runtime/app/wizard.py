"""`wizard`: makes a new project from answers (contract 3.3)."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from trust_runtime.adapters.files.project import (
    ProjectTemplate,
    create_project,
    project_name,
    remove_created,
)
from trust_runtime.app.projects import CONFIG_FILE, require_folder
from trust_runtime.app.settings import load_settings
from trust_runtime.contracts.errors import ContractViolation, StartRefused
from trust_runtime.contracts.ids import (
    ID_LENGTH_MAX,
    RESERVED_NAMES,
    SiteName,
    is_id_part,
    runtime_id,
)

DRIVERS: Final = ("loopback", "simulated")
_GIT_S: Final = 30


def suggested_name(folder: Path) -> str:
    """Return the runtime name that a folder suggests."""
    return project_name(folder.expanduser().absolute())


def require_new(folder: Path) -> Path:
    """Return the absolute path of a folder that can become a project.

    Raises:
        StartRefused: it is a file, or a project already.
    """
    folder = require_folder(folder)
    if (folder / CONFIG_FILE).exists():
        raise StartRefused(
            f"{folder / CONFIG_FILE} exists",
            "choose another folder; the wizard changes no project that is there",
        )
    return folder


def id_problem(name: str, site: str) -> str | None:
    """Return why two texts can be no name and site of one runtime, or None."""
    for text in (site, name):
        problem = name_problem(text)
        if problem is not None:
            return problem
    try:
        runtime_id(SiteName(site), name)
    except ContractViolation:
        return f"{site}/{name} is longer than {ID_LENGTH_MAX} characters"
    return None


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
        StartRefused: there is one, the folder cannot be written, or the answers do not fit what is
            in it; nothing that was created is left.
    """
    folder = require_new(folder)
    template = ProjectTemplate(name=name, site=site, cycle_ms=cycle_ms, driver=driver)
    created = create_project(folder, template)
    try:
        load_settings(folder, {})
    except StartRefused:
        remove_created(created)
        raise
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
