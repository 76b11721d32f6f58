"""`core.presence`: contract 5.3, 2.4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.ids import BootId
from trust_runtime.contracts.presence import Lifecycle, PeerEvidence, PresenceLimits
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S, MonotonicNs
from trust_runtime.core.presence import (
    DUPLICATE_GRACE_MS,
    decide_lifecycle,
    forgiven_ms,
    is_duplicate,
    next_change_ns,
)

BOOT, OTHER, THIRD = BootId("boot-1"), BootId("boot-2"), BootId("boot-3")
LIMITS = PresenceLimits(stale_after_ms=2_000, partition_after_ms=30_000)
START = 1_000 * NS_PER_S
ALIVE = PeerEvidence(
    tokens=frozenset({BOOT}),
    beacon_boot=BOOT,
    beacon_at_ns=MonotonicNs(START),
    beacon_period_ms=1_000,
)
RANK = {Lifecycle.ONLINE: 0, Lifecycle.STALE: 1, Lifecycle.PARTITIONED: 2, Lifecycle.OFFLINE: 3}


def after(ms: int, ns: int = 0) -> MonotonicNs:
    return MonotonicNs(START + ms * NS_PER_MS + ns)


SLOW = structs.replace(ALIVE, beacon_period_ms=60_000)
QUICK = structs.replace(ALIVE, beacon_period_ms=100)
HALF = structs.replace(ALIVE, beacon_period_ms=1_001)
TOKENLESS = structs.replace(ALIVE, tokens=frozenset())
OTHER_TOKEN = structs.replace(ALIVE, tokens=frozenset({OTHER}))
BOTH_TOKENS = structs.replace(ALIVE, tokens=frozenset({BOOT, OTHER}))
KILLED = structs.replace(TOKENLESS, contact_lost_at_ns=after(500))
TOKEN_BACK = structs.replace(ALIVE, contact_lost_at_ns=after(500))
SILENT_THEN_LOST = structs.replace(TOKENLESS, contact_lost_at_ns=after(40_000))
LOADED = PeerEvidence(contact_lost_at_ns=after(0))
LEFT = structs.replace(ALIVE, left_cleanly=True)
LOADED_LEFT = structs.replace(LOADED, left_cleanly=True)

ONLINE, STALE, PARTITIONED, OFFLINE = Lifecycle


@pytest.mark.parametrize(
    ("evidence", "now_ns", "verdict"),
    [
        pytest.param(None, after(0), OFFLINE, id="never heard of"),
        pytest.param(PeerEvidence(), after(0), OFFLINE, id="nothing valid ever"),
        pytest.param(PeerEvidence(tokens=frozenset({BOOT})), after(0), OFFLINE, id="token alone"),
        pytest.param(ALIVE, after(0), ONLINE, id="just heard"),
        pytest.param(ALIVE, after(2_000), ONLINE, id="beacon as old as allowed"),
        pytest.param(ALIVE, after(2_000, 1), STALE, id="beacon older"),
        pytest.param(ALIVE, after(32_000), STALE, id="not yet partitioned"),
        pytest.param(ALIVE, after(32_000, 1), PARTITIONED, id="30 s not online"),
        pytest.param(HALF, after(2_002), ONLINE, id="twice its period is more than the floor"),
        pytest.param(HALF, after(2_002, 1), STALE, id="and no longer"),
        pytest.param(SLOW, after(120_000), ONLINE, id="slow peer, twice its period"),
        pytest.param(SLOW, after(120_000, 1), STALE, id="slow peer, longer"),
        pytest.param(SLOW, after(150_000), STALE, id="slow peer, not yet partitioned"),
        pytest.param(SLOW, after(150_000, 1), PARTITIONED, id="slow peer, partitioned"),
        pytest.param(QUICK, after(2_000), ONLINE, id="quick peer, the floor forgives"),
        pytest.param(QUICK, after(2_000, 1), STALE, id="quick peer, longer"),
        pytest.param(TOKENLESS, after(0), STALE, id="beacon without any token"),
        pytest.param(OTHER_TOKEN, after(0), STALE, id="token of another incarnation"),
        pytest.param(OTHER_TOKEN, after(30_000, -1), STALE, id="the same, later"),
        pytest.param(OTHER_TOKEN, after(30_000), PARTITIONED, id="the same, too late"),
        pytest.param(BOTH_TOKENS, after(2_000), ONLINE, id="its token and another"),
        pytest.param(KILLED, after(500), STALE, id="token lost: at once"),
        pytest.param(KILLED, after(30_500, -1), STALE, id="token lost, not yet partitioned"),
        pytest.param(KILLED, after(30_500), PARTITIONED, id="token lost, partitioned"),
        pytest.param(TOKEN_BACK, after(501), STALE, id="a token alone raises nothing"),
        pytest.param(SILENT_THEN_LOST, after(40_000), PARTITIONED, id="lost when long silent"),
        pytest.param(LOADED, after(0), STALE, id="loaded at start"),
        pytest.param(LOADED, after(30_000, -1), STALE, id="loaded, not yet partitioned"),
        pytest.param(LOADED, after(30_000), PARTITIONED, id="loaded, partitioned"),
        pytest.param(LEFT, after(0), OFFLINE, id="said goodbye, token still there"),
        pytest.param(LEFT, after(99_000), OFFLINE, id="said goodbye long ago"),
        pytest.param(LOADED_LEFT, after(0), OFFLINE, id="loaded, had left"),
    ],
)
def test_lifecycle(evidence: PeerEvidence | None, now_ns: MonotonicNs, verdict: Lifecycle) -> None:
    assert decide_lifecycle(evidence, LIMITS, now_ns=now_ns) is verdict


@pytest.mark.parametrize(
    ("evidence", "now_ns", "change_ns"),
    [
        pytest.param(ALIVE, after(0), after(2_000, 1), id="online"),
        pytest.param(ALIVE, after(2_000), after(2_000, 1), id="the last instant online"),
        pytest.param(ALIVE, after(2_000, 1), after(32_000, 1), id="the first instant stale"),
        pytest.param(ALIVE, after(32_000), after(32_000, 1), id="the last instant stale"),
        pytest.param(ALIVE, after(32_000, 1), None, id="partitioned"),
        pytest.param(KILLED, after(500), after(30_500), id="token lost"),
        pytest.param(SILENT_THEN_LOST, after(40_000), None, id="lost when long silent"),
        pytest.param(LOADED, after(0), after(30_000), id="loaded"),
        pytest.param(LEFT, after(0), None, id="left"),
        pytest.param(PeerEvidence(), after(0), None, id="never heard"),
    ],
)
def test_next_change(
    evidence: PeerEvidence, now_ns: MonotonicNs, change_ns: MonotonicNs | None
) -> None:
    assert next_change_ns(evidence, LIMITS, now_ns=now_ns) == change_ns


INSTANTS = st.integers(0, 200_000).map(after) | st.integers(-3, 3).map(lambda ns: after(2_000, ns))
EVIDENCE = st.builds(
    PeerEvidence,
    tokens=st.frozensets(st.sampled_from([BOOT, OTHER])),
    beacon_boot=st.sampled_from([BOOT, OTHER]),
    beacon_at_ns=st.none() | INSTANTS,
    beacon_period_ms=st.integers(1, 60_000),
    contact_lost_at_ns=st.none() | INSTANTS,
    left_cleanly=st.booleans(),
)
LIMITS_ANY = st.builds(
    lambda stale, more: PresenceLimits(stale_after_ms=stale, partition_after_ms=stale + more),
    st.integers(2_000, 20_000),
    st.integers(1, 40_000),
)


@given(evidence=EVIDENCE, limits=LIMITS_ANY, now_ns=INSTANTS, silence_ns=st.integers(0, 10**12))
def test_silence_never_makes_a_peer_look_better(
    evidence: PeerEvidence, limits: PresenceLimits, now_ns: MonotonicNs, silence_ns: int
) -> None:
    earlier = decide_lifecycle(evidence, limits, now_ns=now_ns)
    later = decide_lifecycle(evidence, limits, now_ns=MonotonicNs(now_ns + silence_ns))
    assert RANK[later] >= RANK[earlier]
    assert (later is OFFLINE) == (earlier is OFFLINE)


@given(evidence=EVIDENCE, limits=LIMITS_ANY, lost_ns=INSTANTS, later_ns=st.integers(0, 10**11))
def test_the_loss_of_its_token_never_makes_a_peer_look_better(
    evidence: PeerEvidence, limits: PresenceLimits, lost_ns: MonotonicNs, later_ns: int
) -> None:
    before = structs.replace(evidence, tokens=frozenset({BOOT}), beacon_boot=BOOT)
    before = structs.replace(before, contact_lost_at_ns=None)
    lost = structs.replace(before, tokens=frozenset(), contact_lost_at_ns=lost_ns)
    now_ns = MonotonicNs(lost_ns + later_ns)
    kept = decide_lifecycle(before, limits, now_ns=now_ns)
    seen = decide_lifecycle(lost, limits, now_ns=now_ns)
    assert seen is not ONLINE
    if before.beacon_at_ns is not None:
        assert RANK[seen] >= RANK[kept]


@given(evidence=EVIDENCE, limits=LIMITS_ANY, now_ns=INSTANTS)
def test_next_change_is_the_first_instant_of_the_next_verdict(
    evidence: PeerEvidence, limits: PresenceLimits, now_ns: MonotonicNs
) -> None:
    present = decide_lifecycle(evidence, limits, now_ns=now_ns)
    change_ns = next_change_ns(evidence, limits, now_ns=now_ns)
    last_ns = now_ns + 10**15 if change_ns is None else change_ns - 1
    assert last_ns >= now_ns
    assert decide_lifecycle(evidence, limits, now_ns=MonotonicNs(last_ns)) is present
    if change_ns is not None:
        after_it = decide_lifecycle(evidence, limits, now_ns=MonotonicNs(change_ns))
        assert RANK[after_it] == RANK[present] + 1


@given(evidence=EVIDENCE, limits=LIMITS_ANY, now_ns=INSTANTS)
def test_online_takes_a_token_and_a_beacon_of_one_incarnation(
    evidence: PeerEvidence, limits: PresenceLimits, now_ns: MonotonicNs
) -> None:
    evidence = structs.replace(evidence, contact_lost_at_ns=None)
    online = decide_lifecycle(evidence, limits, now_ns=now_ns) is ONLINE
    grace_ms = max(2 * evidence.beacon_period_ms, limits.stale_after_ms)
    if evidence.beacon_at_ns is None or evidence.beacon_boot not in evidence.tokens:
        # A beacon of the future cannot be: without its token it counts from its arrival.
        assert not (online and now_ns >= (evidence.beacon_at_ns or 0))
    else:
        fresh = now_ns - evidence.beacon_at_ns <= grace_ms * NS_PER_MS
        assert online == (fresh and not evidence.left_cleanly)


GRACE_NS = DUPLICATE_GRACE_MS * NS_PER_MS


@pytest.mark.parametrize(
    ("since", "pins", "later_ns", "doubled"),
    [
        pytest.param({}, {}, 0, False, id="nobody"),
        pytest.param({BOOT: 0}, {BOOT: "p"}, 10 * GRACE_NS, False, id="one"),
        pytest.param({BOOT: 0, OTHER: 0}, {BOOT: "p"}, 10 * GRACE_NS, False, id="a forged token"),
        pytest.param({BOOT: 0, OTHER: 0}, {}, 10 * GRACE_NS, False, id="two forged tokens"),
        pytest.param({BOOT: 0}, {BOOT: "p", OTHER: "q"}, 0, False, id="the other one is gone"),
        pytest.param(
            {BOOT: 0, OTHER: 0},
            {BOOT: "p", OTHER: "p", THIRD: "q"},
            GRACE_NS,
            False,
            id="a key of one that is gone",
        ),
        pytest.param({BOOT: 0, OTHER: 0}, {BOOT: "p", OTHER: "q"}, 0, True, id="two keys: at once"),
        pytest.param({BOOT: 0, OTHER: 0}, {BOOT: "p", OTHER: "p"}, GRACE_NS, False, id="a restart"),
        pytest.param({BOOT: 0, OTHER: 0}, {BOOT: "p", OTHER: "p"}, GRACE_NS + 1, True, id="longer"),
        pytest.param(
            {BOOT: -GRACE_NS, OTHER: 0}, {BOOT: "p", OTHER: "p"}, GRACE_NS, False, id="the younger"
        ),
        pytest.param(
            {BOOT: 0, OTHER: 0, THIRD: GRACE_NS},
            {BOOT: "p", OTHER: "p", THIRD: "p"},
            GRACE_NS + 1,
            True,
            id="a third one excuses nothing",
        ),
        pytest.param(
            {BOOT: 0, OTHER: 0, THIRD: 0}, {BOOT: "p", THIRD: "q"}, 0, True, id="two of three"
        ),
    ],
)
def test_duplicate(
    since: dict[BootId, MonotonicNs], pins: dict[BootId, str], later_ns: int, *, doubled: bool
) -> None:
    assert is_duplicate(since, pins, now_ns=MonotonicNs(later_ns)) is doubled


BOOTS = st.sampled_from([BOOT, OTHER, THIRD])
TOKENS = st.dictionaries(BOOTS, st.integers(0, 3 * GRACE_NS).map(MonotonicNs))
PINS = st.dictionaries(BOOTS, st.sampled_from(["p", "q"]))


@given(since=TOKENS, pins=PINS, now_ns=st.integers(0, 9 * GRACE_NS))
def test_a_duplicate_takes_two_proven_incarnations_and_no_order(
    since: dict[BootId, MonotonicNs], pins: dict[BootId, str], now_ns: int
) -> None:
    doubled = is_duplicate(since, pins, now_ns=MonotonicNs(now_ns))
    turned = dict(reversed(since.items()))
    assert is_duplicate(turned, dict(reversed(pins.items())), now_ns=MonotonicNs(now_ns)) == doubled
    if doubled:
        assert len(since.keys() & pins.keys()) > 1
        assert is_duplicate(since, pins, now_ns=MonotonicNs(now_ns + 1))


@pytest.mark.parametrize("evidence", [ALIVE, SLOW, QUICK, HALF])
def test_silence_is_forgiven_exactly_that_long(evidence: PeerEvidence) -> None:
    forgiven = forgiven_ms(evidence, LIMITS)
    assert decide_lifecycle(evidence, LIMITS, now_ns=after(forgiven)) is ONLINE
    assert decide_lifecycle(evidence, LIMITS, now_ns=after(forgiven, 1)) is STALE
