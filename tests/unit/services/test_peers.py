from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from fakes.clock import FakeClock
from signed_fleet import NOW_S, OTHER, OWN, STATUS, Listener, Speaker, boot, signer_of
from trust_runtime.contracts.codec import canonical_json
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.ids import RuntimeId, name_of, site_of
from trust_runtime.contracts.keyspace import beacon_key, edges_key, token_key
from trust_runtime.contracts.presence import (
    Lifecycle,
    MeshReport,
    PeerRecord,
    PresenceLimits,
    TrustReason,
)
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import PEERS_MAX, Peers

THIRD = RuntimeId("press-3")
PIN = signer_of(OTHER).own_pin


def known(peers: Peers, runtime: RuntimeId = OTHER) -> Peer:
    peer = peers.get(runtime)
    assert peer is not None
    return peer


def own_reason(peers: Peers) -> TrustReason | None:
    return peers.own_trust_reason


def verdict(peers: Peers) -> tuple[Lifecycle, TrustReason | None]:
    peer = known(peers)
    return peer.lifecycle, peer.trust_reason


# Life


def test_a_token_alone_proves_nobody() -> None:
    here = Listener()
    here.peers.take_token(here.speaker().token, alive=True)

    assert here.peers.get(OTHER) is None
    assert list(here.peers) == []
    assert (here.tokens, here.changes, here.kept) == (1, 0, [])


def test_token_and_beacon_make_online_trusted_and_pinned() -> None:
    here = Listener()
    here.online()

    peer = known(here.peers)
    assert verdict(here.peers) == (Lifecycle.ONLINE, None)
    assert peer.record.pin == PIN
    assert peer.record.addresses == ("127.0.0.1:7447",)
    assert peer.record.last_seen_ns == NOW_S * NS_PER_S
    assert set(here.kept) == {OTHER}
    assert here.changes
    assert [p.record.runtime_id for p in here.peers] == [OTHER]
    assert here.log.events() == ["peer_online", "trust_changed"]
    assert here.peers.rejected == {}


def test_a_beacon_without_its_token_is_stale() -> None:
    here = Listener()
    speaker = here.speaker()
    here.peers.take_beacon(speaker.beacon())
    assert known(here.peers).lifecycle is Lifecycle.STALE

    here.peers.take_token(speaker.token, alive=True)
    assert known(here.peers).lifecycle is Lifecycle.ONLINE


def test_the_loss_of_the_token_lowers_at_once_and_only_a_newer_beacon_raises() -> None:
    here = Listener()
    speaker = here.online()
    last = speaker.beacon(seq=1)

    here.peers.take_token(speaker.token, alive=False)
    assert known(here.peers).lifecycle is Lifecycle.STALE
    here.peers.take_token(speaker.token, alive=True)
    assert known(here.peers).lifecycle is Lifecycle.STALE
    here.peers.take_beacon(last)
    assert known(here.peers).lifecycle is Lifecycle.STALE
    assert here.peers.rejected == {"replayed": 1}
    here.peers.take_beacon(speaker.beacon())
    assert known(here.peers).lifecycle is Lifecycle.ONLINE


def test_a_second_loss_does_not_move_the_moment_of_the_first() -> None:
    here = Listener()
    speaker = here.online()
    here.peers.take_token(speaker.token, alive=False)
    here.clock.advance_ms(29_999)
    here.peers.take_token(speaker.token, alive=True)
    here.peers.take_token(speaker.token, alive=False)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.STALE
    here.clock.advance_ms(1)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.PARTITIONED


def test_the_loss_of_another_incarnation_means_nothing() -> None:
    here = Listener()
    speaker = here.online(number=2)
    old = here.speaker(number=1)
    here.peers.take_token(old.token, alive=True)
    here.peers.take_token(old.token, alive=False)
    here.peers.take_token(here.speaker(number=3).token, alive=False)

    assert known(here.peers).lifecycle is Lifecycle.ONLINE
    assert known(here.peers).evidence.tokens == {speaker.boot}


