"""What honest clients notice of abusive ones: `GET state` with and without them, in rounds.

    PYTHONPATH=src:tests python -m fuzz.abuse [--seconds 10] [--rounds 3]

Each round measures the same runtime alone, with the slow and with the costly clients of
`fuzz.abusers`, and, as `elsewhere`, with the costly ones at another runtime of this machine: that
takes the same processor time away from everybody, so what the costly ones cost beyond it is what
their own runtime does wrong. The order changes from round to round. Prints p50 and p99 of each, the
medians over the rounds, the ratio of each round's `costly` to its `elsewhere`, and what the abusers
got.
"""

import argparse
import asyncio
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from fuzz.pauses import wait_blocking_s, wait_s
from runtimes import plant

ALONE: Final = "alone"
COSTLY: Final = "costly"
ELSEWHERE: Final = "elsewhere"
KINDS: Final = (ALONE, "slow", COSTLY, ELSEWHERE)
CLIENTS: Final = 4
RATE_HZ: Final = 20
"""Of each honest client: far from what saturates anything, so that what is seen is waiting."""

_WARM_S: Final = 2.0


class Times(NamedTuple):
    """How long answers took, in milliseconds."""

    p50_ms: float
    p99_ms: float
    most_ms: float
    answers: int
    failed: int


def measure(port: int, seconds: float) -> Times:
    """Ask `GET state` at a steady rate from some kept connections."""
    return asyncio.run(_measure(port, seconds))


async def _measure(port: int, seconds: float) -> Times:
    took_ms: list[float] = []
    failed = [0]
    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(_client(port, seconds, took_ms, failed, offset_s=number / 100))
    ordered = sorted(took_ms)
    return Times(
        p50_ms=percentile(ordered, 0.50),
        p99_ms=percentile(ordered, 0.99),
        most_ms=ordered[-1] if ordered else math.inf,
        answers=len(ordered),
        failed=failed[0],
    )


async def _client(
    port: int, seconds: float, took_ms: list[float], failed: list[int], *, offset_s: float
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /api/runtime-cloud/state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    due_s = time.perf_counter() + offset_s
    end_s = due_s + seconds
    while due_s < end_s:
        await wait_s(due_s - time.perf_counter())
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        # From when it was due: a late answer also delays the question after it.
        took_ms.append((time.perf_counter() - due_s) * 1_000)
        failed[0] += not head.startswith(b"HTTP/1.1 200 ")
        due_s += 1 / RATE_HZ
    writer.close()


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest rank (contract 1.3); infinite for nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.inf


def measure_abused(port: int, seconds: float, kind: str, *, abused: int) -> tuple[Times, str]:
    """Measure one port while the abusers of one kind, in another process, are at another or it."""
    command = [sys.executable, "-m", "fuzz.abusers", str(abused), str(seconds + 2 * _WARM_S), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as abusers:
        wait_blocking_s(_WARM_S)  # The measure begins when they are all there.
        times = measure(port, seconds)
        told, _ = abusers.communicate(timeout=seconds + 60)
    return times, told.strip()


def run_round(port: int, other: int, seconds: float, *, order: Sequence[str]) -> dict[str, Times]:
    """Measure every way once, in the order asked for, and print each."""
    found = {}
    for kind in order:
        told = ""
        if kind == ALONE:
            found[kind] = measure(port, seconds)
        elif kind == ELSEWHERE:
            found[kind], told = measure_abused(port, seconds, COSTLY, abused=other)
        else:
            found[kind], told = measure_abused(port, seconds, kind, abused=port)
        _say(f"{kind:9} {_shown(found[kind])}  {told}")
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="abuse-") as name, plant(Path(name)) as made:
        port, other = (made.runtime(name).start().web_port for name in ("runtime-a", "runtime-b"))
        measure(port, _WARM_S)
        rounds = [
            run_round(port, other, asked.seconds, order=_turned(number))
            for number in range(asked.rounds)
        ]
    for kind in KINDS:
        p50, p99 = (
            statistics.median(getattr(one[kind], share) for one in rounds)
            for share in ("p50_ms", "p99_ms")
        )
        _say(f"median of rounds, {kind:9} p50 {p50:.2f} ms  p99 {p99:.2f} ms")
    ratios = sorted(one[COSTLY].p99_ms / one[ELSEWHERE].p99_ms for one in rounds)
    shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
    _say(f"p99 of costly to elsewhere, median {statistics.median(ratios):.2f}, rounds {shown}")
    return 0


def _turned(number: int) -> tuple[str, ...]:
    """Return the ways to measure, each round beginning with another one."""
    first = number % len(KINDS)
    return KINDS[first:] + KINDS[:first]


def _shown(times: Times) -> str:
    return (
        f"p50 {times.p50_ms:7.2f} ms  p99 {times.p99_ms:7.2f} ms  most {times.most_ms:7.2f} ms"
        f"  {times.answers} answers, {times.failed} not 200"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
