"""`cli.tables`: plain text for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.cli.tables import ago, decision_lines, duration, table
from trust_runtime.contracts.counterfactual import Change, ChangeKind, Obstacle, WouldAllow
from trust_runtime.contracts.decisions import (
    Check,
    CheckOutcome,
    Preflight,
    TargetDecision,
    TargetState,
)
from trust_runtime.contracts.denial import DenialCode

NS_PER_S = 1_000_000_000
PASSED = Check(check="role", outcome=CheckOutcome.PASS, detail="requires role viewer")
DENIED = Check(
    check="cross_site",
    outcome=CheckOutcome.DENY,
    detail="cross-site write action",
    remedy="add an allow_write rule",
)


def preflight(*decisions: TargetDecision, reason: str | None = None) -> Preflight:
    allowed = bool(decisions) and all(decision.allowed for decision in decisions)
    return Preflight(
        api_version="1.0",
        request_id="r-1",
        connected_via="runtime-a",
        acting_on=tuple(decision.runtime_id for decision in decisions),
        allowed=allowed,
        denial_code=None if allowed else DenialCode.PERMISSION_DENIED,
        denial_reason=reason,
        decision_digest="sha256:" + "a" * 64,
        decisions=decisions,
    )


REFUSED = TargetDecision(
    runtime_id="site-b/x",
    allowed=False,
    target_state=TargetState.UNKNOWN,
    denial_code=DenialCode.PERMISSION_DENIED,
    denial_reason="cross-site write action",
    checks=(PASSED, DENIED),
)


STEP = Change(kind=ChangeKind.RULE, checks=("cross_site",), at="a", text="add a rule\nat a")
WALL = Obstacle(check="trust", runtime_id="site-b/x", reason="another key")
WHOLE = Obstacle(check="payload", reason="the request itself must change")


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        pytest.param(None, [], id="nothing is told"),
        pytest.param(
            WouldAllow(possible=True, changes=(STEP, STEP), unknown=("site-b/x was never heard",)),
            [
                "allowed after:",
                "  1. add a rule\\nat a",
                "  2. add a rule\\nat a",
                "  not known: site-b/x was never heard",
            ],
            id="changes",
        ),
        pytest.param(
            WouldAllow(possible=False, never=(WALL, WHOLE)),
            [
                "no change allows it:",
                "  site-b/x: another key",
                "  the request itself must change",
            ],
            id="none",
        ),
    ],
)
def test_what_would_allow_it_stands_below_the_tree(
    found: WouldAllow | None, lines: list[str]
) -> None:
    told = decision_lines(structs.replace(preflight(REFUSED), would_allow=found))
    assert told[len(decision_lines(preflight(REFUSED))) :] == lines


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"),
        (0, "0.0s"),
        (59_999, "60.0s"),
        (60_000, "1m 0s"),
        (3_599_999, "59m 59s"),
        (3_600_000, "1h 0m"),
        (86_399_999, "23h 59m"),
        (86_400_000, "1d 0h"),
    ],
)
def test_a_duration_has_two_units_at_most(milliseconds: int | None, text: str) -> None:
    assert duration(milliseconds) == text


def test_an_instant_that_never_was_is_never() -> None:
    assert ago(0, 5 * NS_PER_S) == "never"
    assert ago(3 * NS_PER_S, 5 * NS_PER_S) == "2.0s ago"
    assert ago(9 * NS_PER_S, 5 * NS_PER_S) == "0.0s ago"


@given(rows=st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_table_has_one_line_a_row_whatever_the_cells_say(rows: list[tuple[str, str]]) -> None:
    lines = table(("name", "what"), rows)
    assert len(lines) == len(rows) + 1
    assert all(len(line.splitlines()) <= 1 for line in lines)
    assert all(line.isprintable() for line in lines)


def test_columns_are_aligned() -> None:
    assert table(("a", "b"), [("long cell", "x"), ("y", "z")]) == [
        "A          B",
        "long cell  x",
        "y          z",
    ]


def test_a_denial_shows_the_check_and_its_remedy() -> None:
    assert decision_lines(preflight(REFUSED)) == [
        "denied: permission_denied (sha256:aaaaaaaaaaaa)",
        "+- site-b/x (unknown): denied permission_denied",
        "|  +- deny cross_site: cross-site write action",
        "|  |       remedy: add an allow_write rule",
    ]


def test_every_check_is_shown_on_request() -> None:
    lines = decision_lines(preflight(REFUSED), every_check=True)
    assert "|  +- pass role: requires role viewer" in lines


def test_a_request_without_targets_shows_its_reason() -> None:
    assert decision_lines(preflight(reason="target_runtimes is empty"))[1:] == [
        "  target_runtimes is empty"
    ]