def test_silence_makes_stale_then_partitioned_on_the_nanosecond() -> None:
    here = Listener()
    here.online()
    seen = []
    for pass_ns in (2_000 * NS_PER_MS, 1, 30_000 * NS_PER_MS - 1, 1):
        here.pass_ns(pass_ns)
        next_ns = here.peers.evaluate()
        left_ns = None if next_ns is None else next_ns - here.clock.monotonic_ns()
        seen.append((known(here.peers).lifecycle, left_ns))

    assert seen == [
        (Lifecycle.ONLINE, 1),
        (Lifecycle.STALE, 30_000 * NS_PER_MS),
        (Lifecycle.STALE, 1),
        (Lifecycle.PARTITIONED, None),
    ]
    assert here.log.events()[-2:] == ["peer_stale", "peer_partitioned"]


def test_the_peer_s_own_period_stretches_the_patience() -> None:
    here = Listener()
    speaker = here.online()
    here.peers.take_beacon(speaker.beacon(period_ms=5_000))
    here.clock.advance_ms(10_000)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.ONLINE
    here.pass_ns(1)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.STALE


def test_a_goodbye_is_offline_until_a_new_beacon() -> None:
    here = Listener()
    speaker = here.online()
    here.kept.clear()
    here.peers.take_beacon(speaker.beacon(lifecycle="leaving"))
    assert known(here.peers).lifecycle is Lifecycle.OFFLINE
    assert known(here.peers).record.left_cleanly
    assert OTHER in here.kept
    here.peers.take_token(speaker.token, alive=False)
    assert known(here.peers).lifecycle is Lifecycle.OFFLINE

    here.online(number=2)
    assert known(here.peers).lifecycle is Lifecycle.ONLINE
    assert not known(here.peers).record.left_cleanly


def test_a_kept_peer_is_stale_from_the_start_and_one_that_left_is_offline() -> None:
    here = Listener()
    here.peers.load(
        [
            PeerRecord(runtime_id=OTHER, pin=PIN, last_seen_ns=NOW_S * NS_PER_S, status=STATUS),
            PeerRecord(runtime_id=THIRD, pin=PIN, left_cleanly=True, status=STATUS),
            PeerRecord(runtime_id=OWN, pin=PIN, status=STATUS),
        ]
    )

    assert {p.record.runtime_id: p.lifecycle for p in here.peers} == {
        OTHER: Lifecycle.STALE,
        THIRD: Lifecycle.OFFLINE,
    }
    assert known(here.peers).trust_reason is None
    here.clock.advance_ms(29_999)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.STALE
    here.clock.advance_ms(1)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.PARTITIONED
    assert known(here.peers, THIRD).lifecycle is Lifecycle.OFFLINE
    here.online()
    assert known(here.peers).lifecycle is Lifecycle.ONLINE


# What is not the word of its owner


def forged(speaker: Speaker) -> MeshMessage:
    stranger = signer_of(THIRD)
    _, claims = speaker.signing.read_broadcast(TokenType.BEACON, speaker.beacon())
    honest = speaker.beacon()
    return structs.replace(honest, token=stranger.sign(TokenType.BEACON, claims))


def of_another(speaker: Speaker) -> MeshMessage:
    another = Listener().speaker(THIRD)
    return structs.replace(another.beacon(), key=beacon_key(speaker.runtime))


def altered(speaker: Speaker) -> MeshMessage:
    message = speaker.beacon()
    return structs.replace(message, body=message.body.replace(b"healthy", b"faulted"))


def of_another_kind(speaker: Speaker) -> MeshMessage:
    return speaker.broadcast(TokenType.EVENT, beacon_key(speaker.runtime), STATUS)


def undecodable(speaker: Speaker) -> MeshMessage:
    speaker.seq += 1
    return speaker.broadcast(TokenType.BEACON, beacon_key(speaker.runtime), {"lifecycle": 1})


def of_another_boot(speaker: Speaker) -> MeshMessage:
    return speaker.beacon(boot_id=boot(77))


def padded(speaker: Speaker, length: int) -> MeshMessage:
    bare = len(speaker.beacon(health_reasons=("",)).body)
    message = speaker.beacon(health_reasons=("x" * (length - bare),))
    assert len(message.body) == length
    return message


def too_long(speaker: Speaker) -> MeshMessage:
    return padded(speaker, 8_193)


