"""The wall clock of one runtime jumps: nobody may look dead by it, and it is told."""

import struct
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from faults.housed import HousedFleet
from faults.namespaces import Network
from faults.report import Figure
from faults.sights import all_heard, matrix_at
from waiting import wait_until

SHIFTS_S: Final = (60, -60, 3_600, -3_600, 86_400, -86_400, 400 * 86_400)
WATCHED_S: Final = 6.0
JOINED_S: Final = 60.0
_SOURCE: Final = Path(__file__).with_name("clockshim.c")


class ShiftedClock:
    """The clock of one process, as far as it differs from the machine's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shim, self._file = folder / "clockshim.so", folder / "offset"
        self.shift(0)
        compile_it = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(_SOURCE)]
        subprocess.run(compile_it, check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(shim), "CLOCK_OFFSET_FILE": str(self._file)}

    def shift(self, seconds: int) -> None:
        """Be so far ahead of the machine's clock from now on."""
        self._file.touch()
        with self._file.open("r+b") as file:  # In place: the process has this very file mapped.
            file.write(struct.pack("<q", seconds * 1_000_000_000))


def run_clock(folder: Path) -> list[Figure]:
    """Shift the clock of one of three runtimes while they run, and return the figures."""
    clock = ShiftedClock(folder)
    with Network() as network:
        fleet = HousedFleet(folder, network, [network.house(), network.house()])
        fleet.add(network.house(), clock.environment)
        try:
            fleet.start()
            assert wait_until(lambda: all_heard(fleet.runtimes), within_s=JOINED_S)
            return [one for seconds in SHIFTS_S for one in _shift(fleet, clock, seconds)]
        finally:
            fleet.close()


def _shift(fleet: HousedFleet, clock: ShiftedClock, seconds: int) -> list[Figure]:
    first, shifted = fleet.runtimes[0], fleet.runtimes[-1]
    clock.shift(seconds)
    false: Counter[str] = Counter()
    until_s = time.monotonic() + WATCHED_S

    def is_over() -> bool:
        for runtime in fleet.runtimes:
            seen = matrix_at(runtime)
            found = seen.accusations(seen.sights)
            false.update(f"{a} of {b}: {sight}" for (a, b), sight in found.items())
            states = {n["runtime_id"]: n["lifecycle_state"] for n in _nodes(runtime.state())}
            false.update(f"{i} {state}" for i, state in states.items() if state != "online")
        return time.monotonic() > until_s

    wait_until(is_over, within_s=WATCHED_S + JOINED_S)
    skew = {n["runtime_id"]: n.get("clock_skew_ms") for n in _nodes(first.state())}
    read = first.action("dispatch", first.body("status_read", [shifted.id]))["results"][0]
    name = f"clock {seconds:+d} s"
    told = f"skew {skew.get(shifted.id)} ms; read {read['status']} {read.get('denial_code') or ''}"
    found = "; ".join(f"{text} x{count}" for text, count in false.items())
    return [
        Figure(f"{name}: anybody not online, or accused", found or "nobody", "nobody", not false),
        Figure(f"{name}: told", told, ""),
    ]


def _nodes(state: dict[str, Any]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = state["topology"]["nodes"]
    return nodes
