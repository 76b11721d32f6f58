"""How soon a runtime's death, freeze, return and goodbye are seen by the other; loopback only."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from faults.report import Figure, tell, times_figure, worst_figure
from runtimes import Runtime, plant
from waiting import wait_until

KILL_S: Final = 0.250
FREEZE_S: Final = 2.5
RETURN_S: Final = 3.0
DISPATCH_S: Final = 0.250
FREEZES: Final = 10
GOODBYES: Final = 5
JOINED_S: Final = 30.0


def run_presence(folder: Path, *, kills: int) -> list[Figure]:
    """Kill, freeze, restart and stop one of two runtimes many times, and return the figures."""
    with plant(folder) as here:
        first, second = here.pair()
        figures = _kills(first, second, kills)
        figures += _freezes(first, second)
        figures += _goodbyes(first, second)
    return figures


def until_seen(
    observer: Runtime, target: Runtime, *, wanted: Callable[[str | None], bool]
) -> float:
    """Return how long it took until the observer showed the target as wanted.

    Raises:
        AssertionError: it never did.
    """
    began_s = time.monotonic()
    assert wait_until(lambda: wanted(observer.lifecycle(target.id)), within_s=JOINED_S)
    return time.monotonic() - began_s


def _until_online(one: Runtime, other: Runtime) -> float:
    """Return how long it took until both show each other online."""
    began_s = time.monotonic()
    for observer, target in ((one, other), (other, one)):
        until_seen(observer, target, wanted=lambda state: state == "online")
    return time.monotonic() - began_s


def _kills(first: Runtime, second: Runtime, kills: int) -> list[Figure]:
    """Kill either in turn; the other's answers are what is measured."""
    dead_s: list[float] = []
    back_s: list[float] = []
    answers_s: list[float] = []
    codes: set[str] = set()
    for number in range(kills + kills // 2):
        # Every third time it is runtime-a that dies, which nobody names in its configuration.
        lost, left = (first, second) if number % 3 == 2 else (second, first)
        killed_s = time.monotonic()
        lost.kill()
        until_seen(left, lost, wanted=lambda state: state != "online")
        dead_s.append(time.monotonic() - killed_s)
        asked_s = time.monotonic()
        result = left.action("dispatch", left.body("status_read", [lost.id]))["results"][0]
        answers_s.append(time.monotonic() - asked_s)
        codes.add(f"{result['status']}/{result['denial_code']}")
        began_s = time.monotonic()
        lost.start(wait=False)
        with suppress(OSError):
            wait_until(lambda: _is_online(left, lost), within_s=JOINED_S)  # noqa: B023 - called at once
        wait_until(lost.is_ready, within_s=JOINED_S)
        _until_online(first, second)
        back_s.append(time.monotonic() - began_s)
        tell(f"kill {number} of {lost.id}: seen {dead_s[-1]:.3f} s, back {back_s[-1]:.2f} s")
    return [
        times_figure("presence: kill -9 is seen", dead_s, median_s_max=KILL_S),
        worst_figure("presence: dispatch answers after a kill", answers_s, s_max=DISPATCH_S),
        Figure(
            "presence: its answer",
            ", ".join(sorted(codes)),
            "denied/stale_data",
            codes == {"denied/stale_data"},
        ),
        worst_figure("presence: restarted and online for both", back_s, s_max=RETURN_S),
    ]


def _is_online(observer: Runtime, target: Runtime) -> bool:
    return observer.lifecycle(target.id) == "online"


def _freezes(first: Runtime, second: Runtime) -> list[Figure]:
    frozen_s: list[float] = []
    thawed_s: list[float] = []
    for _ in range(FREEZES):
        second.signal(signal.SIGSTOP)
        try:
            frozen_s.append(until_seen(first, second, wanted=lambda state: state != "online"))
        finally:
            second.signal(signal.SIGCONT)
        thawed_s.append(_until_online(first, second))
    return [
        worst_figure("presence: SIGSTOP is seen", frozen_s, s_max=FREEZE_S),
        worst_figure("presence: SIGCONT, online for both", thawed_s, s_max=RETURN_S),
    ]


def _goodbyes(first: Runtime, second: Runtime) -> list[Figure]:
    gone_s: list[float] = []
    for _ in range(GOODBYES):
        second.signal(signal.SIGINT)
        gone_s.append(until_seen(first, second, wanted=lambda state: state == "offline"))
        assert second.process is not None
        second.process.wait(JOINED_S)
        second.start()
        _until_online(first, second)
    return [worst_figure("presence: Ctrl+C, shown offline", gone_s, s_max=FREEZE_S)]
