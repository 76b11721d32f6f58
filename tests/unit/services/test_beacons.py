from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from signed_fleet import NOW_S, OWN, STATUS, Listener
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.keyspace import beacon_key
from trust_runtime.contracts.presence import BeaconStatus, PresenceLimits
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S
from trust_runtime.services.beacons import Beacons
from virtual_time import run_for_ms, run_virtual, wait_ms


class Sender:
    """One runtime that sends beacons, and when it did."""

    def __init__(self, *, period_ms: int = 1_000, fraction: float = 0.5) -> None:
        self.here = Listener(presence=PresenceLimits(beacon_period_ms=period_ms))
        self.here.chance.value = fraction
        self.health = "healthy"
        self.noticed = 0
        self.beacons: Beacons | None = None

    def make(self) -> Beacons:
        """Return the service; on the loop it will run on."""
        here = self.here
        beacons = Beacons(
            own=OWN,
            running=here.running,
            signing=here.signing,
            mesh=here.wire,
            clock=here.clock,
            entropy=here.chance,
            status=lambda: structs.replace(
                STATUS, boot_id=here.running.boot_id, health=self.health
            ),
        )
        beacons.on_sent = self._notice
        return beacons

    def _notice(self) -> None:
        self.noticed += 1

    def run(self, *works: Coroutine[Any, Any, None], length_ms: float) -> None:
        """Run the loop of the service beside `works`."""

        async def main() -> None:
            self.beacons = self.beacons or self.make()
            await run_for_ms(length_ms, self.beacons.run(), *works)

        run_virtual(self.here.clock, main)

    @property
    def times_ms(self) -> list[float]:
        """When each was sent, since the first."""
        first_ns = self.here.wire.sent[0][0]
        return [(at_ns - first_ns) / NS_PER_MS for at_ns, _ in self.here.wire.sent]

    @property
    def said(self) -> list[BeaconStatus]:
        """What each said."""
        return [decode_json(message.body, BeaconStatus) for _, message in self.here.wire.sent]


def test_a_beacon_is_signed_on_the_own_key_and_counts_up() -> None:
    sender = Sender()

    async def main() -> None:
        beacons = sender.make()
        beacons.send()
        sender.here.clock.advance_ms(5)
        beacons.send()
        assert beacons.last_sent_ns == NOW_S * NS_PER_S + 5 * NS_PER_MS

    run_virtual(sender.here.clock, main)

    for number, (_, message) in enumerate(sender.here.wire.sent, 1):
        signer, claims = sender.here.signing.read_broadcast(TokenType.BEACON, message)
        assert message.key == beacon_key(OWN)
        assert (signer.runtime_id, claims.seq) == (OWN, number)
        assert claims.boot_id == sender.here.running.boot_id
    assert [(one.seq, one.lifecycle) for one in sender.said] == [(1, "running"), (2, "running")]
    assert sender.noticed == 2


def test_after_its_goodbye_a_runtime_says_nothing_else() -> None:
    sender = Sender()

    async def main() -> None:
        beacons = sender.make()
        beacons.send()
        beacons.send(leaving=True)
        beacons.send()

    run_virtual(sender.here.clock, main)
    assert [one.lifecycle for one in sender.said] == ["running", "leaving", "leaving"]


@pytest.mark.parametrize(("fraction", "pause_ms"), [(0.0, 900), (0.5, 1_000), (1.0, 1_100)])
def test_the_period_is_spread_by_a_tenth(fraction: float, pause_ms: float) -> None:
    sender = Sender(fraction=fraction)
    sender.run(length_ms=pause_ms * 3 + 1)
    assert sender.times_ms == pytest.approx([0, pause_ms, 2 * pause_ms, 3 * pause_ms], abs=0.01)


def test_the_shortest_period_is_spread_upwards_only() -> None:
    sender = Sender(period_ms=100, fraction=0.0)
    sender.run(length_ms=1_000)
    assert len(sender.times_ms) == 10


def test_a_changed_period_counts_from_the_next_beacon() -> None:
    sender = Sender(period_ms=1_000)

    async def change() -> None:
        await wait_ms(500)
        settings = sender.here.running.settings
        presence = structs.replace(settings.presence, beacon_period_ms=200)
        sender.here.running.settings = structs.replace(settings, presence=presence)

    sender.run(change(), length_ms=1_401)
    assert sender.times_ms == pytest.approx([0, 1_000, 1_200, 1_400], abs=0.01)


def test_a_change_is_told_at_once_and_read_whole() -> None:
    sender = Sender()

    async def change() -> None:
        await wait_ms(300)
        sender.health = "degraded"
        assert sender.beacons is not None
        sender.beacons.soon()
        sender.beacons.soon()

    sender.run(change(), length_ms=900)
    assert sender.times_ms == pytest.approx([0, 300], abs=0.01)
    assert [one.health for one in sender.said] == ["healthy", "degraded"]


def test_a_change_right_after_a_beacon_waits_for_the_gap_and_is_not_lost() -> None:
    sender = Sender()

    async def change() -> None:
        for at_ms, health in ((1, "degraded"), (50, "faulted")):
            await wait_ms(at_ms)
            sender.health = health
            assert sender.beacons is not None
            sender.beacons.soon()

    sender.run(change(), length_ms=600)
    assert sender.times_ms == pytest.approx([0, 100], abs=2)
    assert sender.said[-1].health == "faulted"


@given(
    pauses_ms=st.lists(st.integers(0, 150), min_size=1, max_size=40),
    period_ms=st.sampled_from([100, 1_000]),
    fraction=st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=40, deadline=None)
def test_at_most_ten_in_any_second_however_much_changes(
    pauses_ms: list[int], period_ms: int, fraction: float
) -> None:
    sender = Sender(period_ms=period_ms, fraction=fraction)

    async def change() -> None:
        for pause_ms in pauses_ms:
            await wait_ms(pause_ms)
            assert sender.beacons is not None
            sender.beacons.soon()

    length_ms = sum(pauses_ms) + 1_200
    sender.run(change(), length_ms=length_ms)

    gaps = [later - earlier for earlier, later in pairwise(sender.times_ms)]
    assert min(gaps) >= 99.999
    assert max(gaps) <= 1.1 * period_ms + 1
