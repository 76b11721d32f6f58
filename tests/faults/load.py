"""Twenty runtimes while every core is busy with something else: nobody may look dead; loopback."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from faults.report import Figure, tell
from faults.sights import all_heard, matrix_at
from runtimes import Plant, Runtime, plant
from trust_runtime.contracts.sight import Sight
from waiting import wait_until

FLEET: Final = 20
JOINED_S: Final = 240.0
BACK_S: Final = 60.0
FALSE: Final = frozenset({Sight.DEAD, Sight.FROZEN, Sight.CUT, Sight.LEFT})
"""What a living runtime of a sound network must never be called."""
_VERDICT: Final = re.compile(r"peer_(stale|partitioned|offline)")


def run_load(folder: Path, *, minutes: float) -> list[Figure]:
    """Keep the machine busy for so long and count verdicts on runtimes that all live."""
    with plant(folder) as here:
        fleet = _fleet(here)
        before = _verdicts(fleet)
        false: Counter[str] = Counter()
        asked, since_ns = 0, time.time_ns()
        with busy_cores() as cores:
            until_s = time.monotonic() + 60 * minutes
            tell(f"{FLEET} runtimes, {cores} cores busy, load {os.getloadavg()[0]:.1f}")

            def is_over() -> bool:
                nonlocal asked
                seen = matrix_at(fleet[asked % len(fleet)])
                asked += 1
                for (observer, target), sight in seen.sights.items():
                    if sight in FALSE:
                        false[f"{observer} of {target}: {sight}"] += 1
                return time.monotonic() > until_s

            wait_until(is_over, within_s=60 * minutes + BACK_S)
            tell(f"load {os.getloadavg()[0]:.1f} at the end")
        verdicts = _verdicts(fleet) - before
        told = _told(fleet, since_ns)
        alive = all(one.process is not None and one.process.poll() is None for one in fleet)
        heard = wait_until(lambda: all_heard(fleet), within_s=BACK_S)
    dead = sum(n for text, n in (false + told).items() if text.endswith(f" {Sight.DEAD}"))
    name = f"load: in {minutes:g} min"
    return [
        Figure(f"{name}, false deaths", str(dead), "0", dead == 0),
        Figure(
            f"{name}, false accusations in {asked} matrices", str(dict(false) or 0), "0", not false
        ),
        Figure(f"{name}, false accusations in all timelines", str(dict(told) or 0), ""),
        Figure(f"{name}, verdicts in all logs", str(dict(verdicts) or 0), ""),
        Figure("load: all processes live", "yes" if alive else "no", "yes", alive),
        Figure("load: all heard afterwards", "yes" if heard else "no", "yes", heard),
    ]


@contextmanager
def busy_cores() -> Iterator[int]:
    """Keep every core busy with processes that do nothing else; yields how many."""
    count = os.cpu_count() or 1
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield count
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _fleet(here: Plant) -> list[Runtime]:
    fleet: list[Runtime] = []
    for number in range(FLEET):
        known = [one.mesh_port for one in fleet[:1]]
        fleet.append(here.runtime(f"runtime-{number}", connect=known).start(wait=False))
    for one in fleet:
        assert wait_until(one.is_ready, within_s=JOINED_S), one.output()
    assert wait_until(lambda: all_heard(fleet), within_s=JOINED_S)
    return fleet


def _verdicts(fleet: Sequence[Runtime]) -> Counter[str]:
    """Return what all logs together say of peers that were not online, complete from the start."""
    return Counter(found for one in fleet for found in _VERDICT.findall(one.output()))


def _told(fleet: Sequence[Runtime], since_ns: int) -> Counter[str]:
    """Return every accusation that any of them entered into its timeline since then."""
    told: dict[str, str] = {}
    for one in fleet:
        path = f"/api/runtime-cloud/timeline?category=communication&since={since_ns}&limit=1000"
        status, answer = one.get(path)
        assert status == 200, answer
        for event in answer["items"]:
            sight = event.get("data", {}).get("sight")
            if sight in FALSE:
                about = f"{event.get('observer')} of {event['runtime_id']}"
                told[event["event_id"]] = f"{about}: {sight}"
    return Counter(told.values())
