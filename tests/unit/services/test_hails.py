"""Why a peer is not heard: knocks at its listener, and hails."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from signed_fleet import NOW_S, OTHER, OWN, STATUS, Listener, Speaker, boot, signer_of
from trust_runtime.contracts.codec import convert
from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.sight import HailClaims, Knock, Sight
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S
from trust_runtime.ports.reach import DatagramHandler
from trust_runtime.services.hails import HAILS_PER_S, KNOCKS_PER_S, Hails
from trust_runtime.services.peer import Peer
from trust_runtime.services.stalls import Stalls
from virtual_time import run_for_ms, run_virtual, wait_ms

STRANGER = RuntimeId("press-9")
ADDRESS = STATUS.mesh.addresses[0]
SECOND = "[::1]:7448"


class Ground:
    """Implements `ports.reach.Reach`: finds what the test says, and shows what was sent."""

    def __init__(self) -> None:
        self.finds: dict[str, Knock] = {}
        self.takes_ms = 0
        self.knocked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.sent: list[tuple[str, bytes]] = []

    async def open(self, handler: DatagramHandler) -> None:
        raise AssertionError(f"nothing under test opens it for {handler}")

    async def close(self) -> None:
        raise AssertionError("nothing under test closes it")

    def send(self, address: str, datagram: bytes) -> None:
        self.sent.append((address, datagram))

    async def knock(self, address: str, *, timeout_ms: int) -> Knock:
        assert 0 < timeout_ms <= 1_000
        self.knocked.append(address)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await wait_ms(self.takes_ms)
        self.at_once -= 1
        return self.finds.get(address, Knock.SILENT)


class Scene:
    """One runtime with hails."""

    def __init__(self) -> None:
        self.here = Listener()
        self.ground = Ground()
        self.stalls = Stalls(clock=self.here.clock, log=self.here.log)
        self.hails = Hails(
            own=OWN,
            running=self.here.running,
            peers=self.here.peers,
            stalls=self.stalls,
            signer=signer_of(OWN),
            reach=self.ground,
            clock=self.here.clock,
        )
        self.changed: list[RuntimeId] = []
        self.hails.on_change = self.changed.append

    def peer(self, runtime: RuntimeId = OTHER) -> Peer:
        peer = self.here.peers.get(runtime)
        assert peer is not None
        return peer

    def sight(self, runtime: RuntimeId = OTHER) -> Sight:
        return self.hails.sight(self.peer(runtime))

    def lose(self, runtime: RuntimeId = OTHER, **changes: Any) -> Speaker:
        """Return a runtime that was heard and is not any more."""
        speaker = self.here.speaker(runtime)
        self.here.peers.take_token(speaker.token, alive=True)
        self.here.peers.take_beacon(speaker.beacon(**changes))
        self.here.peers.take_token(speaker.token, alive=False)
        return speaker

    def hail(self, speaker: Speaker, **changes: Any) -> bytes:
        """Return a hail of a runtime to this one."""
        wall_ns = self.here.clock.wall_ns()
        claims = HailClaims(
            iss=spiffe_id(speaker.runtime),
            aud=spiffe_id(OWN),
            iat=wall_ns // NS_PER_S,
            sent_ns=wall_ns,
            boot_id=speaker.boot,
            seq=1,
        )
        return speaker.signer.sign(TokenType.HAIL, structs.replace(claims, **changes))

    def take(self, speaker: Speaker, **changes: Any) -> None:
        self.hails.take(self.hail(speaker, **changes), "192.0.2.9:1")

    def told(self) -> list[HailClaims]:
        """Return what this runtime sent, as its receiver reads it."""
        read = [signer_of(OTHER).verify(TokenType.HAIL, one) for _, one in self.ground.sent]
        assert all(signer.runtime_id == OWN for signer, _ in read)
        return [convert(raw, HailClaims) for _, raw in read]


def watched(scene: Scene, main: Callable[[], Awaitable[None]], *, length_ms: float) -> None:
    """Run the service, and `main` beside it."""

    async def work() -> None:
        async def beside() -> None:
            await main()

        await run_for_ms(length_ms, scene.hails.run(), beside())

    run_virtual(scene.here.clock, work)


async def nothing() -> None:
    pass


# Examining


@pytest.mark.parametrize(
    ("found", "sight"),
    [
        (Knock.REFUSED, Sight.DEAD),
        (Knock.ACCEPTED, Sight.FROZEN),
        (Knock.SILENT, Sight.CUT),
    ],
)
def test_who_is_lost_is_knocked_at_and_hailed(found: Knock, sight: Sight) -> None:
    scene = Scene()
    scene.ground.finds[ADDRESS] = found
    scene.lose()
    assert scene.sight() is Sight.LOST

    watched(scene, nothing, length_ms=350)

    assert scene.sight() is sight
    assert scene.changed == [OTHER]
    assert scene.ground.knocked == [ADDRESS]
    assert [address for address, _ in scene.ground.sent] == [ADDRESS]
    (hail,) = scene.told()
    assert (hail.aud, hail.answer, hail.got_seq) == (spiffe_id(OTHER), False, 0)


def test_who_is_heard_left_or_was_never_heard_is_left_in_peace() -> None:
    scene = Scene()
    scene.here.online()
    leaving = scene.here.online(RuntimeId("press-3"))
    scene.here.peers.take_beacon(leaving.beacon(lifecycle="leaving"))
    scene.here.peers.take_token(scene.here.speaker(RuntimeId("press-4")).token, alive=True)
    scene.here.peers.pin(RuntimeId("press-5"), "ab" * 32)
    scene.lose(RuntimeId("press-6"), mesh=structs.replace(STATUS.mesh, addresses=()))

    async def keep_heard() -> None:
        scene.here.peers.evaluate()

    watched(scene, keep_heard, length_ms=1_500)

    assert (scene.ground.sent, scene.ground.knocked) == ([], [])
    assert scene.sight() is Sight.HEARD
    assert scene.sight(RuntimeId("press-3")) is Sight.LEFT
    assert scene.sight(RuntimeId("press-5")) is Sight.NEVER
    assert scene.sight(RuntimeId("press-6")) is Sight.LOST


def test_it_is_examined_often_at_first_and_seldom_later() -> None:
    scene = Scene()
    scene.lose()

    async def watch() -> None:
        await wait_ms(29_900)
        hails, knocks = len(scene.ground.sent), len(scene.ground.knocked)
        assert 55 <= hails <= 76  # Every 400 ms, on ticks of 100 ms.
        assert 25 <= knocks <= 31
        await wait_ms(30_000)
        assert 25 <= len(scene.ground.sent) - hails <= 33
        assert 5 <= len(scene.ground.knocked) - knocks <= 7

    watched(scene, watch, length_ms=60_000)


def test_every_address_is_tried_until_one_answers() -> None:
    scene = Scene()
    scene.ground.finds[SECOND] = Knock.REFUSED
    addresses = (ADDRESS, SECOND, "127.0.0.1:7449")
    scene.lose(mesh=structs.replace(STATUS.mesh, addresses=addresses))

    watched(scene, nothing, length_ms=350)

    assert scene.ground.knocked == [ADDRESS, SECOND]
    assert [address for address, _ in scene.ground.sent] == list(addresses)
    assert scene.sight() is Sight.DEAD


def test_knocks_at_many_are_bounded_and_one_never_waits_for_itself() -> None:
    scene = Scene()
    scene.ground.takes_ms = 700
    for number in range(20):
        scene.lose(RuntimeId(f"press-1{number:02}"))

    watched(scene, nothing, length_ms=1_300)

    assert scene.ground.most_at_once == 16
    assert len(scene.ground.knocked) == 20


def test_however_many_are_lost_the_rate_is_bounded_and_each_has_its_turn() -> None:
    scene = Scene()
    lost = [RuntimeId(f"press-1{number:03}") for number in range(300)]
    for runtime in lost:
        scene.lose(runtime)
    late = RuntimeId("press-9999")

    def hailed() -> list[str]:
        return [claims.aud for claims in scene.told()]

    async def watch() -> None:
        await wait_ms(3_050)
        # One round takes three seconds, and each was hailed in it before any was again.
        assert sorted(hailed()[:300]) == sorted(map(spiffe_id, lost))
        await wait_ms(7_000)
        rounds = Counter(hailed())
        assert set(rounds.values()) <= {3, 4}
        # Whoever is lost now is looked for at once.
        scene.lose(late)
        await wait_ms(150)
        assert spiffe_id(late) in hailed()

    watched(scene, watch, length_ms=10_250)
    assert len(scene.ground.sent) <= 10.3 * HAILS_PER_S


def test_knocks_are_bounded_in_rate_too() -> None:
    scene = Scene()
    for number in range(300):
        scene.lose(RuntimeId(f"press-1{number:03}"))
    watched(scene, nothing, length_ms=10_000)
    assert 9.5 * KNOCKS_PER_S <= len(scene.ground.knocked) <= 10.1 * KNOCKS_PER_S


def test_a_verdict_does_not_come_and_go_with_the_turns_of_many() -> None:
    scene = Scene()
    for number in range(300):
        scene.lose(RuntimeId(f"press-1{number:03}"))
    speaker, seq = scene.lose(), 0

    async def answer() -> None:
        nonlocal seq
        for _ in range(110):
            await wait_ms(100)
            told = scene.told()
            scene.ground.sent.clear()
            for claims in told:
                if claims.aud == spiffe_id(OTHER):
                    seq = claims.seq
                    own = scene.here.running.boot_id
                    scene.take(speaker, seq=seq, got_boot=own, got_seq=seq, answer=True)
            if seq:
                assert scene.sight() is Sight.UNLINKED
        assert seq

    watched(scene, answer, length_ms=11_500)


def test_a_verdict_goes_when_the_peer_is_heard_again() -> None:
    scene = Scene()
    scene.ground.finds[ADDRESS] = Knock.REFUSED
    speaker = scene.lose()

    async def watch() -> None:
        await wait_ms(350)
        assert scene.sight() is Sight.DEAD
        scene.here.peers.take_token(speaker.token, alive=True)
        scene.here.peers.take_beacon(speaker.beacon())
        assert scene.sight() is Sight.HEARD
        await wait_ms(150)
        assert scene.hails.status() == {"examined": [], "rejected": 0}
        scene.ground.takes_ms = 500
        scene.here.peers.take_token(speaker.token, alive=False)
        await wait_ms(150)
        # Lost again: what was found the last time says nothing of this time.
        assert scene.sight() is Sight.LOST

    watched(scene, watch, length_ms=900)
    assert scene.changed == [OTHER, OTHER]


def test_a_verdict_that_changes_is_told_and_one_that_stays_is_not() -> None:
    scene = Scene()
    scene.lose()

    async def watch() -> None:
        await wait_ms(4_000)
        assert scene.changed == [OTHER]
        scene.ground.finds[ADDRESS] = Knock.ACCEPTED
        await wait_ms(1_200)

    watched(scene, watch, length_ms=6_000)
    assert scene.changed == [OTHER, OTHER]
    assert scene.sight() is Sight.FROZEN


def test_an_observer_that_stood_still_accuses_nobody() -> None:
    scene = Scene()
    scene.ground.finds[ADDRESS] = Knock.REFUSED
    scene.lose()

    async def watch() -> None:
        await wait_ms(350)
        assert scene.sight() is Sight.DEAD
        scene.here.clock.advance_ms(5_000)
        scene.stalls.check()
        assert scene.sight() is Sight.OBSERVER_STALLED
        await wait_ms(2_999)
        assert scene.sight() is Sight.OBSERVER_STALLED
        await wait_ms(1)
        assert scene.sight() is Sight.DEAD

    async def work() -> None:
        await run_for_ms(9_000, scene.stalls.run(), scene.hails.run(), watch())

    run_virtual(scene.here.clock, work)


def test_hails_that_waited_while_it_stood_still_accuse_nobody() -> None:
    scene = Scene()
    speaker = scene.lose()

    async def watch() -> None:
        await wait_ms(350)
        scene.here.clock.advance_ms(2_000)
        scene.stalls.check()
        scene.take(speaker)
        assert scene.sight() is Sight.OBSERVER_STALLED
        got = {"got_boot": scene.here.running.boot_id, "got_seq": scene.told()[-1].seq}
        scene.take(speaker, seq=2, answer=True, **got)
        assert scene.sight() is Sight.UNLINKED

    async def work() -> None:
        await run_for_ms(3_000, scene.stalls.run(), scene.hails.run(), watch())

    run_virtual(scene.here.clock, work)


def test_after_a_stall_what_waits_is_read_before_anybody_is_hailed() -> None:
    scene = Scene()
    speaker = scene.lose()

    async def watch() -> None:
        await wait_ms(350)
        before = len(scene.told())
        scene.here.clock.advance_ms(2_000)
        await wait_ms(60)
        assert len(scene.told()) == before
        scene.take(speaker, seq=7)
        await wait_ms(150)
        answer, hail = scene.told()[before:]
        assert (answer.answer, hail.answer) == (True, False)
        assert hail.got_seq == 7

    async def work() -> None:
        await run_for_ms(3_000, scene.stalls.run(), scene.hails.run(), watch())

    run_virtual(scene.here.clock, work)


# Hails of others


def test_a_hail_proves_one_direction_and_its_answer_both() -> None:
    scene = Scene()
    speaker = scene.lose()
    scene.take(speaker)
    assert scene.sight() is Sight.ONE_WAY
    (answer,) = scene.told()
    assert answer.answer
    assert (answer.got_boot, answer.got_seq) == (speaker.boot, 1)

    scene.here.clock.advance_ms(10)
    scene.take(speaker, seq=2, got_boot=scene.here.running.boot_id, got_seq=answer.seq, answer=True)
    assert scene.sight() is Sight.UNLINKED
    assert scene.changed == [OTHER, OTHER]
    assert scene.hails.rejected == 0


@pytest.mark.parametrize(
    "got",
    [
        {"got_seq": 1},
        {"got_boot": boot(999), "got_seq": 1},
        {"got_boot": boot(1_000), "got_seq": 2},
        {"got_boot": boot(1_000), "got_seq": 0},
    ],
)
def test_only_an_own_hail_that_was_sent_is_confirmed(got: dict[str, Any]) -> None:
    scene = Scene()
    speaker = scene.lose()
    scene.take(speaker)
    scene.take(speaker, seq=2, **got)
    assert scene.sight() is Sight.ONE_WAY


def test_what_arrived_long_ago_proves_nothing_now() -> None:
    scene = Scene()
    speaker = scene.lose()
    scene.take(speaker)
    confirms = {"got_boot": scene.here.running.boot_id, "got_seq": 1}
    scene.here.clock.advance_ms(2_499)
    assert scene.sight() is Sight.ONE_WAY
    scene.here.clock.advance_ms(1)
    assert scene.sight() is Sight.LOST
    # It comes now, but confirms a hail that was sent too long ago.
    scene.take(speaker, seq=2, **confirms)
    assert scene.sight() is Sight.ONE_WAY


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        pytest.param({"aud": spiffe_id(STRANGER)}, False, id="for another"),
        pytest.param({"aud": "spiffe://trust"}, False, id="for everybody"),
        pytest.param({"sent_ns": NOW_S * NS_PER_S - 5_000 * NS_PER_MS}, True, id="5 s ago"),
        pytest.param({"sent_ns": NOW_S * NS_PER_S - 5_001 * NS_PER_MS}, False, id="older"),
        pytest.param({"sent_ns": NOW_S * NS_PER_S + 5_001 * NS_PER_MS}, False, id="to come"),
        pytest.param({"sent_ns": 2**80}, False, id="never"),
        pytest.param({"boot_id": boot(4)}, False, id="of an old boot"),
        pytest.param({"boot_id": boot(6)}, True, id="of a later boot than its beacon"),
    ],
)
def test_only_a_hail_for_this_runtime_of_this_time_counts(
    changes: dict[str, Any],
    is_taken: bool,  # noqa: FBT001 - a column
) -> None:
    scene = Scene()
    speaker = Speaker(scene.here.clock, number=5)
    scene.here.peers.take_token(speaker.token, alive=True)
    scene.here.peers.take_beacon(speaker.beacon())
    scene.here.peers.take_token(speaker.token, alive=False)

    scene.take(speaker, **changes)

    assert scene.hails.rejected == (not is_taken)
    assert scene.sight() is (Sight.ONE_WAY if is_taken else Sight.LOST)
    assert len(scene.ground.sent) == is_taken


def test_a_clock_that_is_known_to_differ_is_no_reason_to_ignore_a_hail() -> None:
    scene = Scene()
    away_ns = 3_600 * NS_PER_S
    clock = type(scene.here.clock)(scene.here.clock.time, wall_error_ms=away_ns // NS_PER_MS)
    speaker = Speaker(clock, OTHER)
    scene.here.peers.take_token(speaker.token, alive=True)
    scene.here.peers.take_beacon(speaker.beacon())
    scene.here.peers.take_token(speaker.token, alive=False)
    wall_ns = scene.here.clock.wall_ns()

    scene.take(speaker, sent_ns=wall_ns)
    assert scene.hails.rejected == 1
    scene.take(speaker, sent_ns=wall_ns + away_ns)
    assert scene.hails.rejected == 1
    assert scene.sight() is Sight.ONE_WAY


def test_a_hail_counts_once_and_only_forward() -> None:
    scene = Scene()
    speaker = scene.lose()
    first, second = scene.hail(speaker, seq=7), scene.hail(speaker, seq=8)
    for datagram in (second, second, first):
        scene.hails.take(datagram, "192.0.2.9:1")
    assert scene.hails.rejected == 2
    scene.take(speaker, boot_id=boot(2), seq=1)
    assert scene.hails.rejected == 2
    scene.take(speaker, seq=9)
    assert scene.hails.rejected == 3, "an old boot came back"


def test_a_stranger_a_changed_key_and_noise_are_ignored() -> None:
    scene = Scene()
    speaker = scene.lose()
    scene.take(scene.here.speaker(STRANGER))
    scene.take(scene.here.speaker(key="second"))
    scene.take(Speaker(scene.here.clock, OWN))
    altered = bytearray(scene.hail(speaker))
    altered[len(altered) // 2] ^= 1
    datagrams = [bytes(altered), b"", b"\xff" * 4_096, speaker.beacon().token]
    datagrams.append(speaker.signer.sign(TokenType.HAIL, {"iss": spiffe_id(OTHER)}))
    for datagram in datagrams:
        scene.hails.take(datagram, "192.0.2.9:1")
    assert scene.hails.rejected == 3 + len(datagrams)
    assert scene.hails.status()["rejected"] == scene.hails.rejected
    assert scene.sight() is Sight.LOST
    assert (scene.ground.sent, scene.changed) == ([], [])
    assert scene.here.peers.get(STRANGER) is None


def test_answers_are_limited_and_never_answered() -> None:
    scene = Scene()
    speaker = scene.lose()
    for seq in range(1, 51):
        scene.take(speaker, seq=seq)
    assert len(scene.ground.sent) == 1
    scene.here.clock.advance_ms(99)
    scene.take(speaker, seq=51)
    assert len(scene.ground.sent) == 1
    scene.here.clock.advance_ms(1)
    scene.take(speaker, seq=52, answer=True)
    assert len(scene.ground.sent) == 1
    scene.take(speaker, seq=53)
    assert len(scene.ground.sent) == 2
    assert [hail.answer for hail in scene.told()] == [True, True]
    assert scene.hails.rejected == 0


def test_who_is_heard_is_answered_too() -> None:
    scene = Scene()
    speaker = scene.here.online()
    scene.take(speaker)
    (answer,) = scene.told()
    assert answer.got_seq == 1
    assert scene.sight() is Sight.HEARD


def test_what_arrived_before_a_loss_says_nothing_of_it() -> None:
    scene = Scene()
    speaker = scene.lose()
    confirms: dict[str, Any] = {"got_boot": scene.here.running.boot_id, "answer": True}

    async def watch() -> None:
        await wait_ms(150)
        scene.take(speaker, got_seq=scene.told()[-1].seq, **confirms)
        assert scene.sight() is Sight.UNLINKED
        scene.here.peers.take_token(speaker.token, alive=True)
        scene.here.peers.take_beacon(speaker.beacon())
        await wait_ms(150)
        before_the_loss = scene.told()[-1].seq
        scene.here.peers.take_token(speaker.token, alive=False)
        await wait_ms(150)
        assert scene.sight() is Sight.CUT
        # It lives, but got nothing of us since; its word that it once did is old.
        scene.take(speaker, seq=2, got_seq=before_the_loss, **confirms)
        assert scene.sight() is Sight.ONE_WAY
        scene.take(speaker, seq=3, got_seq=scene.told()[-1].seq, **confirms)
        assert scene.sight() is Sight.UNLINKED

    watched(scene, watch, length_ms=700)
    # Knocked, hailed both ways, heard again, knocked, hailed one way, hailed both ways.
    assert scene.changed == [OTHER] * 6
