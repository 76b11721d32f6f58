"""`play` and `run`: find or create the project, open its log, run it (contract 3.2, 3.3)."""

import sys
from collections.abc import Callable
from pathlib import Path

from trust_runtime.adapters.files.project import (
    ProjectTemplate,
    create_project,
    project_name,
)
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.logs import RuntimeLog, adopt_library_logs
from trust_runtime.app.lifecycle import run_runtime
from trust_runtime.app.opening import RunOptions
from trust_runtime.app.projects import require_project
from trust_runtime.contracts.errors import ExitCode
from trust_runtime.contracts.settings import Settings


def play(folder: Path, *, tell: Callable[[str], None], ignore_desired: bool = False) -> ExitCode:
    """Create what is missing in `folder`, say so, and run it until stopped.

    Raises:
        StartRefused: it cannot be created or must not start.
    """
    folder = folder.expanduser().absolute()
    for created in create_project(folder, ProjectTemplate(name=project_name(folder))):
        tell(f"created    {created}")
    return _run(folder, tell=tell, ignore_desired=ignore_desired)


def run(folder: Path, *, ignore_desired: bool = False, reset_from: Path | None = None) -> ExitCode:
    """Run an existing project until stopped, with JSON log lines and without a banner.

    Raises:
        StartRefused: there is no project, or it must not start.
    """
    folder = require_project(folder)
    return _run(
        folder,
        tell=lambda _line: None,
        ignore_desired=ignore_desired,
        reset_from=reset_from,
    )


def _run(
    folder: Path,
    *,
    tell: Callable[[str], None],
    ignore_desired: bool,
    reset_from: Path | None = None,
) -> ExitCode:
    def open_log(settings: Settings) -> RuntimeLog:
        log = RuntimeLog(
            runtime_id=settings.runtime_id,
            clock=SystemClock(),
            stream=sys.stderr,
            folder=folder / ".trust" / "logs",
            level=settings.log_level,
        )
        adopt_library_logs(log)
        return log

    return run_runtime(
        RunOptions(
            folder=folder,
            open_log=open_log,
            ignore_desired=ignore_desired,
            reset_from=reset_from,
            tell=tell,
        )
    )
