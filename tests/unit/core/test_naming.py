"""`core.naming`: contract 2.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import (
    DEFAULT_SITE,
    RuntimeId,
    SiteName,
    parse_runtime_id,
)
from trust_runtime.core.naming import resolve

SITE = SiteName("site-b")
FULL = RuntimeId("site-b/press")
BARE = RuntimeId("press")
LONG = "n" * 122


@pytest.mark.parametrize(
    ("text", "own_site", "known", "canonical"),
    [
        # `SITE/NAME` of another site: itself, whatever is known.
        ("site-c/press", SITE, set(), "site-c/press"),
        ("site-c/press", SITE, {BARE, FULL}, "site-c/press"),
        ("site-c/press", DEFAULT_SITE, set(), "site-c/press"),
        # The long form of the default site: the short one.
        ("default-site/press", SITE, set(), "press"),
        ("default-site/press", SITE, {FULL}, "press"),
        ("default-site/press", SITE, {BARE, FULL}, "press"),
        ("default-site/press", DEFAULT_SITE, set(), "press"),
        # A bare name at an origin of the default site.
        ("press", DEFAULT_SITE, set(), "press"),
        ("press", DEFAULT_SITE, {FULL}, "press"),
        # A bare name at an origin of site-b.
        ("press", SITE, set(), "site-b/press"),
        ("press", SITE, {FULL}, "site-b/press"),
        ("press", SITE, {BARE}, "press"),
        ("press", SITE, {RuntimeId("site-c/press")}, "site-b/press"),
        ("press", SITE, {RuntimeId("Press"), RuntimeId("press2")}, "site-b/press"),
        # With its own site the id has exactly 128 characters.
        (LONG[1:], SITE, set(), "site-b/" + LONG[1:]),
    ],
)
def test_resolves(text: str, own_site: SiteName, known: set[RuntimeId], canonical: str) -> None:
    assert resolve(text, own_site=own_site, known=known) == canonical


def test_an_ambiguous_name_is_refused_with_both_long_forms() -> None:
    found = resolve("press", own_site=SITE, known=[BARE, FULL])
    assert isinstance(found, Denial)
    assert found.code is DenialCode.CONTRACT_VIOLATION
    assert found.reason == "'press' is ambiguous"
    assert found.remedy == "write the canonical id: site-b/press or default-site/press"
    # Both forms of the remedy do resolve.
    assert resolve("site-b/press", own_site=SITE, known=[BARE, FULL]) == FULL
    assert resolve("default-site/press", own_site=SITE, known=[BARE, FULL]) == BARE


@pytest.mark.parametrize("own_site", [SITE, DEFAULT_SITE])
@pytest.mark.parametrize("text", ["", " press", "press\n", "a/b/c", "/press", "..", "press*", "é"])
def test_text_outside_the_grammar_is_refused_as_given(text: str, own_site: SiteName) -> None:
    found = resolve(text, own_site=own_site, known=[])
    assert isinstance(found, Denial)
    assert found.code is DenialCode.CONTRACT_VIOLATION
    assert found.reason == f"{text!r} is no runtime id"
    assert "NAME or SITE/NAME" in found.remedy


def test_a_name_that_is_too_long_with_its_site_is_refused() -> None:
    assert isinstance(resolve(LONG, own_site=SITE, known=[]), Denial)
    assert resolve(LONG, own_site=DEFAULT_SITE, known=[]) == LONG


PARTS = st.sampled_from(["a", "b", "site-b", "default-site"])
IDS = (PARTS | st.builds(lambda site, name: f"{site}/{name}", PARTS, PARTS)).map(parse_runtime_id)
TEXTS = PARTS | st.builds(lambda site, name: f"{site}/{name}", PARTS, PARTS) | st.text(max_size=5)
SITES = PARTS.map(SiteName)


@given(text=TEXTS, own_site=SITES, known=st.lists(IDS, max_size=6))
def test_what_is_resolved_is_canonical_and_no_order_matters(
    text: str, own_site: SiteName, known: list[RuntimeId]
) -> None:
    found = resolve(text, own_site=own_site, known=known)
    assert resolve(text, own_site=own_site, known=frozenset(known)) == found
    assert resolve(text, own_site=own_site, known=known[::-1]) == found
    if not isinstance(found, Denial):
        assert parse_runtime_id(found) == found


@given(text=TEXTS, known=st.lists(IDS, max_size=6), own_site=SITES)
def test_a_slash_leaves_nothing_to_what_is_known(
    text: str, known: list[RuntimeId], own_site: SiteName
) -> None:
    if "/" in text or own_site == DEFAULT_SITE:
        assert resolve(text, own_site=own_site, known=known) == resolve(
            text, own_site=own_site, known=[]
        )