@pytest.mark.parametrize(
    ("make", "counted"),
    [
        (forged, "signature"),
        (of_another, "signature"),
        (altered, "signature"),
        (of_another_kind, "signature"),
        (undecodable, "beacon"),
        (of_another_boot, "beacon_order"),
        (too_long, "too_long"),
        (lambda speaker: speaker.beacon(seq=1), "replayed"),
        (lambda speaker: speaker.beacon(seq=0), "replayed"),
    ],
)
def test_no_other_beacon_changes_anything_and_each_is_counted(
    make: Callable[[Speaker], MeshMessage], counted: str
) -> None:
    here = Listener()
    speaker = here.online()
    here.peers.take_token(speaker.token, alive=False)
    peer, changes, kept = known(here.peers), here.changes, list(here.kept)
    before = (peer.record, peer.evidence, peer.lifecycle, peer.trust_reason, peer.signer)

    here.clock.advance_ms(10)
    here.peers.take_beacon(make(speaker))

    assert before == (peer.record, peer.evidence, peer.lifecycle, peer.trust_reason, peer.signer)
    assert (here.changes, here.kept) == (changes, kept)
    assert here.peers.rejected == {counted: 1}
    assert [p.record.runtime_id for p in here.peers] == [OTHER]


def test_a_beacon_of_the_longest_length_is_taken() -> None:
    here = Listener()
    speaker = here.online()
    here.peers.take_token(speaker.token, alive=False)
    here.peers.take_token(speaker.token, alive=True)
    here.peers.take_beacon(padded(speaker, 8_192))
    assert known(here.peers).lifecycle is Lifecycle.ONLINE


@pytest.mark.parametrize("key", ["", "truST/a/b", "truST/default-site/b/svc/beacon/1", "x/a/b/c"])
def test_a_token_that_is_none_is_counted(key: str) -> None:
    here = Listener()
    here.peers.take_token(key, alive=True)
    assert here.peers.rejected == {"token": 1}
    assert here.tokens == 0


def test_forged_tokens_raise_nobody_and_make_no_duplicate() -> None:
    here = Listener()
    here.online(number=1)
    for number in range(2, 30):
        here.peers.take_token(token_key(OTHER, boot(number)), alive=True)
    here.clock.advance_ms(1_900)
    here.peers.evaluate()

    assert verdict(here.peers) == (Lifecycle.ONLINE, None)
    assert len(known(here.peers).tokens_since_ns) == 16

    here.clock.advance_ms(60_000)
    here.peers.evaluate()
    assert verdict(here.peers) == (Lifecycle.PARTITIONED, None)


def test_what_one_hears_of_oneself_changes_nothing() -> None:
    here = Listener()
    me = here.speaker(OWN, number=1_000)
    here.peers.take_token(me.token, alive=True)
    here.peers.take_beacon(me.beacon())
    here.clock.advance_ms(60_000)
    here.peers.evaluate()

    assert list(here.peers) == []
    assert own_reason(here.peers) is None
    assert (here.tokens, here.changes, here.peers.rejected) == (0, 0, {})


# Incarnations


def test_a_restarted_peer_is_a_new_boot() -> None:
    here = Listener()
    old = here.online(number=1)
    here.clock.advance_ms(300)
    here.peers.take_edges(old.edges(OWN))
    peer = known(here.peers)
    peer.probes.append(5.0)
    here.peers.take_token(old.token, alive=False)
    here.kept.clear()

    new = here.online(number=2)

    assert verdict(here.peers) == (Lifecycle.ONLINE, None)
    assert peer.record.status is not None
    assert peer.record.status.boot_id == new.boot == peer.evidence.beacon_boot
    assert (list(peer.probes), peer.edges, len(peer.offsets_ns)) == ([], (), 1)
    assert OTHER in here.kept


def test_a_restart_that_overlaps_is_kept_too() -> None:
    here = Listener()
    here.online(number=1)
    here.kept.clear()
    new = here.online(number=2)
    assert here.kept == [OTHER]
    here.peers.take_beacon(new.beacon())
    assert here.kept == [OTHER]


def test_an_incarnation_without_a_token_never_replaces_one_that_holds_its_own() -> None:
    here = Listener()
    # It started while the clock was ahead, so its id sorts after that of the one that runs now.
    gone = Speaker(here.clock, number=9)
    replayed = gone.beacon()
    here.online()

    here.peers.take_beacon(replayed)

    assert known(here.peers).lifecycle is Lifecycle.ONLINE
    assert here.peers.rejected == {"beacon_order": 1}


