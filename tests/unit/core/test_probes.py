"""`core.probes`: contract 1.3, 7.3."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.presence import Lifecycle, LinkState
from trust_runtime.core.probes import ANSWERS_MIN, WINDOW, decide_link, measure

TRIPS = st.floats(0.001, 1_000.0, allow_nan=False)
WINDOWS = st.lists(st.none() | TRIPS, max_size=WINDOW)


def test_the_numbers_of_the_contract() -> None:
    assert (WINDOW, ANSWERS_MIN) == (64, 5)


@pytest.mark.parametrize(
    ("window", "latency_ms", "loss_pct"),
    [
        pytest.param([], None, None, id="nothing asked"),
        pytest.param([None] * 64, None, None, id="nothing answered"),
        pytest.param([1.0] * 4, None, None, id="four answers"),
        pytest.param([1.0] * 4 + [None] * 60, None, None, id="four answers among many"),
        pytest.param([5.0, 1.0, 4.0, 2.0, 3.0], 5.0, 0.0, id="five answers"),
        pytest.param([1.0] * 5 + [None] * 5, 1.0, 50.0, id="half lost"),
        pytest.param([1.0] * 19 + [None], 1.0, 5.0, id="one of twenty lost"),
        pytest.param([1.0] * 61 + [None] * 3, 1.0, 4.69, id="three of 64 lost"),
        pytest.param([1.0] * 5 + [None] * 59, 1.0, 92.19, id="nearly all lost"),
        pytest.param([float(n) for n in range(1, 20)], 19.0, 0.0, id="19 answers: the 19th"),
        pytest.param([float(n) for n in range(1, 21)], 19.0, 0.0, id="20 answers: the 19th"),
        pytest.param([float(n) for n in range(1, 22)], 20.0, 0.0, id="21 answers: the 20th"),
        pytest.param([float(n) for n in range(1, 65)], 61.0, 0.0, id="64 answers: the 61st"),
        pytest.param([0.12345] * 5, 0.123, 0.0, id="microseconds"),
    ],
)
def test_measure(
    window: list[float | None], latency_ms: float | None, loss_pct: float | None
) -> None:
    assert measure(window) == (latency_ms, loss_pct)


@given(window=WINDOWS)
def test_latency_is_the_nearest_rank_and_no_order_matters(window: list[float | None]) -> None:
    latency_ms, loss_pct = measure(window)
    assert measure(window[::-1]) == (latency_ms, loss_pct)
    answered = sorted(trip for trip in window if trip is not None)
    if latency_ms is None or loss_pct is None:
        assert latency_ms is loss_pct is None
        assert len(answered) < ANSWERS_MIN
        return
    # Exactly: the smallest trip that at least 95 of 100 answers do not exceed.
    rank = next(n for n in range(1, len(answered) + 1) if Fraction(n, len(answered)) * 20 >= 19)
    assert latency_ms == round(answered[rank - 1], 3)
    assert loss_pct == pytest.approx(100 - 100 * len(answered) / len(window), abs=0.005001)


@given(window=WINDOWS, trips=st.lists(TRIPS, min_size=5, max_size=5))
def test_one_more_silence_never_lowers_the_loss(
    window: list[float | None], trips: list[float]
) -> None:
    before = measure([*window, *trips])[1]
    after = measure([*window, *trips, None])[1]
    assert before is not None
    assert after is not None
    assert after >= before


ONLINE, STALE, PARTITIONED, OFFLINE = Lifecycle


@pytest.mark.parametrize(
    ("lifecycle", "trusted", "latency_ms", "loss_pct", "state"),
    [
        (ONLINE, True, None, None, LinkState.HEALTHY),
        (ONLINE, True, 250.0, 5.0, LinkState.HEALTHY),
        (ONLINE, True, 250.001, 0.0, LinkState.DEGRADED),
        (ONLINE, True, 1.0, 5.01, LinkState.DEGRADED),
        (ONLINE, False, 1.0, 0.0, LinkState.DEGRADED),
        (ONLINE, False, None, None, LinkState.DEGRADED),
        (STALE, True, 1.0, 0.0, LinkState.STALE),
        (STALE, False, 999.0, 99.0, LinkState.STALE),
        (PARTITIONED, True, 1.0, 0.0, LinkState.FAILED),
        (PARTITIONED, False, None, None, LinkState.FAILED),
        (OFFLINE, True, 1.0, 0.0, LinkState.FAILED),
        (OFFLINE, False, 999.0, 99.0, LinkState.FAILED),
    ],
)
def test_link(
    lifecycle: Lifecycle,
    latency_ms: float | None,
    loss_pct: float | None,
    *,
    trusted: bool,
    state: LinkState,
) -> None:
    found = decide_link(lifecycle, trusted=trusted, latency_ms=latency_ms, loss_pct=loss_pct)
    assert found is state


@given(
    lifecycle=st.sampled_from(Lifecycle),
    trusted=st.booleans(),
    latency_ms=st.none() | TRIPS,
    loss_pct=st.none() | st.floats(0, 100),
)
def test_a_link_is_healthy_only_to_an_online_trusted_peer(
    lifecycle: Lifecycle, latency_ms: float | None, loss_pct: float | None, *, trusted: bool
) -> None:
    state = decide_link(lifecycle, trusted=trusted, latency_ms=latency_ms, loss_pct=loss_pct)
    if state is LinkState.HEALTHY:
        assert trusted
        assert lifecycle is ONLINE
    assert (state in (LinkState.STALE, LinkState.FAILED)) == (lifecycle is not ONLINE)
