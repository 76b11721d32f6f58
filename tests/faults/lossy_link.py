"""A link in user space that delays, loses, doubles and reorders frames, as its seed says.

    python -m faults.lossy_link NEAR FAR DELAY_MS JITTER_MS LOSS DOUBLED REORDERED SEED

It joins two network namespaces by an Ethernet device in each: `eth0` in NEAR, `far` in FAR. It is
a program of its own, run by `house_behind_link`, so that its clockwork is nobody else's.
"""

import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Final, NamedTuple

from faults.namespaces import House, Network, command, inside
from faults.report import tell

_MAKE_DEVICE: Final = 0x400454CA
_ETHERNET: Final = 0x0002
_BARE_FRAMES: Final = 0x1000
_FRAME_BYTES: Final = 65_536
_AT_ONCE: Final = 64
_WAITING_MAX: Final = 10_000
_IDLE_S: Final = 1.0


class Quality(NamedTuple):
    """How bad the link is, each way."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Added to or taken from the delay, evenly."""
    loss: float = 0.0
    """Share of frames that vanish, 0..1."""
    doubled: float = 0.0
    """Share that arrives twice."""
    reordered: float = 0.0
    """Share that is not delayed, and so overtakes."""

    def __str__(self) -> str:
        return (
            f"{self.delay_ms:g}+-{self.jitter_ms:g} ms, {self.loss:.0%} lost,"
            f" {self.doubled:.0%} doubled, {self.reordered:.0%} reordered"
        )


@contextmanager
def house_behind_link(network: Network, quality: Quality, *, seed: int) -> Iterator[House]:
    """Yield a house that reaches the bridge over such a link only."""
    house = network.bare_house()
    words = [house.namespace, network.hub, *map(str, quality), str(seed)]
    process = subprocess.Popen(
        [sys.executable, "-m", "faults.lossy_link", *words], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        command("ip", "-n", network.hub, "link", "set", "far", "master", "hub", "up")
        network.address(house)
        yield house
    finally:
        process.kill()
        with process:
            process.wait()


class _Link:
    """Frames on their way."""

    def __init__(self, ends: tuple[int, int], quality: Quality, random: Random) -> None:
        self._ends = ends
        self._quality = quality
        self._random = random
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Carry frames for ever."""
        near, far = self._ends
        across = {near: far, far: near}
        while True:
            self._deliver(time.monotonic())
            pause_s = self._waiting[0][0] - time.monotonic() if self._waiting else _IDLE_S
            for end in select.select(self._ends, [], [], max(0.0, pause_s))[0]:
                self._take(end, across[end])

    def _take(self, end: int, out: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                frame = os.read(end, _FRAME_BYTES)
            except BlockingIOError:
                return
            if self._random.random() < self._quality.loss or len(self._waiting) > _WAITING_MAX:
                continue
            for _ in range(2 if self._random.random() < self._quality.doubled else 1):
                self._count += 1
                entry = (time.monotonic() + self._wait_s(), self._count, out, frame)
                heapq.heappush(self._waiting, entry)

    def _wait_s(self) -> float:
        quality = self._quality
        if self._random.random() < quality.reordered:
            return 0.0
        spread_ms = self._random.uniform(-quality.jitter_ms, quality.jitter_ms)
        return max(0.0, quality.delay_ms + spread_ms) / 1_000

    def _deliver(self, now_s: float) -> None:
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, out, frame = heapq.heappop(self._waiting)
            with suppress(OSError):  # The device is down, or full: a lost frame.
                os.write(out, frame)


def _open_device(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _MAKE_DEVICE, struct.pack("16sH", name.encode(), _ETHERNET | _BARE_FRAMES))
    return device


def main() -> None:
    """Carry frames between two namespaces until this process ends."""
    near, far, *numbers, seed = sys.argv[1:]
    ends = (inside(near, lambda: _open_device("eth0")), inside(far, lambda: _open_device("far")))
    tell("ready")
    link = _Link(ends, Quality(*map(float, numbers)), Random(int(seed)))  # noqa: S311 - a seed makes a run
    with suppress(KeyboardInterrupt):
        link.run()


if __name__ == "__main__":
    main()