def test_a_late_beacon_of_a_replaced_boot_is_ignored() -> None:
    here = Listener()
    old = here.online(number=1)
    here.peers.take_token(old.token, alive=False)
    new = here.online(number=2)
    evidence = known(here.peers).evidence

    here.peers.take_beacon(old.beacon(lifecycle="leaving"))
    here.peers.take_edges(old.edges(OWN))

    assert known(here.peers).evidence == evidence
    assert known(here.peers).edges == ()
    assert here.peers.rejected == {"beacon_order": 1, "edges": 1}
    assert evidence.beacon_boot == new.boot


def test_replays_stay_refused_whatever_number_of_boots_was_heard() -> None:
    here = Listener()
    recorded = []
    for number in range(1, 50):
        speaker = here.online(number=number)
        here.peers.take_beacon(speaker.beacon())
        recorded.append(speaker.beacon(seq=1))
        if number < 49:
            here.peers.take_token(speaker.token, alive=False)
    evidence = known(here.peers).evidence
    here.clock.advance_ms(1)

    for message in [*recorded, *recorded]:
        here.peers.take_beacon(message)

    assert known(here.peers).evidence == evidence
    assert len(known(here.peers).seqs) <= 33
    assert sum(here.peers.rejected.values()) == 98


def test_events_of_ever_new_boots_fill_no_memory() -> None:
    here = Listener()
    here.online()
    for number in range(2, 100):
        here.peers.take_edges(here.speaker(number=number).edges(OWN))
    assert len(known(here.peers).seqs) <= 33


def two_boots(here: Listener, *, keys: tuple[str, str] = ("first", "first")) -> list[Speaker]:
    return [here.online(number=n, key=key) for n, key in enumerate(keys, 1)]


def test_two_boots_with_one_key_are_a_duplicate_after_five_seconds() -> None:
    here = Listener()
    first, second = two_boots(here)
    here.clock.advance_ms(5_000)
    next_ns = here.peers.evaluate()
    assert known(here.peers).trust_reason is None
    assert next_ns is not None
    assert next_ns - here.clock.monotonic_ns() <= NS_PER_S

    here.pass_ns(1)
    here.peers.evaluate()
    assert known(here.peers).trust_reason is TrustReason.DUPLICATE_INSTANCE
    assert here.peers.admit(first.signing.read_broadcast(TokenType.BEACON, first.beacon())[0]) is (
        TrustReason.DUPLICATE_INSTANCE
    )
    assert here.log.lines[-1][:2] == (LogLevel.ERROR, "trust_changed")

    here.peers.take_token(second.token, alive=False)
    assert known(here.peers).trust_reason is None


def test_a_restart_seen_late_is_no_duplicate() -> None:
    here = Listener()
    first, _ = two_boots(here)
    here.clock.advance_ms(4_000)
    here.peers.take_token(first.token, alive=False)
    here.clock.advance_ms(2_000)
    here.peers.evaluate()
    assert known(here.peers).trust_reason is None


def test_two_boots_with_two_keys_are_a_duplicate_at_once() -> None:
    here = Listener()
    _, second = two_boots(here, keys=("first", "second"))
    assert known(here.peers).trust_reason is TrustReason.DUPLICATE_INSTANCE

    here.peers.take_token(second.token, alive=False)
    assert known(here.peers).trust_reason is TrustReason.IDENTITY_CHANGED
    assert known(here.peers).record.pin == PIN


def test_another_process_with_the_own_id_is_noticed_and_refused() -> None:
    here = Listener()
    twin = here.online(OWN, number=1)
    here.clock.advance_ms(5_000)
    here.peers.evaluate()
    assert own_reason(here.peers) is None
    assert here.tokens == 1

    here.pass_ns(1)
    here.peers.evaluate()
    assert own_reason(here.peers) is TrustReason.DUPLICATE_INSTANCE
    assert here.changes
    assert here.kept == []
    assert list(here.peers) == []

    here.peers.take_edges(twin.edges(OTHER))
    assert here.peers.rejected == {"edges": 1}
    here.peers.take_token(twin.token, alive=False)
    assert own_reason(here.peers) is None
    assert [line[:2] for line in here.log.lines] == [
        (LogLevel.ERROR, "trust_changed"),
        (LogLevel.INFO, "trust_changed"),
    ]


def test_the_own_id_under_another_key_is_noticed_at_once() -> None:
    here = Listener()
    here.online(OWN, number=1, key="second")
    assert own_reason(here.peers) is TrustReason.DUPLICATE_INSTANCE


