"""`contracts.errors`: what came from outside is shown, but never all of a megabyte."""

import pytest

from trust_runtime.contracts.errors import ContractViolation


def test_a_violation_says_where_what_and_what_else() -> None:
    error = ContractViolation("$.a", "x", "a number")
    assert str(error) == "$.a: got 'x'; allowed: a number"
    assert (error.path, error.value, error.allowed) == ("$.a", "x", "a number")


@pytest.mark.parametrize(("length", "whole"), [(500, True), (501, False), (1_000_000, False)])
def test_long_names_and_values_are_shown_in_part(length: int, *, whole: bool) -> None:
    path, value = "p" * length, "v" * (length - 2)
    shown = str(ContractViolation(path, value, "less"))
    assert (shown == f"{path}: got '{value}'; allowed: less") is whole
    assert len(shown) < 1_100
    if not whole:
        assert shown == f"{'p' * 500}...: got '{'v' * 499}...; allowed: less"
