"""Opening and closing of one set of sockets; what is heard on them is in `test_discovery.py`."""

import asyncio
import os

import pytest

from trust_runtime.adapters.mdns.session import MdnsSession
from trust_runtime.contracts.discovery import Advertisement, Sighting
from trust_runtime.contracts.ids import RuntimeId

pytestmark = pytest.mark.anyio

LOOPBACK = "127.0.0.1"
DEADLINE_S = 15


def advertisement() -> Advertisement:
    return Advertisement(
        runtime_id=RuntimeId(f"press-{os.urandom(6).hex()}"),
        site="default-site",
        host_name="cell-7",
        addresses=(LOOPBACK,),
        mesh_port=7_447,
        mesh_tls=False,
        web_port=None,
        web_tls=False,
        host_group=None,
        fingerprint="ab" * 32,
    )


async def refused(*interfaces: str) -> tuple[str, set[asyncio.Task[object]]]:
    """Return what a session that cannot be opened says, and the tasks it left."""
    before = asyncio.all_tasks()
    with pytest.raises(OSError, match=r"mDNS|multicast") as failed:
        await MdnsSession.open(None, interfaces=interfaces, on_sighting=print)
    return str(failed.value), asyncio.all_tasks() - before


async def test_without_an_interface_nothing_is_opened() -> None:
    assert await refused() == ("no multicast on no interfaces: name an interface that is up", set())


async def test_an_address_that_nobody_has_is_named() -> None:
    said, left = await refused("192.0.2.1")
    assert "192.0.2.1" in said
    assert left == set()


async def test_an_open_session_hears_itself_until_it_is_closed() -> None:
    own, heard = advertisement(), asyncio.Event()

    def take(sighting: Sighting) -> None:
        if sighting.runtime_id == own.runtime_id:
            heard.set()

    before = asyncio.all_tasks()
    session = await MdnsSession.open(own, interfaces=(LOOPBACK,), on_sighting=take)
    async with asyncio.timeout(DEADLINE_S):
        await heard.wait()
    await session.close()
    await session.close()

    assert asyncio.all_tasks() - before == set()
