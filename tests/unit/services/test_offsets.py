import pytest

from signed_fleet import OTHER, Listener, Speaker, boot
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers

THIRD = RuntimeId("press-3")


def known(peers: Peers, runtime: RuntimeId = OTHER) -> Peer:
    peer = peers.get(runtime)
    assert peer is not None
    return peer


def hear_after(here: Listener, speaker: Speaker, *, transit_ms: int) -> None:
    message = speaker.beacon()
    here.clock.advance_ms(transit_ms)
    here.peers.take_beacon(message)


def test_a_peer_whose_clock_was_set_is_measured_anew() -> None:
    here = Listener()
    speaker = here.online()
    hear_after(here, speaker, transit_ms=7)
    message = speaker.beacon(uptime_ms=600_000)  # Its wall clock now says it started earlier.
    here.clock.advance_ms(20)
    here.peers.take_beacon(message)
    assert list(known(here.peers).offsets_ns) == [20 * NS_PER_MS]


def test_the_offset_is_the_smallest_of_the_last_64() -> None:
    here = Listener()
    speaker = here.online()
    known(here.peers).offsets_ns.clear()
    for transit_ms in (30, 7, *(20 for _ in range(62))):
        hear_after(here, speaker, transit_ms=transit_ms)
    assert known(here.peers).offset_ns == 7 * NS_PER_MS
    hear_after(here, speaker, transit_ms=20)
    assert known(here.peers).offset_ns == 7 * NS_PER_MS
    hear_after(here, speaker, transit_ms=20)
    assert known(here.peers).offset_ns == 20 * NS_PER_MS
    assert known(here.peers).clock_skew_ms == -20


@pytest.mark.parametrize(("step_ms", "kept"), [(500, 2), (-500, 2), (501, 1), (-501, 1)])
def test_a_step_of_the_own_wall_clock_clears_what_was_measured(step_ms: int, kept: int) -> None:
    here = Listener()
    speaker, other = here.online(), here.online(THIRD)
    message = speaker.beacon()

    here.clock.step_wall_ms(step_ms)
    here.peers.take_beacon(message)

    assert len(known(here.peers).offsets_ns) == kept
    assert len(known(here.peers, THIRD).offsets_ns) == kept - 1
    assert other.seq == 1


def test_the_offset_of_the_uptime_survives_any_step_of_a_wall_clock() -> None:
    here = Listener()
    speaker = here.online()
    offset_ns = known(here.peers).uptime_offset_ns(speaker.boot)
    assert offset_ns is not None

    here.clock.step_wall_ms(600_000)
    hear_after(here, speaker, transit_ms=7)

    assert known(here.peers).uptime_offset_ns(speaker.boot) == offset_ns
    assert len(known(here.peers).uptime_offsets_ns) == 2


def test_another_incarnation_is_measured_by_its_own_beacons_only() -> None:
    here = Listener()
    first = here.online()
    assert known(here.peers).uptime_offset_ns(boot(2)) is None
    assert known(here.peers).uptime_offset_ns(None) is None

    here.clock.advance_ms(9_000)
    second = Speaker(here.clock, number=2)
    here.peers.take_token(second.token, alive=True)
    here.peers.take_beacon(second.beacon())

    assert known(here.peers).uptime_offset_ns(first.boot) is None
    assert list(known(here.peers).uptime_offsets_ns) == [here.clock.monotonic_ns()]


def test_what_waited_while_this_process_stood_still_measures_no_uptime() -> None:
    here = Listener()
    speaker = Speaker(here.clock)
    here.peers.take_token(speaker.token, alive=True)
    waiting = speaker.beacon()
    here.clock.advance_ms(3_000)
    here.peers.note_stall(3_000 * NS_PER_MS)
    here.peers.take_beacon(waiting)
    assert known(here.peers).uptime_offset_ns(speaker.boot) is None

    hear_after(here, speaker, transit_ms=249)
    assert known(here.peers).uptime_offset_ns(speaker.boot) is None
    hear_after(here, speaker, transit_ms=1)
    assert known(here.peers).uptime_offset_ns(speaker.boot) is not None
