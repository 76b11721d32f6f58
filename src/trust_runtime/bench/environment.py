"""What the figures depend on besides the code: machine, load and versions."""

import importlib.metadata
import os
import platform
from typing import Any

from trust_runtime import __version__


def environment() -> dict[str, Any]:
    """Return the machine and the versions, as they are now."""
    return {
        "trust_runtime": __version__,
        "python": platform.python_version(),
        "zenoh": importlib.metadata.version("eclipse-zenoh"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
    }
