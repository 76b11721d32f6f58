#!/usr/bin/env bash
# Every security check of the profiles dev, plant and wan, against real processes with a PKI.
#
#   ./scripts/runtime_cloud_security_profile_gate.sh [--list] [--case NAME]...
#
# TRUST_SECURITY_WRITES, TRUST_SECURITY_SEED, TRUST_SECURITY_TIMING_SAMPLES, OUT_DIR:
# docs/reference/gates.md
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -d .venv/bin ] && PATH="$PWD/.venv/bin:$PATH"
PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" exec python3 -m trust_runtime.gates runtime_cloud_security_profile_gate "$@"
