"""A process that holds the lock of the project named, says so, and ends with its standard input."""

import sys
from pathlib import Path

from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.contracts.errors import StartRefused

try:
    with hold_lock(Path(sys.argv[1])):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()
except StartRefused as refused:
    sys.stdout.write(f"refused: {refused.reason}\n")
    sys.exit(refused.exit_code)
