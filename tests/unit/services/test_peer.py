import pytest

from signed_fleet import OTHER, STATUS
from trust_runtime.contracts.presence import Lifecycle, PeerRecord, TrustReason
from trust_runtime.services.peer import Peer


def peer(**changes: object) -> Peer:
    return Peer(record=PeerRecord(runtime_id=OTHER, **changes))  # type: ignore[arg-type]  # the members of a record


def test_a_new_peer_is_unknown_in_everything() -> None:
    new = peer()
    assert (new.lifecycle, new.trust_reason) == (Lifecycle.OFFLINE, TrustReason.NEVER_SEEN)
    assert (new.offset_ns, new.clock_skew_ms, new.is_heard) == (None, None, False)


@pytest.mark.parametrize(
    ("offset_ns", "skew_ms"),
    [(0, 0), (5_000_000_000, -5_000), (-5_000_000_000, 5_000), (-1_999_999, 1)],
)
def test_the_skew_says_how_far_the_peer_is_ahead(offset_ns: int, skew_ms: int) -> None:
    one = peer()
    one.offsets_ns.extend([offset_ns + 1, offset_ns, offset_ns + 2])
    assert one.offset_ns == offset_ns
    assert one.clock_skew_ms == skew_ms


def test_the_windows_keep_the_newest_64() -> None:
    one = peer()
    one.offsets_ns.extend(range(65))
    one.probes.extend(range(65))
    assert (list(one.offsets_ns), list(one.probes)) == ([*range(1, 65)], [*range(1, 65)])


def test_a_peer_is_heard_by_its_status_or_by_a_pin() -> None:
    assert peer(status=STATUS).is_heard
    assert peer(pin="0" * 64).is_heard
    assert not peer(last_seen_ns=1, addresses=("127.0.0.1:1",)).is_heard
