#!/usr/bin/env bash
# One Zenoh release everywhere: library, live session, pin, lock file, product, examples, routers.
#
#   ./scripts/check_zenoh_baseline.sh [--list] [--case NAME]...
#
# ZENOH_BASELINE_VERSION, ZENOH_BASELINE_EXCEPTION_FILE, OUT_DIR: docs/reference/gates.md
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -d .venv/bin ] && PATH="$PWD/.venv/bin:$PATH"
PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" exec python3 -m trust_runtime.gates check_zenoh_baseline "$@"
