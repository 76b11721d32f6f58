"""`adapters.http.query`: parameters known and given once."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.adapters.http.query import decode_part, parse_query, whole_number
from trust_runtime.contracts.errors import ContractViolation

KNOWN = ("actor", "limit")


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b"", {}),
        (b"limit=5", {"limit": "5"}),
        (b"limit=5&actor=a%20b", {"limit": "5", "actor": "a b"}),
        (b"actor=a+b", {"actor": "a b"}),
        (b"actor=", {"actor": ""}),
        (b"actor", {"actor": ""}),
        (b"actor=%C3%BC", {"actor": "ü"}),
        (b"actor=a=b;c", {"actor": "a=b;c"}),
    ],
)
def test_known_parameters(raw: bytes, values: dict[str, str]) -> None:
    assert parse_query(raw, KNOWN) == values


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"limits=5", "did you mean 'limit'"),
        (b"x=5", "query.x"),
        (b"Limit=5", "query.Limit"),
        (b"limit=5&limit=5", "query.limit: got '2 values'"),
        (b"limit=5&limi%74=6", "query.limit: got '2 values'"),
        (b"actor=%ff", "UTF-8"),
        (b"actor=\xff", "UTF-8"),
        (b"&".join(b"a%d=1" % n for n in range(33)), "at most 32"),
    ],
)
def test_what_is_refused_is_named(raw: bytes, named: str) -> None:
    with pytest.raises(ContractViolation, match=named):
        parse_query(raw, KNOWN)


def test_an_endpoint_without_parameters_says_so() -> None:
    with pytest.raises(ContractViolation, match="known parameters: none"):
        parse_query(b"a=1", ())


@given(st.dictionaries(st.sampled_from(KNOWN), st.text(max_size=8)))
@settings(max_examples=60)
def test_what_was_encoded_comes_back(values: dict[str, str]) -> None:
    assert parse_query(urlencode(values).encode(), KNOWN) == values


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0010", 10), ("1000", 1000)])
def test_whole_numbers_in_range(text: str, number: int) -> None:
    assert whole_number("limit", text, least=1, most=1000) == number


@pytest.mark.parametrize(
    "text", ["0", "1001", "-1", "+1", "1.0", "", " 1", "1_0", "\u0661", "9" * 20]
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(ContractViolation, match=r"query\.limit: .* allowed: 1\.\.1000"):
        whole_number("limit", text, least=1, most=1000)


def test_a_part_of_a_path_is_decoded_once() -> None:
    assert decode_part("a%2Fb%2525") == "a/b%25"
    with pytest.raises(ContractViolation, match="UTF-8"):
        decode_part("%ff")
