"""`cli.times`: instants as people read and write them."""

import time
from collections.abc import Iterator
from datetime import datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.cli.times import moment, since_of

AT_NS = 1_795_557_600_999_999_999


@pytest.fixture
def in_delhi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "IST-5:30")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_delhi")
def test_an_instant_is_local_with_its_offset_or_utc() -> None:
    assert moment(AT_NS) == "2026-11-25T03:30:00+05:30"
    assert moment(AT_NS, utc=True) == "2026-11-24T22:00:00Z"


@given(st.integers(0, 2**62))
def test_every_shown_instant_is_the_one_that_was_meant(ns: int) -> None:
    for shown in (moment(ns), moment(ns, utc=True)):
        assert datetime.fromisoformat(shown).timestamp() == ns // 1_000_000_000


@pytest.mark.usefixtures("in_delhi")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (None, None),
        ("evt-0199", "evt-0199"),
        ("0", 0),
        (str(AT_NS), AT_NS),
        ("2026-11-24T22:00:00Z", AT_NS - 999_999_999),
        ("2026-11-24T23:00:00+01:00", AT_NS - 999_999_999),
        ("2026-11-25T03:30:00", AT_NS - 999_999_999),
        ("2026-11-25 03:30", AT_NS - 999_999_999),
        ("2026-11-25", AT_NS - 999_999_999 - 12_600 * 10**9),
    ],
)
def test_what_since_means(text: str | None, meant: str | int | None) -> None:
    assert since_of(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yesterday", "2026-99-99", "evt-\n", "-5", "1.5", "\u0665"),
        *("1795557600", "20261124", "9" * 30, "0001-01-01", "1969-12-31T23:59:59Z", "9999-12-31"),
    ],
)
def test_what_since_cannot_mean_is_a_usage_error_with_an_example(text: str) -> None:
    with pytest.raises(click.UsageError, match="2026-11-24T22:00:00Z"):
        since_of(text)


@given(st.integers(10**17, 2**62))
def test_a_time_that_was_shown_can_be_given_back(ns: int) -> None:
    for shown in (moment(ns), moment(ns, utc=True)):
        assert since_of(shown) == ns // 1_000_000_000 * 1_000_000_000
