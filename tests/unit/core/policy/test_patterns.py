import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.ids import is_id_part
from trust_runtime.core.config.allow_rules import is_pattern
from trust_runtime.core.policy.patterns import pattern_matches

parts = st.text("ab.-", min_size=1, max_size=4).filter(is_id_part)
ids = parts | st.tuples(parts, parts).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "runtime_id", "matches"),
    [
        pytest.param("*", "site-b/press-1", True, id="star is everything"),
        pytest.param("*", "press-1", True, id="star is everything without a site too"),
        pytest.param("press-1", "press-1", True, id="exact"),
        pytest.param("press-1", "Press-1", False, id="case counts"),
        pytest.param("press-1", "site-b/press-1", False, id="exact means no other site"),
        pytest.param("press-1", "press-11", False, id="exact is no prefix"),
        pytest.param("site-b/*", "site-b/press-1", True, id="every runtime of a site"),
        pytest.param("site-b/*", "site-bad/press-1", False, id="another site with that beginning"),
        pytest.param("site-b/*", "site-b", False, id="a runtime named like the site"),
        pytest.param("site-b*", "site-bad/x", False, id="the star of a prefix matches no slash"),
        pytest.param("site-b*", "site-b/x", False, id="not even the first slash"),
        pytest.param("site-b*", "site-bad", True, id="a bare name with that beginning"),
        pytest.param("site-b*", "site-b", True, id="the star may be nothing"),
        pytest.param("*/press-1", "site-b/press-1", True, id="that name in every site"),
        pytest.param("*/press-1", "press-1", False, id="but not without a site"),
        pytest.param("*press-1", "site-b/press-1", True, id="the star of a suffix matches a slash"),
        pytest.param("*press-1", "press-1", True, id="the star of a suffix may be nothing"),
        pytest.param("*press-1", "press-12", False, id="a suffix ends the id"),
        pytest.param("default-site/press-1", "press-1", True, id="long spelling of a bare id"),
        pytest.param("default-site/*", "press-1", True, id="every runtime without a site"),
        pytest.param("default-site/*", "site-b/press-1", False, id="and none with a site"),
        pytest.param("pre*s-1", "press-1", False, id="a star inside is no pattern"),
        pytest.param("*press*", "press-1", False, id="two stars are no pattern"),
        pytest.param("**", "press-1", False, id="two stars alone neither"),
        pytest.param("", "press-1", False, id="blank matches nothing"),
    ],
)
def test_which_ids_a_pattern_means(pattern: str, runtime_id: str, *, matches: bool) -> None:
    assert pattern_matches(pattern, runtime_id) is matches


@given(first=ids, second=ids)
def test_an_exact_pattern_means_itself_alone(first: str, second: str) -> None:
    assert pattern_matches(first, first)
    assert pattern_matches(first, second) is (first == second)


@given(runtime_id=ids, cut=st.integers(0, 9))
def test_every_beginning_of_the_name_and_every_ending_of_the_id_match(
    runtime_id: str, cut: int
) -> None:
    assert pattern_matches("*" + runtime_id[min(cut, len(runtime_id)) :], runtime_id)
    kept = max(len(runtime_id) - cut, runtime_id.rfind("/") + 1)
    assert pattern_matches(runtime_id[:kept] + "*", runtime_id)


@given(prefix=st.text("ab/.-", min_size=1, max_size=4), runtime_id=ids)
def test_a_prefix_never_reaches_into_another_site(prefix: str, runtime_id: str) -> None:
    if pattern_matches(prefix + "*", runtime_id):
        assert prefix.count("/") == runtime_id.count("/")


@given(pattern=st.text("a*/", max_size=5), runtime_id=ids)
def test_what_is_no_pattern_matches_nothing(pattern: str, runtime_id: str) -> None:
    if not is_pattern(pattern):
        assert not pattern_matches(pattern, runtime_id)
