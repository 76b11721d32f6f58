"""`python3 -m trust_runtime.gates NAME`."""

import sys

from trust_runtime.gates.command import main

sys.exit(main(sys.argv[1:]))
