"""Comparing the audit logs of a fleet of real processes, also where they get little of a CPU."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtimes import Plant, Runtime, until_lifecycle

_BUSY = 4
_RUNTIMES = 4


@contextmanager
def busy_machine() -> Iterator[None]:
    """Have other processes take what they can get of the CPUs."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(_BUSY)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_healthy_runtimes_are_verified_on_a_busy_machine_and_a_dead_one_is_named(
    here: Plant,
) -> None:
    plant: list[Runtime] = []
    for number in range(_RUNTIMES):
        ports = [other.mesh_port for other in plant]
        plant.append(here.runtime(f"press-{number}", connect=ports).start())
    for one in plant:
        for other in plant:
            if one is not other:
                until_lifecycle(one, other.id, "online", within_s=30)
    with busy_machine():
        for one in plant:
            ran = one.cli("audit", "verify", "--fleet")
            assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    gone = plant.pop()
    gone.kill()
    until_lifecycle(plant[0], gone.id, "stale")
    ran = plant[0].cli("audit", "verify", "--fleet")
    assert ran.returncode == 1
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("ok ")]
    assert len(lines) == 1, ran.stdout
    assert lines[0].startswith(f"not verified  {gone.id}")
    assert "it could not be asked: it is stale" in lines[0]
    assert ran.stderr.startswith(f"remedy: {gone.id}: see trust-runtime fleet matrix")
