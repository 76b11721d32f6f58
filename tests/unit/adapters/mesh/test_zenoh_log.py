"""`adapters.mesh.zenoh_log`: Zenoh is heard, and nothing else that is printed gets lost."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from certificates import install, make_authority, make_leaf
from port_contracts.mesh_members import free_address

TALK = """
import os, socket, ssl, sys, time
import zenoh
from trust_runtime.adapters.mesh.zenoh_log import hear_zenoh
host, port = sys.argv[1].split(":")
cert, key, ca = sys.argv[2:5]
heard = []
print("before")
with hear_zenoh() as ear:
    ear.on_refused = heard.append
    print("while")
    config = zenoh.Config()
    for name, value in {
        "listen/endpoints": f'["tls/{host}:{port}"]',
        "mode": '"peer"',
        "scouting/multicast/enabled": "false",
        "transport/link/tls/enable_mtls": "true",
        "transport/link/tls/listen_certificate": f'"{cert}"',
        "transport/link/tls/listen_private_key": f'"{key}"',
        "transport/link/tls/root_ca_certificate": f'"{ca}"',
    }.items():
        config.insert_json5(name, value)
    with zenoh.open(config):
        with socket.create_connection((host, int(port))) as plain:
            plain.sendall(b"not TLS at all, and long enough for a record")
            plain.settimeout(5)
            plain.recv(64)
        end = time.monotonic() + 10
        while not heard and time.monotonic() < end:
            time.sleep(0.01)
print("after")
print(heard[0].fault if heard else "nothing heard")
print("RUST_LOG" in os.environ, file=sys.stderr)
"""
CLOSED = """
import os, sys
from trust_runtime.adapters.mesh.zenoh_log import hear_zenoh
os.close(1)
with hear_zenoh():
    print("inside", file=sys.stderr)
"""


@pytest.fixture
def identity_files(tmp_path: Path) -> list[str]:
    """Certificate, key and CA of a runtime."""
    authority = make_authority("site-a")
    install(tmp_path, make_leaf(authority, "site-a/press-1"), authority)
    home = tmp_path / ".trust" / "identity"
    return [str(home / name) for name in ("runtime.crt", "runtime.key", "ca.pem")]


def run(
    files: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TALK, free_address(), *files],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


def test_zenoh_is_heard_and_prints_nothing_itself(identity_files: list[str]) -> None:
    ran = run(identity_files)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["before", "while", "after", "not_tls"]


def test_rust_log_of_the_environment_shows_no_configuration(identity_files: list[str]) -> None:
    ran = run(identity_files, {**os.environ, "RUST_LOG": "debug"})
    assert ran.stdout.splitlines() == ["before", "while", "after", "not_tls"]
    assert ran.stderr.strip() == "True"


def test_with_standard_output_closed_it_runs_all_the_same() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CLOSED], stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "inside\n")
