"""Where the runtime of a project answers over HTTP, and ids for what is asked of it."""

from pathlib import Path

from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.entropy import SystemEntropy
from trust_runtime.app.projects import require_project
from trust_runtime.app.settings import load_runtime_settings
from trust_runtime.app.tls import Proof, proof_of
from trust_runtime.contracts.errors import ExitCode, StartRefused


def proof_for(folder: Path) -> Proof:
    """Return how a project's HTTP listener is asked, by its `runtime.toml`.

    Raises:
        StartRefused: there is no project, its configuration is not valid, or it has no HTTP.
    """
    folder = require_project(folder)
    settings = load_runtime_settings(folder)
    if not settings.web.enabled:
        raise StartRefused(
            f"{folder}: runtime.web.enabled is false",
            "enable it, or name another runtime with --endpoint",
            ExitCode.CONFIG,
        )
    return proof_of(folder, settings)


def new_request_id(purpose: str) -> str:
    """Return a request id nobody used before, e.g. `cli-dispatch-0199...`."""
    return f"cli-{purpose}-{SystemEntropy(SystemClock()).uuid7()}"
