"""Where the runtime of a project answers over HTTP, and ids for what is asked of it."""

from pathlib import Path

from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.entropy import SystemEntropy
from trust_runtime.app.projects import require_project
from trust_runtime.app.settings import load_settings
from trust_runtime.contracts.errors import ExitCode, StartRefused


def endpoint_of(folder: Path) -> str:
    """Return the address of a project's HTTP listener, by its `runtime.toml`.

    Raises:
        StartRefused: there is no project, its configuration is not valid, or it has no HTTP.
    """
    folder = require_project(folder)
    web = load_settings(folder, {}).settings.web
    if not web.enabled:
        raise StartRefused(
            f"{folder}: runtime.web.enabled is false",
            "enable it, or name another runtime with --endpoint",
            ExitCode.CONFIG,
        )
    return f"http://{web.listen}"


def new_request_id(purpose: str) -> str:
    """Return a request id nobody used before, e.g. `cli-dispatch-0199...`."""
    return f"cli-{purpose}-{SystemEntropy(SystemClock()).uuid7()}"
