"""No write comes through without a rule (short setting); the programme sees one that does."""

from collections.abc import Callable

import pytest

from fuzz.rules import ask, compare
from trust_runtime.contracts.ids import RuntimeId, site_of
from trust_runtime.core.policy import access, grants, inbound, preflight
from trust_runtime.core.policy.patterns import pattern_matches

WRITES, LETTERS = 12_000, 4


def test_no_write_comes_through_without_a_rule() -> None:
    tally = ask(WRITES, seed=1)
    assert tally.problems == []
    counts = tally.counts
    assert counts["denied here"] >= WRITES
    assert counts["denied there"] > WRITES // 10
    # Denying everything would be no proof.
    assert counts["granted"] > WRITES // 25
    assert (counts["allowed here"], counts["allowed there"], counts["refused"]) == (0, 0, 0)


def test_the_matcher_is_the_oracle_s() -> None:
    count, problems = compare(LETTERS, ids=3)
    assert problems == []
    assert count > 50_000


def no_separator(pattern: str, runtime_id: str) -> bool:
    return pattern_matches(pattern, runtime_id) or (
        pattern.endswith("*") and runtime_id.startswith(pattern[:-1])
    )


def no_case(pattern: str, runtime_id: str) -> bool:
    return pattern_matches(pattern.casefold(), runtime_id.casefold())


def name_alone(pattern: str, runtime_id: str) -> bool:
    return pattern_matches(pattern, runtime_id) or pattern == runtime_id.rpartition("/")[2]


def long_spelling_lost(pattern: str, runtime_id: str) -> bool:
    return pattern_matches(pattern, runtime_id) and not pattern.startswith("default-site/")


def any_ending(pattern: str, runtime_id: str) -> bool:
    return pattern_matches(pattern, runtime_id) or runtime_id.endswith(pattern.lstrip("*"))


@pytest.mark.parametrize(
    "planted", [no_separator, no_case, name_alone, long_spelling_lost, any_ending]
)
def test_a_matcher_with_a_mistake_is_found_out(
    monkeypatch: pytest.MonkeyPatch, planted: Callable[[str, str], bool]
) -> None:
    monkeypatch.setattr(grants, "pattern_matches", planted)
    monkeypatch.setattr(inbound, "pattern_matches", planted)
    assert ask(WRITES, seed=1).problems


def without_case(text: str, **_: object) -> RuntimeId:
    return RuntimeId(text.casefold().strip().rstrip("/"))


def test_a_decision_that_mends_what_was_written_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preflight, "resolve", without_case)
    assert ask(WRITES, seed=1).problems


def test_a_decision_that_takes_sites_by_their_beginning_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def first_letters(runtime: RuntimeId) -> str:
        return site_of(runtime)[:6].casefold()

    monkeypatch.setattr(access, "site_of", first_letters)
    assert ask(WRITES, seed=1).problems
