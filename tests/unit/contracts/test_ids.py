"""`contracts.ids`: contract 2.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import (
    DEFAULT_SITE,
    ID_LENGTH_MAX,
    RESERVED_NAMES,
    RuntimeId,
    SiteName,
    is_id_part,
    name_of,
    parse_runtime_id,
    parse_spiffe_id,
    runtime_id,
    site_in_actor,
    site_of,
    spiffe_id,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
PARTS = st.text(LETTERS, min_size=1, max_size=60).filter(lambda text: text not in {".", ".."})
SITES = PARTS | st.just(DEFAULT_SITE)
NAME_MAX = "n" * ID_LENGTH_MAX


def refused(text: str) -> bool:
    with pytest.raises(ContractViolation) as caught:
        parse_runtime_id(text)
    return caught.value.value == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("runtime-a", "runtime-a"),
        ("default-site/runtime-a", "runtime-a"),
        ("site-b/runtime-a", "site-b/runtime-a"),
        ("Default-site/runtime-a", "Default-site/runtime-a"),
        ("default-site", "default-site"),
        ("default-site/default-site", "default-site"),
        ("a", "a"),
        ("...", "..."),
        ("-", "-"),
        ("_/-", "_/-"),
        # Reserved as a resource's own name only: another's id is not ours to refuse.
        ("active", "active"),
        (NAME_MAX, NAME_MAX),
        ("default-site/" + NAME_MAX, NAME_MAX),
        ("s/" + NAME_MAX[2:], "s/" + NAME_MAX[2:]),
    ],
)
def test_accepted(text: str, canonical: str) -> None:
    assert parse_runtime_id(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "/", "/a", "a/", "a//b", "a/b/c", "default-site/", "/default-site"),
        *("default-site/a/b", "default-site/default-site/a", ".", "..", "./a", "a/..", "a/."),
        *(
            "a b",
            " a",
            "a\n",
            "a/b\n",
            "\ta",
            "a\0",
            "ä",
            "\u0430",
            "a\u0661",
            "a*",
            "a$",
            "a#",
            "a@b",
        ),
        *("a\\b", "a:b", "a,b", "a?", "a%20"),
        NAME_MAX + "n",
        "s/" + NAME_MAX[1:],
        "default-site/" + NAME_MAX + "n",
    ],
)
def test_refused_naming_the_text(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize("character", [chr(code) for code in range(256)])
def test_the_letters_of_the_grammar(character: str) -> None:
    assert is_id_part(f"a{character}b") == (character in LETTERS)


def test_reserved_names_are_those_of_the_key_expressions() -> None:
    assert frozenset({"active", "cfg"}) == RESERVED_NAMES


@given(text=st.text(LETTERS + "/ ä*", max_size=12) | st.text(max_size=12))
def test_what_is_accepted_is_canonical_and_stays_so(text: str) -> None:
    try:
        canonical = parse_runtime_id(text)
    except ContractViolation:
        return
    assert parse_runtime_id(canonical) == canonical
    assert runtime_id(site_of(canonical), name_of(canonical)) == canonical
    assert not canonical.startswith(f"{DEFAULT_SITE}/")


@given(site=SITES, name=PARTS | st.just(NAME_MAX))
def test_site_and_name_make_an_id_that_gives_them_back(site: str, name: str) -> None:
    if site != DEFAULT_SITE and len(site) + 1 + len(name) > ID_LENGTH_MAX:
        assert refused(f"{site}/{name}")
        return
    made = runtime_id(SiteName(site), name)
    assert (site_of(made), name_of(made)) == (site, name)
    assert made == (name if site == DEFAULT_SITE else f"{site}/{name}")
    assert parse_spiffe_id(spiffe_id(made)) == made
    assert site_in_actor(spiffe_id(made)) == site


@pytest.mark.parametrize(
    ("canonical", "spiffe"),
    [
        ("runtime-a", "spiffe://trust/default-site/runtime-a"),
        ("site-b/runtime-a", "spiffe://trust/site-b/runtime-a"),
    ],
)
def test_a_spiffe_id_always_names_the_site(canonical: str, spiffe: str) -> None:
    assert spiffe_id(RuntimeId(canonical)) == spiffe
    assert parse_spiffe_id(spiffe) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "spiffe://trust", "spiffe://trust/", "spiffe://trust/runtime-a"),
        *("spiffe://trust//a", "spiffe://trust/a/", "spiffe://trust/a/b/c"),
        *(
            "spiffe://other/a/b",
            "SPIFFE://trust/a/b",
            "spiffe://trust-me/a/b",
            " spiffe://trust/a/b",
        ),
        *("spiffe://trust/a/b ", "spiffe://trust/a/b\n", "a/b", "spiffe://trust/a/b?c"),
        *("spiffe://trust/../b", "local://engineer"),
    ],
)
def test_what_is_no_spiffe_id_of_a_runtime_is_refused_and_claims_no_site(text: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        parse_spiffe_id(text)
    assert caught.value.path in {"spiffe_id", "runtime_id"}
    assert site_in_actor(text) is None