def test_a_forged_token_of_the_own_id_is_not_believed() -> None:
    here = Listener()
    here.peers.take_token(token_key(OWN, boot(1)), alive=True)
    here.clock.advance_ms(60_000)
    here.peers.evaluate()
    assert own_reason(here.peers) is None


def test_a_message_signed_as_oneself_is_never_admitted() -> None:
    here = Listener()
    me = here.speaker(OWN, number=1)
    signer, _ = me.signing.read_broadcast(TokenType.BEACON, me.beacon())
    assert here.peers.admit(signer) is TrustReason.DUPLICATE_INSTANCE


# Keys


def test_a_changed_key_is_untrusted_until_the_operator_pins_it() -> None:
    here = Listener()
    old = here.online(number=1)
    here.peers.take_token(old.token, alive=False)
    new = here.online(number=2, key="second")

    assert verdict(here.peers) == (Lifecycle.ONLINE, TrustReason.IDENTITY_CHANGED)
    assert known(here.peers).record.pin == PIN
    signer, _ = new.signing.read_broadcast(TokenType.BEACON, new.beacon())
    assert here.peers.admit(signer) is TrustReason.IDENTITY_CHANGED
    assert known(here.peers).record.pin == PIN

    here.peers.pin(OTHER, signer.pin)
    assert verdict(here.peers) == (Lifecycle.ONLINE, None)
    assert known(here.peers).record.trust_reason is None
    assert here.peers.admit(signer) is None


def test_without_its_pin_the_next_beacon_pins_anew() -> None:
    here = Listener()
    old = here.online(number=1)
    here.peers.take_token(old.token, alive=False)
    new = here.online(number=2, key="second")
    here.peers.pin(OTHER, None)
    here.peers.take_beacon(new.beacon())
    assert known(here.peers).record.pin == new.signer.own_pin
    assert known(here.peers).trust_reason is None


def test_a_kept_distrust_ends_with_the_operator_s_word_alone() -> None:
    here = Listener()
    reason = TrustReason.IDENTITY_CHANGED
    here.peers.load([PeerRecord(runtime_id=OTHER, pin=PIN, trust_reason=reason, status=STATUS)])
    here.peers.evaluate()
    assert known(here.peers).trust_reason is reason

    here.kept.clear()
    here.peers.pin(OTHER, PIN)
    assert known(here.peers).trust_reason is None
    assert known(here.peers).record.trust_reason is None
    assert OTHER in here.kept
    here.peers.pin(OTHER, None)
    assert known(here.peers).trust_reason is TrustReason.NEVER_SEEN


def test_an_action_pins_on_first_use_too() -> None:
    here = Listener()
    speaker = here.speaker()
    signer, _ = speaker.signing.read_broadcast(TokenType.BEACON, speaker.beacon())

    assert here.peers.admit(signer) is None

    assert known(here.peers).record.pin == PIN
    assert verdict(here.peers) == (Lifecycle.OFFLINE, None)
    assert OTHER in here.kept
    other_key = structs.replace(signer, pin="0" * 64)
    assert here.peers.admit(other_key) is TrustReason.IDENTITY_CHANGED


