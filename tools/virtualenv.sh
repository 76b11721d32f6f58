# Sourced by ./install and ./test: find a Python, find or fetch uv, fill .venv from uv.lock.
# Needs `root` (the repository) and gives `uv` and `venv`.
# shellcheck shell=bash

venv="$root/.venv"

fail() {
  echo "$(basename "$0"): $1" >&2
  [ $# -lt 2 ] || echo "  remedy: $2" >&2
  exit 1
}

# Prints the interpreter itself: in an active virtualenv, the one that it was made from.
base_python() {
  "$1" -c '
import os, sys
sys.version_info >= (3, 11) or sys.exit(1)
if sys.prefix == sys.base_prefix:
    print(sys.executable)
else:
    print(os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2]))
' 2>/dev/null
}

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    python=$(base_python "$name") && [ -x "$python" ] && return
  done
  fail "needs Python 3.11 or newer; found $(python3 --version 2>&1 || true)" \
    "install python3 (3.11 or newer) with pip, then run this again"
}

# uv older than 0.9 does not read our lock file's settings.
is_usable_uv() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  [[ $version =~ ^uv\ ([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] > 0 || BASH_REMATCH[2] >= 9))
}

find_uv() {
  for uv in "${UV:-}" "$venv/uv/bin/uv" uv; do
    [ -n "$uv" ] && is_usable_uv "$uv" && return
  done
  "$python" -m pip --version >/dev/null 2>&1 ||
    fail "neither uv nor pip is there" "install python3-pip, or uv, then run this again"
  echo "Fetching uv with pip"
  fetched=$(mktemp -d)
  # --target: it disturbs no other installation, and works where the system's Python is locked.
  PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    --target "$fetched" 'uv>=0.9,<1' ||
    fail "pip could not fetch uv" "check the network and pip's settings, then run this again"
  uv="$fetched/bin/uv"
}

# Keeps a fetched uv inside the virtualenv, so that the next run finds it.
keep_uv() {
  [ -n "${fetched:-}" ] || return 0
  rm -rf "$venv/uv"
  mv "$fetched" "$venv/uv"
  uv="$venv/uv/bin/uv"
}

run_sync() {
  (cd "$root" && UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --frozen --python "$python" "$@")
}

# sync_venv [uv sync's options]: what the lock says, nothing newer.
sync_venv() {
  unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT
  find_python
  find_uv
  # The second try is for networks whose certificates only the system's store knows.
  run_sync "$@" || {
    echo "Trying again with the system's certificates" >&2
    UV_NATIVE_TLS=1 UV_SYSTEM_CERTS=1 run_sync "$@"
  } || fail "uv could not fill $venv" "read the lines above; check network and disk space"
  keep_uv
  export UV="$uv"
}
