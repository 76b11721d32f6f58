"""Fuzz the HTTP edge of a real runtime.

    PYTHONPATH=src:tests python -m fuzz.run --minutes 30 [--seed 1]

Asks everything the API document allows and much that it does not, then sends bytes that are
hardly HTTP. Prints what was wrong and exits 1 then.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from fuzz.api import ask, seconds_since
from fuzz.raw import problem_of
from runtimes import Runtime, plant

_WRONG_MAX = 5
_SECONDS_PER_MINUTE = 60


def send_raw(runtime: Runtime, *, seconds: float, seed: int) -> tuple[int, list[str]]:
    """Play seeds from `seed` on until the time is over; return how many, and what was wrong."""
    began_s = time.monotonic()
    played, wrong = 0, list[str]()
    while seconds_since(began_s) < seconds and len(wrong) < _WRONG_MAX:
        problem = problem_of(seed + played, runtime.web_port)
        played += 1
        if problem is not None:
            wrong.append(problem)
    return played, wrong


def complaints(runtime: Runtime) -> list[str]:
    """Return what the runtime logged that says it made a mistake."""
    marks = ("Traceback", "internal error", '"level":"error"')
    return [line for line in runtime.output().splitlines() if any(m in line for m in marks)]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    half_s = max(1, round(asked.minutes * _SECONDS_PER_MINUTE / 2))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        with plant(folder) as made:
            runtime = made.runtime("runtime-a").start()
            told = ask(runtime, seconds=half_s, seed=asked.seed, folder=folder)
            sys.stdout.write(told.output)
            played, wrong = send_raw(runtime, seconds=half_s, seed=asked.seed)
            wrong += complaints(runtime)[:_WRONG_MAX]
    sys.stdout.write("\n".join([*wrong, f"{played} connections, {len(wrong)} problems"]) + "\n")
    return 0 if told.ok and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
