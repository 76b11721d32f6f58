"""Bugs that are planted turn the gate red; all of them: `python -m planted.run`."""

import pytest

from planted.bugs import BUGS
from planted.run import try_out
from trust_runtime.gates.security.gate import CHECKS, expected_checks, unbuilt_checks

QUICK = ("host", "profile", "inbound")
SECURITY_DESIGN = {f"S{number:02}" for number in range(1, 37)}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_turns_the_gate_red(name: str) -> None:
    found = try_out(name)
    assert found.planted, "the bug was not there"
    assert found.is_red, found.said


def test_there_are_ten_bugs_and_every_check_they_name_exists() -> None:
    assert len(BUGS) >= 10
    assert {case for bug in BUGS.values() for case in bug.cases} <= set(expected_checks())


def test_every_check_of_the_design_is_expected_or_has_a_reason() -> None:
    expected, unbuilt = expected_checks(), unbuilt_checks()
    assert len(expected) == len(set(expected)) >= 30
    assert set(expected) == set(CHECKS)
    assert not set(expected) & unbuilt.keys()
    assert {*expected, *unbuilt} >= SECURITY_DESIGN
    assert all(len(reason) > 10 for reason in unbuilt.values())
