import asyncio

import pytest

from fakes.mesh import FakeMesh
from fakes.network import Network, Weather
from fakes.reach import FakeReach, Post
from sim.loop import run, wait_s
from trust_runtime.contracts.sight import Knock

ONE, TWO = "10.0.0.1:1", "10.0.0.2:1"


@pytest.mark.parametrize(
    ("fate", "knock"),
    [
        ("lives", Knock.ACCEPTED),
        ("frozen", Knock.ACCEPTED),
        ("killed", Knock.REFUSED),
        ("off", Knock.SILENT),
        ("cut", Knock.SILENT),
    ],
)
def test_a_knock_tells_of_the_host(fate: str, knock: Knock) -> None:
    async def work() -> Knock:
        network = Network(weather=Weather(latency_ms=(1.0, 2.0)))
        mesh = FakeMesh(network, TWO)
        await mesh.open()
        if fate == "frozen":
            network.freeze(TWO)
        elif fate == "cut":
            network.set_weather((TWO, ONE), cut=True)
        elif fate != "lives":
            mesh.die(silently=fate == "off")
        started_s = asyncio.get_running_loop().time()
        found = await FakeReach(Post(network), ONE).knock(TWO, timeout_ms=500)
        waited_s = asyncio.get_running_loop().time() - started_s
        assert (waited_s >= 0.5) is (knock is Knock.SILENT)
        return found

    assert run(work()) is knock


def test_datagrams_arrive_where_somebody_is_open_to_them() -> None:
    async def work() -> None:
        post = Post(Network(weather=Weather(latency_ms=(1.0, 2.0))))
        await FakeMesh(post.network, TWO).open()
        one, two = FakeReach(post, ONE), FakeReach(post, TWO)
        got: list[tuple[bytes, str]] = []
        one.send(TWO, b"too early")
        await one.open(lambda *_: None)
        await two.open(lambda datagram, source: got.append((datagram, source)))
        one.send(TWO, b"first")
        await wait_s(1)
        await two.close()
        await two.close()
        one.send(TWO, b"too late")
        await wait_s(1)
        assert got == [(b"first", ONE)]

    run(work())
