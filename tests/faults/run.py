"""Inject real faults into real runtimes and hold what they show against the goals.

    PYTHONPATH=src:tests python -m faults.run --only presence --only witness
    sudo env PYTHONPATH=src:tests python -m faults.run --cases 100 --seed 1

Parts that need network namespaces are refused without root. Prints a table and exits 1 when a
goal is missed, 2 when a part cannot be run here.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from faults.clock_cases import run_clock
from faults.link_cases import run_link
from faults.load import run_load
from faults.matrix_cases import run_matrix
from faults.namespaces import TOOLS
from faults.partition import run_partition
from faults.presence_times import run_presence
from faults.report import Figure, print_table, tell
from faults.witness_cut import run_witness


class Part(NamedTuple):
    """One part of the programme."""

    run: Callable[[Path, argparse.Namespace], list[Figure]]
    housed: bool = False
    """It needs network namespaces, and so root."""


PARTS: Final[Mapping[str, Part]] = {
    "presence": Part(lambda at, asked: run_presence(at, kills=asked.kills)),
    "witness": Part(lambda at, asked: run_witness(at, rounds=asked.rounds, seed=asked.seed)),
    "load": Part(lambda at, asked: run_load(at, minutes=asked.minutes)),
    "matrix": Part(
        lambda at, asked: run_matrix(at, cases=asked.cases, seed=asked.seed), housed=True
    ),
    "partition": Part(
        lambda at, asked: run_partition(at, rounds=asked.rounds, seed=asked.seed), housed=True
    ),
    "link": Part(lambda at, asked: run_link(at, seed=asked.seed), housed=True),
    "clock": Part(lambda at, _asked: run_clock(at), housed=True),
}


def why_not_housed() -> str | None:
    """Return why network namespaces cannot be used here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in (*TOOLS, "gcc") if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m faults.run", description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="may be repeated")
    parser.add_argument("--cases", type=int, default=100, help="of matrix")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20, help="of presence")
    parser.add_argument("--rounds", type=int, default=5, help="of partition and witness")
    parser.add_argument("--minutes", type=float, default=10.0, help="of load")
    parser.add_argument("--keep", type=Path, help="folder for the projects and their logs")
    asked = parser.parse_args()
    # Ended by a signal, it still removes what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures: list[Figure] = []
    for name in asked.only or PARTS:
        reason = why_not_housed() if PARTS[name].housed else None
        if reason is not None:
            tell(f"{name} cannot be run here: {reason}")
            return 2
    for name in asked.only or PARTS:
        began_s = time.monotonic()
        tell(f"== {name}")
        figures += _run_part(name, asked)
        tell(f"{name} took {time.monotonic() - began_s:.0f} s")
    return 0 if print_table(figures) else 1


def _run_part(name: str, asked: argparse.Namespace) -> list[Figure]:
    if asked.keep is not None:
        return PARTS[name].run(asked.keep / name, asked)
    with tempfile.TemporaryDirectory(prefix="trust-") as folder:
        return PARTS[name].run(Path(folder), asked)


if __name__ == "__main__":
    sys.exit(main())
