"""One runtime behind a bad link: nobody may be accused, and reads still answer."""

import time
from collections import Counter
from pathlib import Path
from typing import Final

from faults.housed import HousedFleet
from faults.lossy_link import Quality, house_behind_link
from faults.namespaces import Network
from faults.report import Figure
from faults.sights import all_heard, matrix_at
from waiting import wait_until

QUALITIES: Final = (
    Quality(delay_ms=10, jitter_ms=3, loss=0.01),
    Quality(delay_ms=50, jitter_ms=20, loss=0.05, doubled=0.05, reordered=0.1),
    Quality(delay_ms=250, jitter_ms=50, loss=0.01),
)
WATCHED_S: Final = 20.0
JOINED_S: Final = 60.0


def run_link(folder: Path, *, seed: int) -> list[Figure]:
    """Watch a fleet of three, one of them behind each of the links, and return the figures."""
    return [
        figure
        for number, quality in enumerate(QUALITIES)
        for figure in _run_one(folder / str(number), quality, seed)
    ]


def _run_one(folder: Path, quality: Quality, seed: int) -> list[Figure]:
    false: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    with Network() as network, house_behind_link(network, quality, seed=seed) as far:
        fleet = HousedFleet(folder, network, [network.house(), network.house(), far])
        try:
            fleet.start()
            joined = wait_until(lambda: all_heard(fleet.runtimes), within_s=JOINED_S)
            until_s = time.monotonic() + WATCHED_S
            first, _, last = fleet.runtimes

            def is_over() -> bool:
                for runtime in fleet.runtimes:
                    seen = matrix_at(runtime)
                    found = seen.accusations(seen.sights)
                    false.update(f"{a} of {b}: {sight}" for (a, b), sight in found.items())
                report = first.action("dispatch", first.body("status_read", [last.id]))
                answers[report["results"][0]["status"]] += 1
                return time.monotonic() > until_s

            wait_until(is_over, within_s=WATCHED_S + JOINED_S)
        finally:
            fleet.close()
    name = f"link ({quality})"
    reads = answers.total()
    return [
        Figure(f"{name}: joined", "yes" if joined else "no", "yes", joined),
        Figure(f"{name}: accusations", "; ".join(map(str, false.items())) or "0", "0", not false),
        Figure(f"{name}: reads executed", f"{answers['executed']} of {reads} {dict(answers)}", ""),
    ]
