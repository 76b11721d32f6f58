"""An observer that stood still itself accuses nobody."""

import asyncio

import pytest

from signed_fleet import OTHER, Listener
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.services.stalls import SETTLE_MS, STALL_MS_MIN, TICK_MS, Stalls
from virtual_time import run_virtual, wait_ms


class Watched:
    """A runtime that watches itself; `lengths_ms` are the stalls it was told of."""

    def __init__(self) -> None:
        self.here = Listener()
        self.lengths_ms: list[float] = []
        self.stalls = Stalls(clock=self.here.clock, log=self.here.log)
        self.stalls.on_stall = self._stalled
        self.here.peers.before_judging = self.stalls.check

    def _stalled(self, length_ns: int) -> None:
        self.lengths_ms.append(length_ns / NS_PER_MS)
        self.here.peers.note_stall(length_ns)

    def stand_still_ms(self, length_ms: float) -> None:
        """Let time pass in which nothing of this process runs."""
        self.here.clock.advance_ms(length_ms)

    def lifecycle(self) -> Lifecycle:
        peer = self.here.peers.get(OTHER)
        assert peer is not None
        return peer.lifecycle


@pytest.mark.parametrize(
    ("late_ms", "told"), [(STALL_MS_MIN - 1, []), (STALL_MS_MIN, [STALL_MS_MIN]), (9_000, [9_000])]
)
def test_a_tick_that_comes_late_is_a_stall(late_ms: int, told: list[float]) -> None:
    watched = Watched()

    async def main() -> None:
        task = asyncio.create_task(watched.stalls.run())
        await wait_ms(0)
        assert (watched.stalls.recent_ms, watched.stalls.since_ms) == (0, None)
        watched.stand_still_ms(TICK_MS + late_ms)
        await wait_ms(0)
        await wait_ms(1)
        assert watched.stalls.recent_ms == sum(told)
        task.cancel()

    run_virtual(watched.here.clock, main)
    assert watched.lengths_ms == told
    assert len(watched.here.log.of("stalled")) == len(told)


def test_a_stall_is_recent_for_a_while() -> None:
    watched = Watched()

    async def main() -> None:
        task = asyncio.create_task(watched.stalls.run())
        await wait_ms(0)
        watched.stand_still_ms(1_000)
        watched.stalls.check()
        length_ms = watched.stalls.recent_ms
        assert length_ms == 900  # 1000 ms after the tick, of which 100 were due.
        await wait_ms(SETTLE_MS - 1)
        assert watched.stalls.recent_ms == length_ms
        await wait_ms(1)
        assert watched.stalls.recent_ms == 0
        assert watched.stalls.since_ms == SETTLE_MS
        task.cancel()

    run_virtual(watched.here.clock, main)


def test_each_stall_is_told_once_and_none_while_nobody_watches() -> None:
    watched = Watched()

    async def main() -> None:
        watched.stand_still_ms(5_000)
        watched.stalls.check()
        task = asyncio.create_task(watched.stalls.run())
        await wait_ms(0)
        watched.stand_still_ms(2_000)
        watched.stalls.check()
        watched.stalls.check()
        await wait_ms(500)
        task.cancel()
        await wait_ms(1)
        watched.stand_still_ms(5_000)
        watched.stalls.check()

    run_virtual(watched.here.clock, main)
    assert watched.lengths_ms == [1_900]


def test_after_a_stall_nobody_who_holds_a_token_is_accused() -> None:
    watched = Watched()

    async def main() -> None:
        watched.here.online()
        task = asyncio.create_task(watched.stalls.run())
        await wait_ms(1)
        watched.stand_still_ms(3_600_000)
        # What runs first after the stall is the judge, not the tick.
        watched.here.peers.evaluate()
        assert watched.lifecycle() is Lifecycle.ONLINE
        await wait_ms(1_500)
        watched.here.peers.evaluate()
        assert watched.lifecycle() is Lifecycle.ONLINE
        # Whoever is silent after it as well is silent.
        await wait_ms(1_000)
        watched.here.peers.evaluate()
        assert watched.lifecycle() is Lifecycle.STALE
        task.cancel()

    run_virtual(watched.here.clock, main)


def test_a_token_lost_during_a_stall_is_a_loss_of_now() -> None:
    watched = Watched()

    async def main() -> None:
        speaker = watched.here.online()
        task = asyncio.create_task(watched.stalls.run())
        await wait_ms(0)
        watched.stand_still_ms(60_000)
        # The link's lease ran out while nothing ran here; that is told before any tick.
        watched.here.peers.take_token(speaker.token, alive=False)
        assert watched.lifecycle() is Lifecycle.STALE
        task.cancel()

    run_virtual(watched.here.clock, main)
    assert watched.lengths_ms == [59_900]
