"""`contracts.strict_json`: contract 1.6, 6.1 stage 8."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation
from trust_runtime.contracts.strict_json import (
    BODY_BYTES_MAX,
    DEPTH_MAX,
    INTEGER_MAX,
    INTEGER_MIN,
    LIGHT_BYTES_MAX,
    LIGHT_MARKS_MAX,
    VALUES_MAX,
    is_light,
    parse_object,
)

FINITE = "a finite number"
BITS = "an integer of at most 64 bits"
FLOAT = "a number a 64-bit float can hold"
ONCE = "each member once"
UNICODE = "Unicode text"
OBJECT = "a JSON object"

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(INTEGER_MIN, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


def refusal(text: bytes) -> ContractViolation:
    with pytest.raises(ContractViolation) as caught:
        parse_object(text)
    return caught.value


@given(value=OBJECTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_what_json_writes_is_read_back(
    value: dict[str, Any], *, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    given_back = parse_object(text)
    assert given_back == value
    # Equality alone would let 1, 1.0 and true pass for each other.
    assert json.dumps(given_back) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "path", "value", "allowed"),
    [
        (b'{"a":1,"a":1}', "$.a", "a second member of this name", ONCE),
        (b'{"a":[{"b":1},{"c":{"b":1,"b":2}}]}', "$.a[1].c.b", "a second member", ONCE),
        (b'{"a":1,"\\u0061":2}', "$.a", "a second member", ONCE),
        (b'{"a":{},"a":{"b":NaN}}', "$.a", "a second member", ONCE),
        (b'{"a":NaN}', "$.a", "NaN", FINITE),
        (b'{"a":[0,Infinity]}', "$.a[1]", "Infinity", FINITE),
        (b'{"a":{"b":-Infinity}}', "$.a.b", "-Infinity", FINITE),
        (b"NaN", "$", "NaN", FINITE),
        (b'{"a":18446744073709551616}', "$.a", "18446744073709551616", BITS),
        (b'{"a":-9223372036854775809}', "$.a", "-9223372036854775809", BITS),
        (b'{"a":99999999999999999999}', "$.a", "99999999999999999999", BITS),
        (b'{"a":[1,100000000000000000000]}', "$.a[1]", "100000000000000000000...", BITS),
        (b'{"a":' + b"9" * 5000 + b"}", "$.a", "9" * 24 + "...", BITS),
        (b'{"a":{"b":1e309}}', "$.a.b", "1e309", FLOAT),
        (b'{"a":[-1e309]}', "$.a[0]", "-1e309", FLOAT),
        (b'{"a":[0,"x\\ud800y"]}', "$.a[1]", "a lone surrogate", UNICODE),
        (b'{"a":"\\udc00"}', "$.a", "a lone surrogate", UNICODE),
        (b'{"a":"\\udfff\\ud800"}', "$.a", "a lone surrogate", UNICODE),
        (b'{"a":{"\\ud800":1}}', "$.a", "a lone surrogate", UNICODE),
        (b'{"\\ud800":1,"\\ud800":2}', "$", "a lone surrogate", UNICODE),
        (b'\xef\xbb\xbf{"a":1}', "$", "a byte order mark", "UTF-8 without BOM"),
        (b'{"a":"\xff"}', "$", "byte 6", "valid UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "$", "byte 6", "valid UTF-8"),
        (b'{"a":1}'.decode().encode("utf-16"), "$", "byte 0", "valid UTF-8"),
        (b"[]", "$", "list", OBJECT),
        (b'"x"', "$", "str", OBJECT),
        (b"1", "$", "int", OBJECT),
        (b"null", "$", "NoneType", OBJECT),
        (b"", "$", "line 1 column 1", "valid JSON"),
        (b'{"a":1}x', "$", "line 1 column 8", "valid JSON (Extra data)"),
        (b'{"a":\n01}', "$", "line 2 column 2", "valid JSON"),
        (b'{"a":1,}', "$", "line 1", "valid JSON"),
        (b"{'a':1}", "$", "line 1 column 2", "valid JSON"),
        (b'{"a":"\x00"}', "$", "line 1 column 7", "valid JSON (Invalid control character at)"),
        (b'{"a":"\n"}', "$", "line 1 column 7", "valid JSON (Invalid control character at)"),
        (b'{"a":/**/1}', "$", "line 1 column 6", "valid JSON"),
        (b'{"a":+1}', "$", "line 1 column 6", "valid JSON"),
        (b'{"a":.5}', "$", "line 1 column 6", "valid JSON"),
        (b'{"a":tru}', "$", "line 1 column 6", "valid JSON"),
    ],
)
def test_every_refused_class_names_place_value_and_rule(
    text: bytes, path: str, value: str, allowed: str
) -> None:
    error = refusal(text)
    assert error.path == path
    assert str(error.value).startswith(value)
    assert error.allowed.startswith(allowed)
    # The answer repeats the text of the error: it must be encodable.
    assert str(error).encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551615", INTEGER_MAX),
        ("-9223372036854775808", INTEGER_MIN),
        ("10000000000000000000", 10**19),
        ("-0", 0),
        ("1e308", 1e308),
        ("1e-400", 0.0),
        ("0.1", 0.1),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\u0000"', "\0"),
        ('"NaN"', "NaN"),
        ('"}]}]\\"{{["', '}]}]"{{['),
    ],
)
def test_what_stands_on_the_accepted_side_of_a_boundary(text: str, value: object) -> None:
    assert parse_object(f' {{"a":{text}}}\n'.encode()) == {"a": value}


@pytest.mark.parametrize("opening", ['{"a":', "["])
@pytest.mark.parametrize(
    ("depth", "accepted"), [(DEPTH_MAX, True), (DEPTH_MAX + 1, False), (100_000, False)]
)
def test_depth(opening: str, depth: int, *, accepted: bool) -> None:
    closing = "}" if opening[0] == "{" else "]"
    inner = opening * (depth - 1) + "0" + closing * (depth - 1)
    text = f'{{"a":{inner}}}'.encode()
    if accepted:
        assert parse_object(text)
    else:
        assert refusal(text).value == f"depth {DEPTH_MAX + 1}"


def test_depth_is_counted_from_the_outermost_and_falls_again() -> None:
    row = "[" * (DEPTH_MAX - 2) + "]" * (DEPTH_MAX - 2)
    assert parse_object(f'{{"a":[{row},{row}]}}'.encode())
    assert "depth 33" in str(refusal(f'{{"a":[{row},[{row}]]}}'.encode()))


def test_brackets_in_texts_are_no_depth() -> None:
    text = "[{" * DEPTH_MAX + '\\"' + "[{" * DEPTH_MAX
    assert parse_object(f'{{"a":"{text}"}}'.encode())
    # The escaped backslash ends the text: what follows is structure again.
    assert "depth 33" in str(refusal(b'{"a":"\\\\",' + b"[" * DEPTH_MAX))


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_length_of_the_body(excess: int) -> None:
    frame = b'{"a":""}'
    text = b'{"a":"' + b"x" * (BODY_BYTES_MAX - len(frame) + excess) + b'"}'
    if excess > 0:
        with pytest.raises(BodyTooLarge, match=f"1048577 bytes, more than {BODY_BYTES_MAX}"):
            parse_object(text)
    else:
        assert len(parse_object(text)["a"]) == BODY_BYTES_MAX - len(frame) + excess


@pytest.mark.parametrize(("bytes_max", "fits"), [(7, True), (6, False)])
def test_another_limit_of_the_caller(bytes_max: int, *, fits: bool) -> None:
    text = b'{"a":1}'
    if fits:
        assert parse_object(text, bytes_max=bytes_max) == {"a": 1}
    else:
        with pytest.raises(BodyTooLarge):
            parse_object(text, bytes_max=bytes_max)


def test_length_is_judged_before_content() -> None:
    with pytest.raises(BodyTooLarge):
        parse_object(b"\xff" * 10, bytes_max=9)


def parse_or_refuse(text: bytes) -> dict[str, Any] | None:
    try:
        return parse_object(text, bytes_max=200)
    except (BodyTooLarge, ContractViolation) as error:
        caught = error
    assert isinstance(caught, BodyTooLarge) == (len(text) > 200)
    assert str(caught).encode()
    return None


@given(text=st.binary(max_size=260))
def test_arbitrary_bytes_raise_nothing_else(text: bytes) -> None:
    parse_or_refuse(text)


PIECES = (
    *('{"a":', '"b":', '"a"', "[", "]", "{", "}", ",", ":", '"', "\\", "\\u", "d800", "\\udc00"),
    *("NaN", "-Infinity", "1e999", "-", "0", "12345678901234567890", ".", "e", "null", "é"),
    *("\ufeff", "\x00", " "),
)


@settings(max_examples=300)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_almost_json_raises_nothing_else_and_what_passes_is_strict(pieces: list[str]) -> None:
    value = parse_or_refuse("".join(pieces).encode())
    if value is not None:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        assert parse_object(text) == value


@given(value=OBJECTS, at=st.integers(0), byte=st.integers(0, 255))
def test_a_damaged_text_is_read_as_json_reads_it_or_refused(
    value: dict[str, Any], at: int, byte: int
) -> None:
    text = bytearray(json.dumps(value, ensure_ascii=False).encode())
    text[at % len(text)] = byte
    if len(text) <= 200 and (read := parse_or_refuse(bytes(text))) is not None:
        assert read == json.loads(bytes(text))


def test_one_long_name_does_not_cost_its_length_for_every_value_below_it() -> None:
    """Spelling out the path of each of these values would copy 15 gigabytes."""
    text = b'{"' + b"a" * 500_000 + b'":[' + b"0," * (VALUES_MAX - 3) + b"0]}"
    started = time.process_time()
    parse_object(text)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("value", ["0", '"a,b[{"', '{"k":1}', "[]", '"\\\\"', '"\\","'])
@pytest.mark.parametrize(("excess", "accepted"), [(0, True), (1, False)])
def test_number_of_values(value: str, excess: int, *, accepted: bool) -> None:
    # Each object and each list is one, and each comma outside a string.
    inside = 2 if value[0] in "[{" else 1
    count = (VALUES_MAX - 2 + 1 + excess) // inside
    spare = (VALUES_MAX - 2 + 1 + excess) % inside
    items = ",".join([value] * count + ["0"] * spare)
    text = f'{{"a":[{items}]}}'.encode()
    if accepted:
        assert len(parse_object(text)["a"]) == count + spare
    else:
        assert str(VALUES_MAX) in refusal(text).allowed


def test_commas_in_a_text_are_no_values() -> None:
    text = b'{"a":"' + b"," * (VALUES_MAX + 1) + b'"}'
    assert len(parse_object(text)["a"]) == VALUES_MAX + 1


@pytest.mark.parametrize(
    "text",
    [
        b"{" + b",".join(b'"k%d":1' % n for n in range(80_000)) + b"}",
        b"{" + b",".join([b'"a":1'] * 100_000) + b"}",
        b'{"a":"' + b"[{" * 500_000 + b'"}',
        b'{"a":"' + b'\\"' * 500_000 + b'"}',
        b'{"a":' + b"[" * 500_000,
        b'{"a":' + b'"",' * 300_000 + b"}",
        b'{"a":[' + b'{"b":1},' * 100_000 + b"]}",
    ],
    ids=["keys", "one key", "brackets", "escapes", "depth", "empty texts", "objects"],
)
def test_what_is_made_to_cost_costs_little(text: bytes) -> None:
    started = time.process_time()
    with suppress(ContractViolation):
        parse_object(text)
    assert time.process_time() - started < 0.1  # a few milliseconds where nothing else runs


@pytest.mark.parametrize(
    ("text", "light"),
    [
        (b" " * LIGHT_BYTES_MAX, True),
        (b" " * (LIGHT_BYTES_MAX + 1), False),
        (b"[{," * (LIGHT_MARKS_MAX // 3), True),
        (b"[" * LIGHT_MARKS_MAX, True),
        (b"[" * LIGHT_MARKS_MAX + b",", False),
        (b"," * LIGHT_MARKS_MAX + b"{", False),
        (b"{" * LIGHT_MARKS_MAX + b"[", False),
    ],
)
def test_what_is_read_at_once(text: bytes, *, light: bool) -> None:
    assert is_light(text) == light


@pytest.mark.parametrize("inner", [b'{"":1},', b"{},", b"[],", b"1,", b'"\\u0061",'])
def test_what_is_light_is_read_soon(inner: bytes) -> None:
    text = b'{"p":[' + inner * (
        (LIGHT_MARKS_MAX - 2) // (1 + inner.count(b"{") + inner.count(b"["))
    )
    text = text[:-1] + b"]}"
    assert is_light(text)
    started = time.process_time()
    parse_object(text)
    assert time.process_time() - started < 0.05  # half a millisecond where nothing else runs


def test_a_long_text_without_lone_surrogates_costs_little() -> None:
    text = b'{"a":"\\u0061' + "é".encode() * 500_000 + b'"}'
    started = time.process_time()
    assert len(parse_object(text)["a"]) == 500_001
    assert time.process_time() - started < 0.1  # some milliseconds where nothing else runs
