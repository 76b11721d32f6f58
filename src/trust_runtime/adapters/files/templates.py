"""What the files of a new project say (contract 3.2)."""

import hashlib
from typing import Final

from trust_runtime.contracts.units import ZENOH_BASELINE

_SOCKET_BYTES_MAX: Final = 100
_SERVICE_BYTES_MAX: Final = 63
_TAG_DIGITS: Final = 12


def runtime_toml(name: str, *, site: str | None = None, cycle_ms: int = 100) -> str:
    """Return the configuration of a new runtime: profile dev, on loopback, mesh off."""
    site_line = "" if site is None else f'site = "{site}"\n'
    return f"""\
# Configuration of one runtime; trust-runtime reads it and never changes it.

[bundle]
version = 1

[resource]
name = "{name}"
cycle_interval_ms = {cycle_ms}

[runtime.control]
endpoint = "unix://{_socket_path(name)}"
mode = "production"
debug_enabled = false

[runtime.web]
enabled = true
listen = "127.0.0.1:8080"
auth = "local"
tls = false

[runtime.tls]
mode = "disabled"

[runtime.discovery]
enabled = true
advertise = true
service_name = "{name[:_SERVICE_BYTES_MAX]}"
interfaces = ["lo"]

[runtime.mesh]
enabled = false
role = "peer"
listen = "127.0.0.1:5200"
zenohd_version = "{ZENOH_BASELINE}"

[runtime.cloud]
{site_line}profile = "dev"

[runtime.log]
level = "info"

[runtime.retain]
mode = "none"

[runtime.watchdog]
enabled = false
timeout_ms = 5000
action = "halt"

[runtime.fault]
policy = "safe_halt"
"""


def _socket_path(name: str) -> str:
    """Return where the control socket is; a name too long for a socket's path is cut and tagged."""
    path = f"/tmp/trust-runtime-{name}.sock"  # noqa: S108 - the contract's place; 0600, and checked before use
    over = len(path) - _SOCKET_BYTES_MAX
    if over <= 0:
        return path
    tag = hashlib.sha256(name.encode()).hexdigest()[:_TAG_DIGITS]
    return _socket_path(f"{name[: len(name) - over - _TAG_DIGITS - 1]}-{tag}")


def io_toml(driver: str = "loopback") -> str:
    """Return the inputs and outputs of a new runtime, on one driver."""
    return f"""\
# Inputs and outputs of this runtime.

[io]
driver = "{driver}"

# What the outputs become when the program stops or fails.
[[io.safe_state]]
address = "%QX0.0"
value = "FALSE"
"""


MAIN_ST: Final = """\
(* Counts the cycles in which the input is on; the output is on while that number is odd. *)
PROGRAM Main
VAR
    Sensor AT %IX0.0 : BOOL;
    Lamp AT %QX0.0 : BOOL;
    OnCycles : UDINT := 0;
END_VAR

IF Sensor THEN
    OnCycles := OnCycles + 1;
END_IF;
Lamp := (OnCycles MOD 2) = 1;

END_PROGRAM
"""

CONFIG_ST: Final = """\
(* Which programs run, and how often. *)
CONFIGURATION Plant
    RESOURCE Controller ON PLC
        TASK MainTask(INTERVAL := T#100ms, PRIORITY := 1);
        PROGRAM MainProgram WITH MainTask : Main;
    END_RESOURCE
END_CONFIGURATION
"""

GITIGNORE: Final = """\
.trust/
"""
