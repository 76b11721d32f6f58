import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.units import NS_PER_S, MonotonicNs
from trust_runtime.core.attempts import (
    BLOCKED_NS,
    FAILURES_MAX,
    WINDOW_NS,
    Attempts,
    after_failure,
    counted_as,
    wait_ns,
)


def after(*seconds: float) -> Attempts:
    attempts = Attempts()
    for at_s in seconds:
        attempts = after_failure(attempts, MonotonicNs(round(at_s * NS_PER_S)))
    return attempts


def test_ten_within_a_minute_block_for_a_minute() -> None:
    at = MonotonicNs(9 * NS_PER_S)
    assert wait_ns(after(*range(9)), MonotonicNs(8 * NS_PER_S)) == 0
    blocked = after(*range(10))
    assert wait_ns(blocked, at) == BLOCKED_NS
    assert wait_ns(blocked, MonotonicNs(at + BLOCKED_NS - 1)) == 1
    assert wait_ns(blocked, MonotonicNs(at + BLOCKED_NS)) == 0


def test_a_failure_counts_for_a_minute() -> None:
    rare = after(*(0, *range(1, 9)), 60)
    assert wait_ns(rare, MonotonicNs(60 * NS_PER_S)) == 0
    dense = after(*(0.001, *range(1, 9)), 60)
    assert wait_ns(dense, MonotonicNs(60 * NS_PER_S)) > 0


def test_after_a_block_ten_more_are_needed() -> None:
    blocked = after(*range(10))
    again = after_failure(blocked, MonotonicNs(70 * NS_PER_S))
    assert wait_ns(again, MonotonicNs(70 * NS_PER_S)) == 0


@given(st.lists(st.integers(0, 200 * NS_PER_S), max_size=40).map(sorted))
def test_memory_is_bounded_and_a_block_needs_ten_in_the_window(times: list[int]) -> None:
    attempts = Attempts()
    for place, at_ns in enumerate(times):
        attempts = after_failure(attempts, MonotonicNs(at_ns))
        assert len(attempts.failed_ns) < FAILURES_MAX
        if attempts.blocked_until_ns == at_ns + BLOCKED_NS and not attempts.failed_ns:
            window = [t for t in times[: place + 1] if at_ns - t < WINDOW_NS]
            assert len(window) >= FAILURES_MAX


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.9", "10.0.0.9"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("odd", "odd"),
    ],
)
def test_an_ipv6_network_is_one_client(address: str, name: str) -> None:
    assert counted_as(address) == name
