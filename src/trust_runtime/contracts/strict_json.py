"""The strict JSON door (D33, D56): the only way text from outside becomes values.

What RFC 8259 leaves open is closed here: duplicate members, NaN, Infinity, lone surrogates,
a byte order mark, numbers outside 64 bits and over-deep or over-long texts are refused, each
with the place where it stood.
"""

import json
from typing import Any, Final, NoReturn

from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation

BODY_BYTES_MAX: Final = 1_048_576
DEPTH_MAX: Final = 32
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**64 - 1
_INTEGER_DIGITS_MAX: Final = 20

_BOM: Final = b"\xef\xbb\xbf"


def parse_object(text: bytes, *, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Raises:
        BodyTooLarge: it is longer than `bytes_max`.
        ContractViolation: it is not strict JSON, or not an object; the path says where.
    """
    if len(text) > bytes_max:
        raise BodyTooLarge(f"the body has {len(text)} bytes, more than {bytes_max}")
    if text.startswith(_BOM):
        raise ContractViolation("$", "a byte order mark", "UTF-8 without BOM")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContractViolation("$", f"byte {error.start}", "valid UTF-8") from error
    _check_depth(decoded)
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ContractViolation("$", where, f"valid JSON ({error.msg})") from error
    if not isinstance(value, dict):
        raise ContractViolation("$", type(value).__name__, "a JSON object")
    _check_text(value, "$")
    return value


def _check_depth(text: str) -> None:
    """Refuse nesting beyond the limit before a parser recurses into it."""
    depth = 0
    in_string = False
    escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            if depth > DEPTH_MAX:
                raise ContractViolation("$", f"depth {depth}", f"at most {DEPTH_MAX} levels")
        elif character in "}]":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ContractViolation(name, "a second member of this name", "each member once")
        members[name] = value
    return members


def _refuse_constant(text: str) -> NoReturn:
    raise ContractViolation("$", text, "a finite number")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _INTEGER_DIGITS_MAX:
        raise ContractViolation("$", text[:24] + "...", "an integer of at most 64 bits")
    number = int(text)
    if not INTEGER_MIN <= number <= INTEGER_MAX:
        raise ContractViolation("$", text, "an integer of at most 64 bits")
    return number


def _number(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ContractViolation("$", text[:24], "a number a 64-bit float can hold")
    return number


def _check_text(value: object, path: str) -> None:
    """Refuse lone surrogates: they are no Unicode text and cannot be stored as UTF-8."""
    if isinstance(value, str):
        _check_string(value, path)
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_string(name, path)
            _check_text(member, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_text(item, f"{path}[{index}]")


def _check_string(text: str, path: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ContractViolation(path, "a lone surrogate", "Unicode text")