@pytest.mark.parametrize(
    ("edge", "beyond_s", "reason"),
    [
        ("not_before_s", -1, TrustReason.EXPIRED),
        ("not_before_s", 0, None),
        ("not_after_s", 0, None),
        ("not_after_s", 1, TrustReason.EXPIRED),
    ],
)
def test_a_certificate_outside_its_dates_is_expired(
    edge: str, beyond_s: int, reason: TrustReason | None
) -> None:
    here = Listener()
    speaker = here.online()
    wanted_ns = (getattr(known(here.peers).signer, edge) + beyond_s) * NS_PER_S
    here.clock.step_wall_ms((wanted_ns - here.clock.wall_ns()) // NS_PER_MS)

    here.peers.evaluate()
    assert known(here.peers).trust_reason is reason
    here.peers.take_beacon(speaker.beacon())
    assert known(here.peers).trust_reason is reason
    assert known(here.peers).lifecycle is Lifecycle.ONLINE


def test_an_expired_certificate_is_not_pinned() -> None:
    here = Listener()
    here.clock.step_wall_ms(20 * 365 * 86_400 * 1_000)
    speaker = here.online()

    assert verdict(here.peers) == (Lifecycle.ONLINE, TrustReason.EXPIRED)
    assert known(here.peers).record.pin is None
    signer, _ = speaker.signing.read_broadcast(TokenType.BEACON, speaker.beacon())
    assert here.peers.admit(signer) is TrustReason.EXPIRED
    assert known(here.peers).record.pin is None


# Stalls


def test_what_passed_while_this_process_stood_still_is_nobody_s_silence() -> None:
    here = Listener()
    here.online()
    lost = here.online(THIRD)
    here.peers.take_token(lost.token, alive=False)
    here.clock.advance_ms(31_000)
    here.peers.note_stall(29_000 * NS_PER_MS)
    here.peers.evaluate()

    assert known(here.peers).lifecycle is Lifecycle.ONLINE
    assert known(here.peers, THIRD).lifecycle is Lifecycle.PARTITIONED
    here.pass_ns(1)
    here.peers.evaluate()
    assert known(here.peers).lifecycle is Lifecycle.STALE


def test_no_stall_moves_a_beacon_into_the_future() -> None:
    here = Listener()
    here.online()
    here.clock.advance_ms(100)
    here.peers.note_stall(3_600_000 * NS_PER_MS)
    assert known(here.peers).evidence.beacon_at_ns == here.clock.monotonic_ns()


# Events


def test_an_event_of_a_trusted_peer_is_read_once() -> None:
    here = Listener()
    speaker = here.online()
    message = speaker.edges(OWN)

    claims = here.peers.read_event(message, bytes_max=len(message.body))

    assert claims is not None
    assert claims.boot_id == speaker.boot
    assert here.peers.read_event(message, bytes_max=10_000) is None
    assert here.peers.read_event(speaker.edges(OWN), bytes_max=len(message.body) - 1) is None
    assert here.peers.rejected == {"replayed": 1, "too_long": 1}


def test_an_event_of_a_stranger_a_twin_or_another_key_is_refused() -> None:
    here = Listener()
    here.online(number=1)
    speakers = [
        here.speaker(THIRD),
        here.online(OWN, number=1),
        here.speaker(number=2, key="second"),
    ]
    for speaker in speakers:
        message = speaker.edges(OWN)
        assert here.peers.read_event(message, bytes_max=10_000) is None
        if speaker.runtime != OWN:
            assert here.peers.age_of_event(message) is None
    assert here.peers.rejected == {"event": 5}


def test_the_age_of_an_event_is_freed_of_the_clocks_difference() -> None:
    here = Listener()
    clock = FakeClock(here.clock.time, wall_error_ms=3_600_000)
    speaker = Speaker(clock, OTHER)
    here.peers.take_token(speaker.token, alive=True)
    here.peers.take_beacon(speaker.beacon())
    message = speaker.edges(OWN)
    here.clock.advance_ms(1_234)

    assert here.peers.age_of_event(message) == 1_234
    altered_body = structs.replace(message, body=b"[]")
    assert here.peers.age_of_event(altered_body) is None
    assert here.peers.rejected == {"signature": 1}


# Edges


def test_edges_of_a_peer_replace_those_before() -> None:
    here = Listener()
    speaker = here.online()
    here.peers.take_edges(speaker.edges(OWN, THIRD))
    changes = here.changes
    here.peers.take_edges(speaker.edges(THIRD))

    assert [edge.target for edge in known(here.peers).edges] == [THIRD]
    assert here.changes == changes + 1
    assert here.peers.rejected == {}


def test_edges_that_are_not_its_own_are_refused() -> None:
    here = Listener()
    speaker = here.online()
    here.peers.take_edges(speaker.edges(OWN))
    here.peers.take_edges(speaker.edges(OWN, source=THIRD))
    speaker.seq += 1
    here.peers.take_edges(speaker.broadcast(TokenType.EVENT, edges_key(OTHER), [{"source": 1}]))
    speaker.seq += 1
    here.peers.take_edges(
        speaker.broadcast(TokenType.EVENT, edges_key(OTHER), "x" * (1_048_576 - 1))
    )
    here.peers.take_edges(structs.replace(speaker.edges(OWN), key=edges_key(THIRD)))

    assert [edge.source for edge in known(here.peers).edges] == [OTHER]
    assert here.peers.rejected == {"edges": 2, "too_long": 1, "signature": 1}


# The table


def test_whoever_was_long_unseen_is_forgotten() -> None:
    here = Listener(presence=PresenceLimits(forget_after_ms=60_000))
    speaker = here.online()
    here.online(THIRD)
    here.clock.advance_ms(60_001)
    here.peers.evaluate()
    assert len(list(here.peers)) == 2  # Both tokens are still held.

    here.peers.take_token(speaker.token, alive=False)
    here.kept.clear()
    here.peers.evaluate()
    assert [p.record.runtime_id for p in here.peers] == [THIRD]
    assert here.kept == [OTHER]


@pytest.mark.parametrize(
    ("forget_after_ms", "unseen_ms", "stays"),
    [(60_000, 60_000, True), (60_000, 60_001, False), (0, 10_000_000, True)],
)
def test_forgetting_starts_beyond_its_limit(
    *, forget_after_ms: int, unseen_ms: int, stays: bool
) -> None:
    here = Listener(presence=PresenceLimits(forget_after_ms=forget_after_ms))
    speaker = here.online()
    here.peers.take_token(speaker.token, alive=False)
    here.clock.advance_ms(unseen_ms)
    here.peers.evaluate()
    assert (here.peers.get(OTHER) is not None) is stays


def test_the_table_has_a_bound_and_gets_free_again() -> None:
    here = Listener()
    here.online()
    strangers = [token_key(RuntimeId(f"x-{n}"), boot(1)) for n in range(PEERS_MAX)]
    for key in strangers:
        here.peers.take_token(key, alive=True)
    assert here.peers.rejected == {"peer_table_full": 1}

    late = here.speaker(THIRD)
    here.peers.take_beacon(late.beacon())
    signer, _ = late.signing.read_broadcast(TokenType.BEACON, late.beacon())
    assert here.peers.admit(signer) is TrustReason.NEVER_SEEN
    here.peers.pin(THIRD, PIN)
    assert here.peers.get(THIRD) is None
    assert here.peers.rejected == {"peer_table_full": 4}
    assert known(here.peers).lifecycle is Lifecycle.ONLINE

    for key in strangers:
        here.peers.take_token(key, alive=False)
    here.peers.evaluate()
    here.online(THIRD)
    assert [p.record.runtime_id for p in here.peers] == [OTHER, THIRD]


def test_a_moved_peer_is_kept_with_its_new_address() -> None:
    here = Listener()
    speaker = here.online()
    here.kept.clear()
    here.peers.take_beacon(speaker.beacon())
    assert here.kept == []
    moved = MeshReport(port=1, tls=False, role="peer", addresses=("127.0.0.2:1",))
    here.peers.take_beacon(speaker.beacon(mesh=moved))
    assert here.kept == [OTHER]
    assert known(here.peers).record.addresses == ("127.0.0.2:1",)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["beacon", "token", "loss", "replay", "forged", "silence"]),
        st.integers(1, 3),
    ),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_online_means_a_held_token_and_a_fresh_beacon_whatever_happened(
    steps: list[tuple[str, int]],
) -> None:
    here = Listener()
    speakers = {number: here.speaker(number=number) for number in (1, 2, 3)}
    held: set[int] = set()
    for step, number in steps:
        speaker = speakers[number]
        before = here.peers.get(OTHER)
        online_before = before is not None and before.lifecycle is Lifecycle.ONLINE
        if step == "beacon":
            here.peers.take_beacon(speaker.beacon())
        elif step in ("token", "loss"):
            here.peers.take_token(speaker.token, alive=step == "token")
            (held.add if step == "token" else held.discard)(number)
        elif step == "replay":
            here.peers.take_beacon(speaker.beacon(seq=0))
        elif step == "forged":
            here.peers.take_beacon(altered(speaker))
        else:
            here.clock.advance_ms(1_500)
        here.peers.evaluate()
        peer = here.peers.get(OTHER)
        if peer is None or peer.lifecycle is not Lifecycle.ONLINE:
            continue
        assert peer.evidence.beacon_boot in {boot(n) for n in held}
        assert peer.evidence.beacon_at_ns is not None
        assert here.clock.monotonic_ns() - peer.evidence.beacon_at_ns <= 2_000 * NS_PER_MS
        assert online_before or step in ("beacon", "token")


def test_keys_and_bodies_of_these_tests_are_the_contract_s() -> None:
    here = Listener()
    message = here.speaker().beacon()
    assert message.key == f"truST/{site_of(OTHER)}/{name_of(OTHER)}/svc/beacon"
    assert message.body == canonical_json(structs.replace(STATUS, boot_id=boot(1), uptime_ms=0))
