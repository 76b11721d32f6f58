"""`cli.times`: instants as people read and write them."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.cli.times import moment

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
