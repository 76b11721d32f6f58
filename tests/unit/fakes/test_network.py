"""What can go wrong between members; in virtual time."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from fakes.mesh import FakeMesh
from fakes.network import LEASE_MS, Network, Weather
from sim.loop import run, wait_s
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import MeshUnavailable
from trust_runtime.ports.mesh import Silence

ONE, TWO, THREE = "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"
LEASE_S = LEASE_MS / 1_000
KEY = "truST/default-site/press-1/svc/beacon"
SLOW = Weather(latency_ms=(5.0, 10.0))


class Pair:
    """Two members that see each other's tokens and hear each other's messages."""

    def __init__(self, weather: Weather = SLOW) -> None:
        self.network = Network(weather=weather)
        self.one = FakeMesh(self.network, ONE, connect=(TWO,))
        self.two = FakeMesh(self.network, TWO, connect=())
        self.seen: dict[str, list[tuple[float, bool]]] = {ONE: [], TWO: []}
        self.got: list[int] = []
        for mesh, other in ((self.one, TWO), (self.two, ONE)):
            mesh.hold_token(f"token/{mesh.address}")
            mesh.watch_tokens(f"token/{other}", self._watcher(mesh.address))
        self.two.subscribe(KEY, lambda message: self.got.append(int(message.body)))

    async def open(self) -> None:
        await self.two.open()
        await self.one.open()
        await wait_s(0.1)
        assert self.sees() == (True, True)

    def sees(self) -> tuple[bool, bool]:
        one, two = (bool(seen) and seen[-1][1] for seen in self.seen.values())
        return one, two

    def lost_at_s(self) -> list[float]:
        return [at_s for seen in self.seen.values() for at_s, alive in seen if not alive]

    def put(self, numbers: range) -> None:
        for number in numbers:
            self.one.put(MeshMessage(key=KEY, body=b"%d" % number))

    def _watcher(self, address: str) -> Any:
        def take(_key: str, alive: bool) -> None:  # noqa: FBT001 - the port's shape
            self.seen[address].append((asyncio.get_running_loop().time(), alive))

        return take


def test_members_are_introduced_to_those_of_others() -> None:
    async def work() -> None:
        pair = Pair()
        await pair.open()
        third = FakeMesh(pair.network, THREE, connect=(TWO,))
        third.subscribe(KEY, lambda message: heard.append(message.body))
        heard: list[bytes] = []
        await third.open()
        pair.put(range(1))
        await wait_s(0.1)
        assert heard == [b"0"]

    run(work())


@pytest.mark.parametrize("way", [(ONE, TWO), (TWO, ONE)])
def test_a_way_cut_for_a_lease_ends_the_link_for_both_and_it_comes_back(
    way: tuple[str, str],
) -> None:
    async def work() -> None:
        pair = Pair()
        await pair.open()
        pair.network.set_weather(way, cut=True)
        cut_s = asyncio.get_running_loop().time()
        await wait_s(LEASE_S + 5)
        assert pair.sees() == (False, False)
        assert all(0 <= at_s - cut_s - LEASE_S < 0.1 for at_s in pair.lost_at_s())
        pair.network.set_weather(way, cut=False)
        await wait_s(2)
        assert pair.sees() == (True, True)

    run(work())


def test_a_short_cut_only_delays() -> None:
    async def work() -> None:
        pair = Pair()
        await pair.open()
        pair.network.set_weather((ONE, TWO), cut=True)
        pair.put(range(3))
        await wait_s(LEASE_S / 2)
        assert pair.got == []
        pair.network.set_weather((ONE, TWO), cut=False)
        await wait_s(LEASE_S)
        assert pair.got == [0, 1, 2]
        assert pair.lost_at_s() == []

    run(work())


def test_messages_keep_their_order_unless_they_are_reordered() -> None:
    async def work(weather: Weather) -> list[int]:
        pair = Pair(weather)
        await pair.open()
        pair.put(range(100))
        await wait_s(1)
        return pair.got

    assert run(work(SLOW)) == list(range(100))
    mixed = run(work(Weather(latency_ms=(5.0, 10.0), reordered=0.5)))
    assert mixed != sorted(mixed) == list(range(100))


def test_messages_are_lost_and_doubled_and_tokens_are_not() -> None:
    async def work(weather: Weather) -> Counter[int]:
        pair = Pair(weather)
        await pair.open()
        pair.put(range(1_000))
        await wait_s(1)
        return Counter(pair.got)

    lossy = run(work(Weather(loss=0.3)))
    assert 600 < len(lossy) < 800
    assert set(lossy.values()) == {1}
    doubled = run(work(Weather(duplicates=0.3)))
    assert len(doubled) == 1_000
    assert 200 < sum(count == 2 for count in doubled.values()) < 400


def test_a_killed_process_is_seen_at_once_and_a_lost_machine_after_the_lease() -> None:
    async def work(*, silently: bool) -> float:
        pair = Pair()
        await pair.open()
        died_s = asyncio.get_running_loop().time()
        pair.two.die(silently=silently)
        await wait_s(LEASE_S + 1)
        assert pair.sees()[0] is False
        again = FakeMesh(pair.network, TWO, connect=())
        again.hold_token(f"token/{TWO}")
        await again.open()
        await wait_s(3)
        assert pair.sees()[0] is True
        return pair.seen[ONE][1][0] - died_s

    assert run(work(silently=False)) <= 0.01
    assert LEASE_S <= run(work(silently=True)) < LEASE_S + 0.1


def test_a_machine_that_is_off_stays_off_whatever_is_done_at_its_address() -> None:
    async def work() -> None:
        pair = Pair()
        await pair.open()
        pair.two.die(silently=True)
        never_opened = FakeMesh(pair.network, TWO, connect=())
        pair.network.freeze(TWO)
        never_opened.die()
        pair.network.thaw(TWO)
        await wait_s(LEASE_S + 2)
        assert pair.sees()[0] is False
        assert not pair.network.can_link(ONE, TWO)

    run(work())


def test_a_frozen_process_is_lost_after_the_lease_and_comes_back() -> None:
    async def work() -> None:
        pair = Pair()
        await pair.open()
        pair.network.freeze(TWO)
        await wait_s(LEASE_S / 2)
        assert pair.sees()[0] is True
        await wait_s(LEASE_S)
        assert pair.sees()[0] is False
        pair.network.thaw(TWO)
        await wait_s(2)
        assert pair.sees() == (True, True)

    run(work())


def test_whoever_is_asked_and_lost_answers_no_more() -> None:
    async def work(*, die: bool) -> tuple[object, float]:
        pair = Pair()

        async def never(_: MeshMessage) -> None:
            await asyncio.Event().wait()

        pair.two.serve(KEY, never, waiting_max=1)
        await pair.open()
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, pair.two.die if die else lambda: None)
        started_s = loop.time()
        answer = await pair.one.query(MeshMessage(key=KEY, body=b""), timeout_ms=2_000)
        return answer, loop.time() - started_s

    answer, after_s = run(work(die=True))
    assert answer is Silence.NOBODY
    assert 0.5 <= after_s < 0.52
    answer, after_s = run(work(die=False))
    assert answer is Silence.TIMEOUT
    assert after_s == pytest.approx(2.0)


def test_a_doubled_query_is_handled_twice_and_answered_once() -> None:
    async def work() -> None:
        pair = Pair(Weather(latency_ms=(5.0, 10.0), duplicates=1.0))
        asked: list[bytes] = []

        async def answer(message: MeshMessage) -> MeshMessage:
            asked.append(message.body)
            return message

        pair.two.serve(KEY, answer, waiting_max=4)
        await pair.open()
        question = MeshMessage(key=KEY, body=b"?")
        assert await pair.one.query(question, timeout_ms=1_000) == question
        await wait_s(1)
        assert asked == [b"?", b"?"]

    run(work())


def test_dialling_links_and_says_whether_somebody_is_there() -> None:
    async def work() -> None:
        network = Network()
        one, two = FakeMesh(network, ONE, connect=()), FakeMesh(network, TWO, connect=())
        await one.open()
        assert not await one.dial(TWO)
        await two.open()
        assert await one.dial(TWO)
        assert await one.dial(TWO)
        assert [other.address for other in network.neighbours(TWO)] == [ONE]
        network.set_weather((ONE, TWO), cut=True)
        await wait_s(LEASE_S + 1)
        assert not await one.dial(TWO)

    run(work())


def test_an_address_is_used_once() -> None:
    async def work() -> None:
        network = Network()
        await FakeMesh(network, ONE).open()
        with pytest.raises(MeshUnavailable, match=ONE):
            await FakeMesh(network, ONE).open()

    run(work())


def test_equal_seeds_give_equal_weather() -> None:
    async def work(seed: int) -> list[int]:
        pair = Pair(Weather(latency_ms=(1.0, 50.0), loss=0.2, duplicates=0.2, reordered=0.5))
        pair.network._random.seed(seed)
        await pair.open()
        pair.put(range(50))
        await wait_s(1)
        return pair.got

    assert run(work(1)) == run(work(1)) != run(work(2))
