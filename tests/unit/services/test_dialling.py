"""`services.dialling`: who is dialled, when, and when no more (D63, contract 5.2)."""

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.log import FakeLog
from signed_fleet import OTHER, OWN, Chance, Listener, Speaker, Wire
from trust_runtime.contracts.discovery import Sighting
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.services.dialling import Dialling
from virtual_time import run_for_ms, run_virtual, wait_ms

OWN_ADDRESS = "127.0.0.1:7447"
ADDRESS = "127.0.0.1:5201"
THIRD = RuntimeId("press-3")


class Dialled(Wire):
    """Notes each dial and its time after the start; `listeners` are where somebody answers."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.clock)
        self._listener = listener
        self._started_ns = listener.clock.monotonic_ns()
        self.listeners: dict[str, Speaker] = {}
        self.dials: list[tuple[int, str]] = []
        self.takes_ms = 0

    async def dial(self, address: str) -> bool:
        now_ns = self._listener.clock.monotonic_ns()
        self.dials.append(((now_ns - self._started_ns) // NS_PER_MS, address))
        await wait_ms(self.takes_ms)
        speaker = self.listeners.get(address)
        if speaker is not None:
            self._listener.peers.take_token(speaker.token, alive=True)
            self._listener.peers.take_beacon(speaker.beacon())
        return speaker is not None


class Dialler:
    """The service, with what it dials from."""

    def __init__(self, *, fraction: float = 0.5, tls: bool = False) -> None:
        self.listener = Listener()
        self.mesh = Dialled(self.listener)
        self.log = FakeLog()
        self.dialling = Dialling(
            own=OWN,
            own_addresses=(OWN_ADDRESS,),
            tls=tls,
            peers=self.listener.peers,
            mesh=self.mesh,
            clock=self.listener.clock,
            entropy=Chance(fraction),
            log=self.log,
        )

    def sight(self, *addresses: str, runtime: RuntimeId = OTHER, tls: bool = False) -> None:
        self.dialling.take_sighting(
            Sighting(runtime_id=runtime, addresses=addresses, mesh_tls=tls, fingerprint="ab")
        )

    def run_for(self, duration_ms: int, *others: Coroutine[Any, Any, None]) -> list[int]:
        """Run so long; return when it dialled, in milliseconds after the start."""
        run_virtual(
            self.listener.clock, lambda: run_for_ms(duration_ms, self.dialling.run(), *others)
        )
        return [at_ms for at_ms, _ in self.mesh.dials]


def test_who_was_sighted_is_dialled_at_once_after_the_own_start() -> None:
    dialler = Dialler()
    dialler.sight(ADDRESS)
    assert dialler.run_for(100) == [0]
    assert dialler.mesh.dials == [(0, ADDRESS)]


@pytest.mark.parametrize(
    ("age_ms", "first_ms"),
    [
        pytest.param(4_999, 4_999, id="just started: the restarted side dials at once"),
        pytest.param(5_000, 6_000, id="later a newcomer gets a second to dial first"),
    ],
)
def test_courtesy_begins_five_seconds_after_the_start(age_ms: int, first_ms: int) -> None:
    dialler = Dialler()
    dialler.listener.clock.advance_ms(age_ms)
    dialler.sight(ADDRESS)
    assert dialler.run_for(1_100)[0] == first_ms


def test_a_newcomer_that_dials_first_is_not_dialled() -> None:
    dialler = Dialler()
    dialler.listener.clock.advance_ms(60_000)
    dialler.sight(ADDRESS)
    dialler.listener.online()
    assert dialler.run_for(10_000) == []


def test_back_off_doubles_to_thirty_seconds() -> None:
    dialler = Dialler(fraction=0.5)  # A spread of 1: the back-off itself.
    dialler.sight(ADDRESS)
    dials = dialler.run_for(130_000)
    gaps = [later - earlier for earlier, later in pairwise(dials)]
    assert gaps[:7] == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]


@settings(max_examples=20, deadline=None)
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_half_of_the_back_off(fraction: float) -> None:
    dialler = Dialler(fraction=fraction)
    dialler.sight(ADDRESS)
    first, second = dialler.run_for(2_000)[:2]
    assert first == 0
    # Half to one and a half seconds, seen at the next tick.
    assert 1_000 * (0.5 + fraction) - 1 <= second <= 1_000 * (0.5 + fraction) + 200


def test_a_linked_runtime_is_left_alone_and_dialled_again_when_its_token_goes() -> None:
    dialler = Dialler()
    speaker = dialler.listener.speaker()
    dialler.mesh.listeners[ADDRESS] = speaker
    dialler.sight(ADDRESS)

    async def lose() -> None:
        await wait_ms(10_000)
        dialler.mesh.listeners.clear()
        dialler.listener.peers.take_token(speaker.token, alive=False)
        await asyncio.Event().wait()

    dials = dialler.run_for(13_000, lose())
    assert dials[0] == 0
    # A second of courtesy from the last look at the link, then the first back-off again.
    assert 10_800 <= dials[1] <= 11_200
    assert dials[2] - dials[1] == 1_000


def test_addresses_are_tried_in_order_until_one_answers() -> None:
    dialler = Dialler()
    dialler.mesh.listeners["127.0.0.2:2"] = dialler.listener.speaker()
    dialler.sight("127.0.0.1:1", "127.0.0.2:2", "127.0.0.3:3")
    dialler.run_for(100)
    assert [address for _, address in dialler.mesh.dials] == ["127.0.0.1:1", "127.0.0.2:2"]
    assert dialler.log.events() == ["dialled"]


@pytest.mark.parametrize(
    ("runtime", "addresses", "tls"),
    [
        pytest.param(OWN, (ADDRESS,), False, id="itself"),
        pytest.param(OTHER, (OWN_ADDRESS,), False, id="its own address under another name"),
        pytest.param(OTHER, (), False, id="no address"),
        pytest.param(OTHER, (ADDRESS,), True, id="a mesh this version cannot speak"),
    ],
)
def test_what_is_never_dialled(
    runtime: RuntimeId, addresses: tuple[str, ...], *, tls: bool
) -> None:
    dialler = Dialler()
    dialler.sight(*addresses, runtime=runtime, tls=tls)
    assert dialler.run_for(5_000) == []


def test_the_own_address_among_others_is_left_out() -> None:
    dialler = Dialler()
    dialler.sight(OWN_ADDRESS, ADDRESS)
    dialler.run_for(100)
    assert dialler.mesh.dials == [(0, ADDRESS)]


@pytest.mark.parametrize(("left_cleanly", "dials"), [(False, [0]), (True, [])])
def test_a_kept_peer_is_dialled_unless_it_left(*, left_cleanly: bool, dials: list[int]) -> None:
    dialler = Dialler()
    dialler.dialling.take_record(
        PeerRecord(runtime_id=OTHER, addresses=(ADDRESS,), left_cleanly=left_cleanly)
    )
    assert dialler.run_for(100) == dials


def test_nothing_is_dialled_while_the_mesh_is_closed() -> None:
    dialler = Dialler()
    dialler.mesh.is_open = False
    dialler.sight(ADDRESS)

    async def open_later() -> None:
        await wait_ms(3_000)
        dialler.mesh.is_open = True
        await asyncio.Event().wait()

    assert dialler.run_for(3_300, open_later()) in ([3_000], [3_200])  # At the next tick.


def test_a_dial_that_takes_long_is_not_started_twice_and_holds_up_nobody() -> None:
    dialler = Dialler()
    dialler.mesh.takes_ms = 5_000
    dialler.sight(ADDRESS)
    dialler.sight("127.0.0.1:5203", runtime=THIRD)
    dialler.run_for(4_000)
    assert dialler.mesh.dials == [(0, ADDRESS), (0, "127.0.0.1:5203")]


def test_the_same_sighting_again_does_not_shorten_the_back_off() -> None:
    dialler = Dialler()
    dialler.sight(ADDRESS)

    async def repeat() -> None:
        while True:
            await wait_ms(250)
            dialler.sight(ADDRESS)

    assert dialler.run_for(3_500, repeat()) == [0, 1_000, 3_000]


def test_a_new_address_is_dialled_without_waiting_for_the_old_back_off() -> None:
    dialler = Dialler()
    dialler.sight(ADDRESS)

    async def move() -> None:
        await wait_ms(500)
        dialler.sight("127.0.0.1:5299")
        await asyncio.Event().wait()

    dialler.run_for(900, move())
    assert dialler.mesh.dials == [(0, ADDRESS), (600, "127.0.0.1:5299")]


def test_a_flood_of_names_pushes_out_the_oldest_alone() -> None:
    dialler = Dialler()
    for number in range(1_025):
        dialler.sight(ADDRESS, runtime=RuntimeId(f"flood-{number}"))
    dialler.sight("127.0.0.1:1", runtime=RuntimeId("flood-1024"))  # Known: nobody gives way.
    assert len(dialler.run_for(100)) == 1_024
