import traceback

import pytest

from trust_runtime.contracts.secret import PLACEHOLDER, Secret


@pytest.mark.parametrize("show", [str, repr, "{}".format, lambda one: f"{[one]}"])
def test_no_way_of_showing_it_shows_it(show: object) -> None:
    assert callable(show)
    assert "canary" not in show(Secret(value="canary"))


def test_an_exception_that_carries_it_does_not_say_it() -> None:
    error = ValueError("odd", Secret(value="canary"))
    assert "canary" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("value", "is_placeholder"),
    [("REPLACE_WITH_LONG_RANDOM_TOKEN", True), (PLACEHOLDER, True), ("replace_x", False)],
)
def test_what_is_a_placeholder(value: str, *, is_placeholder: bool) -> None:
    assert Secret(value=value).is_placeholder is is_placeholder
