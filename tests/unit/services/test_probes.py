from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest
from msgspec import structs

from signed_fleet import OTHER, OWN, Listener, boot
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import edges_key, probe_key
from trust_runtime.contracts.presence import LinkState, PresenceLimits
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.peer import Peer
from trust_runtime.services.probes import CHANNEL, Probes
from virtual_time import run_for_ms, run_virtual, wait_ms

THIRD = RuntimeId("press-3")
PATIENT = PresenceLimits(stale_after_ms=3_600_000, partition_after_ms=3_700_000)


async def nobody(_message: MeshMessage) -> MeshMessage | Silence:
    await wait_ms(900)
    return Silence.NOBODY


class Here(Listener):
    """A runtime that probes; nobody is judged silent while it does."""

    def __init__(self) -> None:
        super().__init__(presence=PATIENT)
        self.probes = Probes(
            own=OWN,
            running=self.running,
            peers=self.peers,
            signing=self.signing,
            mesh=self.wire,
            clock=self.clock,
        )
        self.trip_ms = 10.0
        self.wire.answer = self._answer

    async def _answer(self, message: MeshMessage) -> MeshMessage | Silence:
        await wait_ms(self.trip_ms)
        return message

    def run(self, length_ms: float, *works: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            await run_for_ms(length_ms, self.probes.run(), *works)

        run_virtual(self.clock, main)

    def edge(self) -> Edge:
        (edge,) = self.probes.edges()
        return edge

    def peer(self) -> Peer:
        peer = self.peers.get(OTHER)
        assert peer is not None
        return peer


def test_nothing_is_measured_before_five_answers() -> None:
    here = Here()
    here.online()
    here.run(3_500)

    edge = here.edge()
    assert (here.clock.wall_ns() - edge.last_ok_ns) / NS_PER_MS == pytest.approx(490, abs=0.01)
    assert edge == Edge(
        source=OWN,
        target=OTHER,
        channel_type=CHANNEL,
        state=LinkState.HEALTHY,
        stale=False,
        latency_ms_p95=None,
        loss_pct=None,
        last_ok_ns=edge.last_ok_ns,
    )


def test_a_round_trip_is_measured_once_a_second() -> None:
    here = Here()
    here.online()
    start_ns = here.clock.monotonic_ns()
    here.run(4_500)

    assert [(at_ns - start_ns) / NS_PER_S for at_ns, _ in here.wire.asked] == pytest.approx(
        [0, 1, 2, 3, 4]
    )
    assert {message.key for _, message in here.wire.asked} == {probe_key(OTHER)}
    assert {message.body for _, message in here.wire.asked} == {b""}
    assert here.edge().latency_ms_p95 == pytest.approx(10, abs=0.01)
    assert here.edge().loss_pct == 0


@pytest.mark.parametrize(("trip_ms", "answered"), [(999.9, True), (1_000, False), (5_000, False)])
def test_an_answer_counts_within_a_second(*, trip_ms: float, answered: bool) -> None:
    here = Here()
    here.online()
    here.trip_ms = trip_ms
    here.run(1_999)
    assert [trip is not None for trip in here.peer().probes] == [answered]
    assert bool(here.peer().probe_ok_ns) is answered


def test_nobody_there_is_a_loss_while_the_token_is_held() -> None:
    here = Here()
    speaker = here.online()
    here.wire.answer = nobody

    async def leave() -> None:
        await wait_ms(2_500)
        here.peers.take_token(speaker.token, alive=False)

    here.run(10_000, leave())
    assert list(here.peer().probes) == [None, None]  # The third was under way when it left.
    assert len(here.wire.asked) == 3


def test_loss_and_latency_are_those_of_the_last_64() -> None:
    here = Here()
    here.online()

    async def vary() -> None:
        await wait_ms(9_500)  # Ten fast ones, then 64 of which eight are lost.
        here.trip_ms = 30
        await wait_ms(56_000)
        here.wire.answer = nobody

    here.run(73_950, vary())
    window = list(here.peer().probes)
    assert len(window) == 64
    assert window.count(None) == 8
    assert here.edge().latency_ms_p95 == pytest.approx(30, abs=0.01)
    assert here.edge().loss_pct == 12.5
    assert here.edge().state is LinkState.DEGRADED


def test_the_answer_to_a_replaced_incarnation_is_not_the_new_one_s() -> None:
    here = Here()
    old = here.online(number=1)
    here.trip_ms = 500

    async def restart() -> None:
        await wait_ms(100)
        here.peers.take_token(old.token, alive=False)
        here.online(number=2)

    here.run(900, restart())
    assert list(here.peer().probes) == []
    here.run(1_000)
    assert len(here.peer().probes) == 1


def test_a_peer_that_is_gone_has_a_failed_link_without_numbers() -> None:
    here = Here()
    speaker = here.online()
    here.run(6_000)
    ok_ns = here.edge().last_ok_ns
    here.peers.take_token(speaker.token, alive=False)
    stale = here.edge()
    here.peers.take_beacon(speaker.beacon(lifecycle="leaving"))
    failed = here.edge()

    assert (stale.state, stale.stale) == (LinkState.STALE, True)
    assert (failed.state, failed.stale) == (LinkState.FAILED, True)
    for edge in (stale, failed):
        assert (edge.latency_ms_p95, edge.loss_pct, edge.last_ok_ns) == (None, None, ok_ns)


def test_the_link_to_an_untrusted_peer_is_degraded() -> None:
    here = Here()
    old = here.online(number=1)
    here.peers.take_token(old.token, alive=False)
    here.online(number=2, key="second")
    assert here.edge().state is LinkState.DEGRADED


@pytest.mark.parametrize(("peers", "busiest"), [(10, 10), (32, 32), (100, 32)])
def test_at_most_32_probes_a_second_and_one_a_peer(peers: int, busiest: int) -> None:
    here = Here()
    for number in range(peers):
        here.online(RuntimeId(f"p-{number:03}"))
    here.run(3_000)

    times = [at_ns for at_ns, _ in here.wire.asked]
    most = max(sum(start <= at < start + NS_PER_S for at in times) for start in times)
    assert most == busiest
    first_round = [message.key for _, message in here.wire.asked[:peers]]
    assert len(set(first_round)) == min(peers, len(first_round))


def test_an_unanswered_probe_is_not_asked_twice() -> None:
    here = Here()
    here.online()
    here.online(THIRD)
    here.trip_ms = 5_000
    here.run(2_900)
    for runtime in (OTHER, THIRD):
        asked = [at for at, message in here.wire.asked if message.key == probe_key(runtime)]
        assert all(later - earlier >= NS_PER_S for earlier, later in pairwise(asked))


def test_a_late_newcomer_is_probed_soon() -> None:
    here = Here()

    async def come() -> None:
        await wait_ms(2_500)
        here.online()

    here.run(3_600, come())
    assert here.wire.asked


def test_a_probe_is_answered_with_the_own_incarnation() -> None:
    here = Here()

    async def main() -> None:
        question = MeshMessage(key=probe_key(OWN), body=b"")
        answer = await here.probes.answer(question)
        assert answer == structs.replace(question, body=boot(1_000).encode())

    run_virtual(here.clock, main)


def test_the_own_edges_are_told_early_and_then_every_five_seconds() -> None:
    here = Here()
    here.online()
    start_ns = here.clock.monotonic_ns()

    async def main() -> None:
        await run_for_ms(21_000, here.probes.publish())

    run_virtual(here.clock, main)

    times_s = [round((at_ns - start_ns) / NS_PER_S, 3) for at_ns, _ in here.wire.sent]
    assert times_s == [1, 2, 3, 4, 5, 10, 15, 20]
    for number, (_, message) in enumerate(here.wire.sent, 1):
        signer, claims = here.signing.read_broadcast(TokenType.EVENT, message)
        assert (message.key, signer.runtime_id, claims.seq) == (edges_key(OWN), OWN, number)
        assert decode_json(message.body, tuple[Edge, ...])[0].target == OTHER
