"""Ask a runtime what its API document allows, and what it does not (security.md Z01)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from runtimes import Runtime

LEFT_OUT = ("/api/runtime-cloud/events",)
"""A stream without end: the raw fuzz asks for it, and its own tests do."""

ANSWER_S_MAX = 2.0
_GRACE_S = 60.0

CONFIG = """\
# A request that fits the document may still be refused for what it means: configuration keys,
# names of runtimes and instants are more than their types, and who guesses codes has to wait.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412", "429"]

# Only what the document says of a body and of parameters is a promise; a header is not.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "408", "413", "415", "422", "429"]
"""


class Asked(NamedTuple):
    """How asking went."""

    ok: bool
    output: str


def ask(runtime: Runtime, *, seconds: int, seed: int, folder: Path) -> Asked:
    """Run Schemathesis with all its checks against a runtime that is ready."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"http://127.0.0.1:{runtime.web_port}/api/openapi.json"),
        *("--checks", "all", "--seed", str(seed), "--max-time", str(seconds)),
        *("--max-response-time", str(ANSWER_S_MAX), "--request-timeout", "10"),
        *("--continue-on-failure", "--no-color", "--warnings", "off"),
        *(part for path in LEFT_OUT for part in ("--exclude-path", path)),
    ]
    environment = {**os.environ, "PYTHONWARNINGS": "default", "HYPOTHESIS_STORAGE_DIRECTORY": ""}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds + _GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\nended after {seconds + _GRACE_S} s\n".encode()
    return Asked(process.returncode == 0, output.decode(errors="replace"))


def seconds_since(began_s: float) -> float:
    """Return how long ago `began_s` was, by the monotonic clock."""
    return time.monotonic() - began_s
