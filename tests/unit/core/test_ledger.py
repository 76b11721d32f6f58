"""`core.ledger`: contract 8.7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState, LedgerVerdict
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.core.ledger import decide_ledger

RUNNING = LedgerEntry(
    key=LedgerKey(origin="press-1", request_id="request-1"),
    digest="sha256:aa",
    audit_id="audit-1",
    state=LedgerState.RUNNING,
    created_at_ns=0,
    iat_s=100,
)
DONE = structs.replace(
    RUNNING, state=LedgerState.DONE, reply=TargetReply(status=ResultStatus.EXECUTED)
)
SAME, OTHER = "sha256:aa", "sha256:bb"


@pytest.mark.parametrize(
    ("entry", "digest", "iat_s", "verdict"),
    [
        pytest.param(None, SAME, 99, LedgerVerdict.TOO_OLD, id="below the low water"),
        pytest.param(None, SAME, 100, LedgerVerdict.FIRST, id="on the low water"),
        pytest.param(None, SAME, 101, LedgerVerdict.FIRST, id="above the low water"),
        pytest.param(RUNNING, SAME, 100, LedgerVerdict.RUNNING, id="still running"),
        pytest.param(RUNNING, OTHER, 100, LedgerVerdict.CONFLICT, id="running, other digest"),
        pytest.param(DONE, SAME, 100, LedgerVerdict.REPLAY, id="done"),
        pytest.param(DONE, OTHER, 100, LedgerVerdict.CONFLICT, id="done, other digest"),
        pytest.param(DONE, SAME, 99, LedgerVerdict.REPLAY, id="done, however old"),
        pytest.param(RUNNING, SAME, 99, LedgerVerdict.RUNNING, id="running, however old"),
    ],
)
def test_verdict(
    entry: LedgerEntry | None, digest: str, iat_s: int, verdict: LedgerVerdict
) -> None:
    assert decide_ledger(entry, digest=digest, iat_s=iat_s, low_water_s=100) is verdict


ENTRIES = st.sampled_from([None, RUNNING, DONE])
DIGESTS = st.sampled_from([SAME, OTHER])


@given(entry=ENTRIES, digest=DIGESTS, iat_s=st.integers(), low_water_s=st.integers(0))
def test_a_request_is_new_only_if_nothing_of_it_was_kept_or_forgotten(
    entry: LedgerEntry | None, digest: str, iat_s: int, low_water_s: int
) -> None:
    verdict = decide_ledger(entry, digest=digest, iat_s=iat_s, low_water_s=low_water_s)
    assert (verdict is LedgerVerdict.FIRST) == (entry is None and iat_s >= low_water_s)


@given(entry=ENTRIES, digest=DIGESTS, iat_s=st.integers(), low=st.integers(0), rise=st.integers(0))
def test_a_higher_low_water_never_makes_a_request_new(
    entry: LedgerEntry | None, digest: str, iat_s: int, low: int, rise: int
) -> None:
    before = decide_ledger(entry, digest=digest, iat_s=iat_s, low_water_s=low)
    after = decide_ledger(entry, digest=digest, iat_s=iat_s, low_water_s=low + rise)
    assert after is before or (before, after) == (LedgerVerdict.FIRST, LedgerVerdict.TOO_OLD)


@given(digest=st.text(), state=st.sampled_from(LedgerState))
def test_a_result_is_given_only_to_the_same_request(digest: str, state: LedgerState) -> None:
    entry = structs.replace(DONE, state=state)
    verdict = decide_ledger(entry, digest=digest, iat_s=100, low_water_s=0)
    assert (verdict is LedgerVerdict.CONFLICT) == (digest != entry.digest)
