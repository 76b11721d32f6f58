"""Real multicast on 127.0.0.1; others may announce there too, so only own ids count."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from trust_runtime.adapters.mdns.announcement import SERVICE, instance_label, txt_members
from trust_runtime.adapters.mdns.discovery import MdnsDiscovery
from trust_runtime.adapters.mdns.session import RESOLVING_MAX, MdnsSession
from trust_runtime.contracts.discovery import Advertisement, Sighting
from trust_runtime.contracts.ids import RuntimeId

pytestmark = pytest.mark.anyio

LOOPBACK = "127.0.0.1"
DEADLINE_S = 15
SOURCE = Path(__file__).parents[4] / "src"


def advertise(name: str, *, mesh_port: int) -> Advertisement:
    return Advertisement(
        runtime_id=RuntimeId(f"{name}-{os.urandom(6).hex()}"),
        site="default-site",
        host_name="cell-7",
        addresses=(LOOPBACK,),
        mesh_port=mesh_port,
        mesh_tls=False,
        web_port=8080,
        web_tls=False,
        host_group=None,
        fingerprint="ab" * 32,
    )


class Ear:
    """Hears the sightings of some ids, and lets a test wait for them."""

    def __init__(self, *wanted: Advertisement) -> None:
        self.ids = {one.runtime_id for one in wanted}
        self.heard: list[Sighting] = []
        self.changed = asyncio.Event()

    def __call__(self, sighting: Sighting) -> None:
        if sighting.runtime_id in self.ids:
            self.heard.append(sighting)
            self.changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                self.changed.clear()
                await self.changed.wait()

    def last_addresses(self) -> dict[str, tuple[str, ...]]:
        return {one.runtime_id: one.addresses for one in self.heard}


@asynccontextmanager
async def opened(advertisement: Advertisement | None, ear: Ear) -> AsyncIterator[MdnsDiscovery]:
    discovery = MdnsDiscovery()
    await discovery.open(advertisement, interfaces=(LOOPBACK,), on_sighting=ear)
    try:
        yield discovery
    finally:
        await discovery.close()


@asynccontextmanager
async def raw() -> AsyncIterator[AsyncZeroconf]:
    """Give the bare library, to announce what our own adapter never would."""
    sockets = AsyncZeroconf(interfaces=[LOOPBACK])
    try:
        yield sockets
    finally:
        await sockets.async_close()


def info(label: str, *, port: int, properties: dict[str, Any]) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE,
        f"{label}.{SERVICE}",
        port=port,
        properties=properties,
        server=f"{label}.local.",
        parsed_addresses=[LOOPBACK],
    )


async def register(sockets: AsyncZeroconf, service: AsyncServiceInfo) -> None:
    await (await sockets.async_register_service(service, cooperating_responders=True))


def send_pointers(sockets: AsyncZeroconf, services: list[AsyncServiceInfo]) -> None:
    """Announce only that the services exist, not where."""
    out = DNSOutgoing(0x8400)  # An authoritative response.
    for service in services:
        out.add_answer_at_time(service.dns_pointer(), 0)
    sockets.zeroconf.async_send(out)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not met():  # noqa: ASYNC110 - a counter tells nobody that it changed
            await asyncio.sleep(0.01)


async def test_a_runtime_hears_itself_and_others() -> None:
    first, second = advertise("first", mesh_port=7001), advertise("second", mesh_port=7002)
    ear = Ear(first, second)

    async with opened(first, ear), opened(second, Ear()):
        await ear.until(lambda: len(ear.last_addresses()) == 2)

    assert ear.last_addresses() == {
        first.runtime_id: ("127.0.0.1:7001",),
        second.runtime_id: ("127.0.0.1:7002",),
    }


async def test_one_that_only_listens_announces_nothing() -> None:
    announced = advertise("announced", mesh_port=7001)
    ear = Ear(announced)

    async with opened(None, ear), opened(announced, Ear()):
        await ear.until(lambda: bool(ear.heard))

    assert ear.heard[0].fingerprint == announced.fingerprint


async def test_one_that_leaves_and_returns_is_heard_again() -> None:
    returning = advertise("returning", mesh_port=7001)
    ear = Ear(returning)

    async with opened(None, ear):
        async with opened(returning, Ear()):
            await ear.until(lambda: len(ear.heard) == 1)
        async with opened(returning, Ear()):
            await ear.until(lambda: len(ear.heard) == 2)

    assert ear.heard[0] == ear.heard[1]


async def test_a_changed_announcement_is_told_without_a_goodbye() -> None:
    moving = advertise("moving", mesh_port=7001)
    moved = replace(moving, mesh_port=7002)
    ear = Ear(moving)
    label = instance_label(moving.runtime_id)

    async with opened(None, ear), raw() as sockets:
        await register(sockets, info(label, port=7001, properties=dict(txt_members(moving))))
        await ear.until(lambda: bool(ear.heard))
        later = info(label, port=7002, properties=dict(txt_members(moved)))
        await (await sockets.async_update_service(later))
        await ear.until(lambda: ear.heard[-1].addresses == ("127.0.0.1:7002",))

    assert ear.heard[0].addresses == ("127.0.0.1:7001",)


async def test_garbage_is_counted_and_the_next_announcement_heard() -> None:
    good = advertise("good", mesh_port=7001)
    ear = Ear(good)
    label = f"garbage-{os.urandom(6).hex()}"

    async with opened(None, ear) as discovery, raw() as sockets:
        await register(sockets, info(label, port=1, properties={"v": "1", "id": b"\xff\x00"}))
        await until(lambda: discovery.ignored > 0)
        async with opened(good, Ear()):
            await ear.until(lambda: bool(ear.heard))

    assert discovery.ignored > 0


async def test_two_with_one_id_are_both_announced() -> None:
    one = advertise("twin", mesh_port=7001)
    two = replace(one, mesh_port=7002)
    ear = Ear(one)

    async with opened(None, ear), opened(one, Ear()):
        await ear.until(lambda: bool(ear.heard))
        async with opened(two, Ear()):
            await ear.until(lambda: len({said.addresses for said in ear.heard}) == 2)

    assert {said.addresses for said in ear.heard} == {("127.0.0.1:7001",), ("127.0.0.1:7002",)}


async def test_a_name_with_dots_and_a_long_one_are_announced() -> None:
    dotted = advertise("line.1.press", mesh_port=7001)
    long = advertise("n" * 100, mesh_port=7002)
    ear = Ear(dotted, long)

    async with opened(dotted, ear), opened(long, Ear()):
        await ear.until(lambda: len(ear.last_addresses()) == 2)


@pytest.mark.parametrize("interfaces", [(), ("::1",), ("192.0.2.250",), ("2001:db8::77",)])
async def test_what_cannot_be_joined_is_an_error(interfaces: tuple[str, ...]) -> None:
    discovery = MdnsDiscovery()

    with pytest.raises(OSError, match=interfaces[0] if interfaces else "no interfaces"):
        await discovery.open(None, interfaces=interfaces, on_sighting=Ear())

    await discovery.close()


async def test_closing_leaves_nothing_running_and_may_be_repeated() -> None:
    before = asyncio.all_tasks()
    discovery = MdnsDiscovery()
    await discovery.close()
    await discovery.open(
        advertise("short", mesh_port=7001), interfaces=(LOOPBACK,), on_sighting=Ear()
    )

    await discovery.close()
    await discovery.close()

    assert asyncio.all_tasks() == before


async def test_records_that_did_not_come_along_are_asked_for() -> None:
    terse = advertise("terse", mesh_port=7001)
    ear = Ear(terse)
    label = instance_label(terse.runtime_id)
    service = info(label, port=7001, properties=dict(txt_members(terse)))

    async with raw() as sockets, opened(None, ear):
        await sockets.zeroconf.async_wait_for_start()
        service.set_server_if_missing()
        sockets.zeroconf.registry.async_add(service)
        send_pointers(sockets, [service])
        await ear.until(lambda: bool(ear.heard))

    assert ear.heard[0].addresses == ("127.0.0.1:7001",)


async def test_a_flood_of_pointers_is_bounded_and_ends_with_the_session() -> None:
    before = asyncio.all_tasks()
    run = os.urandom(6).hex()
    flood = [info(f"flood-{run}-{number}", port=1, properties={}) for number in range(80)]

    session = await MdnsSession.open(None, interfaces=(LOOPBACK,), on_sighting=Ear())
    try:
        async with raw() as sockets:
            await sockets.zeroconf.async_wait_for_start()
            send_pointers(sockets, flood)
            await until(lambda: session.ignored >= len(flood) - RESOLVING_MAX)
            asked_for = len(session._resolving)
    finally:
        await session.close()

    assert asked_for <= RESOLVING_MAX
    assert session.ignored < len(flood)  # The last ones were cut short, not waited for.
    assert asyncio.all_tasks() == before


async def test_the_same_announcement_is_told_once() -> None:
    one = advertise("once", mesh_port=7001)
    ear = Ear(one)
    service = info("once", port=7001, properties=dict(txt_members(one)))
    session = await MdnsSession.open(None, interfaces=(LOOPBACK,), on_sighting=ear)
    try:
        session._take(service)
        session._take(service)
    finally:
        await session.close()

    assert len(ear.heard) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's")
async def test_other_interfaces_are_not_listened_to() -> None:
    session = await MdnsSession.open(None, interfaces=(LOOPBACK,), on_sighting=Ear())
    try:
        heard_from = [
            reader.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_IP, 49)
            for reader in session._sockets.zeroconf.engine.readers
        ]
    finally:
        await session.close()

    assert set(heard_from) == {0}


@dataclass
class Announcer:
    """A real process that announces and browses."""

    process: asyncio.subprocess.Process
    heard: dict[str, int]
    """When each id was heard first, ns of the machine's monotonic clock."""

    @classmethod
    async def start(cls, advertisement: Advertisement) -> "Announcer":
        script = Path(__file__).with_name("announcing_process.py")
        text = msgspec.json.encode(advertisement).decode()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), text, LOOPBACK),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        return cls(process=process, heard={})

    async def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(await self.process.stdout.readline())
        if line["event"] == "sighting":
            self.heard.setdefault(line["sighting"]["runtime_id"], line["at_ns"])
        return line

    async def hear(self, runtime: str) -> None:
        while runtime not in self.heard:
            await self.event()

    async def stop(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.close()
        while (last := await self.event())["event"] != "closed":
            pass
        assert await self.process.wait() == 0
        return last


async def test_two_processes_find_each_other_on_one_machine() -> None:
    first, second = advertise("proc-a", mesh_port=7001), advertise("proc-b", mesh_port=7002)
    async with asyncio.timeout(60):
        one = await Announcer.start(first)
        await one.hear(first.runtime_id)
        two = await Announcer.start(second)
        await asyncio.gather(one.hear(second.runtime_id), two.hear(first.runtime_id))
        ends = [await two.stop(), await one.stop()]

    assert [end["tasks"] for end in ends] == [0, 0]
