"""`adapters.http.instants`: RFC 3339, to the nanosecond."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.http.instants import parse_instant
from trust_runtime.contracts.errors import ContractViolation

NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01z", NS),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.5Z", NS // 2),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01T02:00:00 02:00", 0),  # A plus sign that was not percent-encoded.
        ("1969-12-31T22:00:00-02:00", 0),
        ("2026-11-24T14:05:00Z", 1_795_529_100 * NS),
    ],
)
def test_an_instant_is_nanoseconds_since_the_epoch(text: str, ns: int) -> None:
    assert parse_instant("at", text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-24",
        "2026-11-24T14:05Z",
        "2026-11-24T14:05:00",
        "2026-02-30T00:00:00Z",
        "2026-11-24T24:00:01Z",
        "1969-12-31T23:59:59Z",
        "2026-11-24T14:05:00.0000000001Z",
        "٢026-11-24T14:05:00Z",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ContractViolation, match=r"query\.at: .* such as 2026"):
        parse_instant("at", text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis wants bounds without a zone
def test_every_moment_round_trips(moment: datetime) -> None:
    text = moment.isoformat(timespec="microseconds")
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_instant("at", text) == passed // timedelta(microseconds=1) * 1_000
