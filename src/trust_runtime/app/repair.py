"""`run --reset-state`: move a damaged state file aside, under the project's lock."""

from pathlib import Path

from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.adapters.sqlite import reset_state as move_aside
from trust_runtime.app.projects import STATE_FILE, require_project


def reset_state(folder: Path) -> Path | None:
    """Move the state file aside and return where to; None when there was none.

    Raises:
        StartRefused: a process runs on the project, or there is no project.
    """
    folder = require_project(folder)
    path = folder / ".trust" / STATE_FILE
    with hold_lock(folder):
        return move_aside(path) if path.exists() else None
