from typing import Any

import pytest
from hypothesis import given

from config_samples import json_values
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.settings import Address
from trust_runtime.core.config.rules import (
    Rule,
    blank,
    choice,
    flag,
    harmless,
    is_host,
    is_host_port,
    is_loopback,
    is_plain_text,
    parse_address,
    text,
    texts,
    value_text,
    whole,
)

LEVEL = choice("error", "info", later=("noise",))
NAMES = texts("names", str.isalpha, later=str.isdigit)
ALL_RULES = (
    *(flag(), whole(0), whole(1, 9), LEVEL, NAMES),
    *(text("a word", str.isalpha), harmless(), harmless([], 5), blank()),
)


@pytest.mark.parametrize(
    ("rule", "value", "fits"),
    [
        pytest.param(flag(), True, True, id="true"),
        pytest.param(flag(), 1, False, id="1 is no switch"),
        pytest.param(flag(), "true", False, id="text is no switch"),
        pytest.param(whole(1, 9), 1, True, id="the least"),
        pytest.param(whole(1, 9), 0, False, id="below the least"),
        pytest.param(whole(1, 9), 9, True, id="the most"),
        pytest.param(whole(1, 9), 10, False, id="above the most"),
        pytest.param(whole(1), 2**80, True, id="without a most"),
        pytest.param(whole(0, 9), True, False, id="a boolean is no number"),
        pytest.param(whole(1, 9), 5.0, False, id="a float is no integer"),
        pytest.param(LEVEL, "info", True, id="one of the names"),
        pytest.param(LEVEL, "INFO", False, id="names are exact"),
        pytest.param(LEVEL, "noise", False, id="a name that is not built"),
        pytest.param(LEVEL, ["info"], False, id="a list is no name"),
        pytest.param(NAMES, [], True, id="an empty list"),
        pytest.param(NAMES, ["a"] * 1024, True, id="a list as long as allowed"),
        pytest.param(NAMES, ["a"] * 1025, False, id="a list too long"),
        pytest.param(NAMES, ["a", 5], False, id="a list with something else"),
        pytest.param(NAMES, "abc", False, id="a text is no list"),
        pytest.param(harmless([]), [], True, id="the harmless value"),
        pytest.param(harmless(False), 0, False, id="0 is not false"),  # noqa: FBT003 - the value
        pytest.param(harmless(), "", False, id="nothing is harmless"),
        pytest.param(blank(), " ", True, id="blank"),
        pytest.param(blank(), "x", False, id="not blank"),
        pytest.param(blank(), None, False, id="null is not blank"),
    ],
)
def test_what_fits(rule: Rule, value: Any, *, fits: bool) -> None:
    assert rule.accepts(value) is fits


@pytest.mark.parametrize(
    ("rule", "value", "later"),
    [
        (LEVEL, "noise", True),
        (LEVEL, "loud", False),
        (NAMES, ["a", "5"], True),
        (NAMES, ["a", "?"], False),
        (harmless(5), 6, True),
        (blank(), "x", True),
        (flag(), 1, False),
    ],
)
def test_what_would_fit_in_a_later_version(rule: Rule, value: Any, *, later: bool) -> None:
    assert not rule.accepts(value)
    assert rule.later(value) is later


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (whole(1, 9), "1..9"),
        (whole(2000), ">= 2000"),
        (whole(1, 1), "1"),
        (LEVEL, '"error" | "info"'),
        (harmless("halt", 5), '"halt" | 5'),
        (harmless(), "no value"),
    ],
)
def test_what_a_rule_says(rule: Rule, said: str) -> None:
    assert rule.text == said


@given(json_values)
def test_a_rule_answers_about_anything(value: object) -> None:
    for rule in ALL_RULES:
        assert isinstance(rule.accepts(value), bool)
        assert isinstance(rule.later(value), bool)


@pytest.mark.parametrize(
    ("given_text", "address"),
    [
        ("127.0.0.1:8080", Address(ip="127.0.0.1", port=8080)),
        ("10.0.0.7:1", Address(ip="10.0.0.7", port=1)),
        ("[::1]:65535", Address(ip="::1", port=65535)),
        ("[0::1]:80", Address(ip="::1", port=80)),
    ],
)
def test_addresses(given_text: str, address: Address) -> None:
    assert parse_address(given_text) == address


@pytest.mark.parametrize(
    "bad",
    [
        *("127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:080000"),
        *("::1:80", "[127.0.0.1]:80", "[::1%lo]:80", "localhost:80", "256.0.0.1:80", "1.2.3:80"),
        *("127.0.0.1:٣", " 127.0.0.1:80", "127.0.0.1:80\n", ":80", "[]:80", ""),
    ],
)
def test_what_is_no_address(bad: str) -> None:
    with pytest.raises(ContractViolation):
        parse_address(bad)
    assert not is_loopback(bad)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:80", True),
        ("127.255.255.254:80", True),
        ("[::1]:80", True),
        ("126.255.255.255:80", False),
        ("128.0.0.1:80", False),
        ("0.0.0.0:80", False),
        ("[::]:80", False),
        ("[::2]:80", False),
    ],
)
def test_what_only_this_machine_reaches(address: str, *, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("plc.example.org", True),
        ("plc:8080", True),
        ("10.0.0.7", True),
        ("plc:0", False),
        ("*.example.org", False),
        ("", False),
        ("plc:", False),
        ("-plc", False),
        ("a b", False),
        ("http://plc", False),
    ],
)
def test_hosts(host: str, *, good: bool) -> None:
    assert is_host(host) is good


@pytest.mark.parametrize(
    ("place", "good"),
    [
        ("plc:1", True),
        ("[::1]:5200", True),
        ("plc:65535", True),
        ("plc:65536", False),
        ("plc", False),
        ("plc:5200#iface=eth0", False),
        ("::1:5200", False),
    ],
)
def test_places_to_connect_to(place: str, *, good: bool) -> None:
    assert is_host_port(place) is good


@pytest.mark.parametrize(
    ("value", "plain"),
    [("x" * 1024, True), ("x" * 1025, False), ("a\nb", False), ("\ud800", False), (5, False)],
)
def test_texts_are_short_and_without_control_characters(value: object, *, plain: bool) -> None:
    assert is_plain_text(value) is plain


def test_a_shown_value_is_json_and_short() -> None:
    assert value_text({"a": ['"']}) == '{"a":["\\""]}'
    assert len(value_text("x" * 10_000)) < 250


@given(json_values)
def test_any_value_can_be_shown(value: object) -> None:
    assert 0 < len(value_text(value)) <= 203
    assert "\n" not in value_text(value)
