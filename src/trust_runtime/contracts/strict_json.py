"""The strict JSON door (D33, D56): the only way text from outside becomes values.

What RFC 8259 leaves open is closed here: duplicate members, NaN, Infinity, lone surrogates,
a byte order mark, numbers outside 64 bits and texts that are too deep, too long or of too many
values are refused, each with the place where it stood.
"""

import json
import re
from typing import Any, Final, NamedTuple

from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation

BODY_BYTES_MAX: Final = 1_048_576
DEPTH_MAX: Final = 32
VALUES_MAX: Final = 32_768
"""What a text consists of at most: so many take some ten milliseconds to read."""

LIGHT_BYTES_MAX: Final = 32_768
LIGHT_MARKS_MAX: Final = 512
"""What is read within a millisecond; a dispatch to as many targets as may be named has fewer."""

INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**64 - 1
_INTEGER_DIGITS_MAX: Final = 20

_TO_MARK: Final = re.compile(r'(?:[^"{}\[\],]++|"(?:[^"\\]++|\\.)*+"?)*+([{}\[\],]|\Z)', re.DOTALL)
"""Up to the next mark of structure, across strings whole; one that nothing ends reaches the end."""

_BOM: Final = b"\xef\xbb\xbf"


def is_light(text: bytes) -> bool:
    """Tell, in some microseconds, whether reading `text` takes less than a millisecond."""
    if len(text) > LIGHT_BYTES_MAX:
        return False
    return text.count(b",") + text.count(b"{") + text.count(b"[") <= LIGHT_MARKS_MAX


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
    _check_shape(decoded)
    reader = _Reader()
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=reader.object,
            parse_constant=reader.constant,
            parse_int=reader.integer,
            parse_float=reader.number,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ContractViolation("$", where, f"valid JSON ({error.msg})") from error
    # Only an escape can make a lone surrogate: UTF-8 has none.
    if reader.has_refused or "\\u" in decoded:
        _check_value(value, ())
    if not isinstance(value, dict):
        raise ContractViolation("$", type(value).__name__, "a JSON object")
    return value


def _check_shape(text: str) -> None:
    """Refuse nesting and numbers of values beyond the limits before a parser meets them."""
    openings = text.count("{") + text.count("[")
    if openings <= DEPTH_MAX and openings + text.count(",") <= VALUES_MAX:
        return
    depth = values = 0
    for match in _TO_MARK.finditer(text):
        mark = match[1]
        if mark in "]}":  # The end of the text too, which is empty.
            depth -= 1
            continue
        values += 1
        if mark != ",":
            depth += 1
        if depth > DEPTH_MAX:
            raise ContractViolation("$", f"depth {depth}", f"at most {DEPTH_MAX} levels")
        if values > VALUES_MAX:
            raise ContractViolation("$", "more values", f"at most {VALUES_MAX} values")


class _Refused(NamedTuple):
    """Stands for what the parser may not give, until the walk knows where it stood."""

    value: str
    allowed: str


class _Reader:
    """Makes values of what the parser found, and marks what is refused."""

    def __init__(self) -> None:
        self.has_refused = False

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = self._refuse("a second member of this name", "each member once")
            seen.add(name)
        return members

    def constant(self, text: str) -> _Refused:
        return self._refuse(text, "a finite number")

    def integer(self, text: str) -> int | _Refused:
        if len(text.lstrip("-")) > _INTEGER_DIGITS_MAX:
            return self._refuse(text[:24] + "...", "an integer of at most 64 bits")
        number = int(text)
        if not INTEGER_MIN <= number <= INTEGER_MAX:
            return self._refuse(text, "an integer of at most 64 bits")
        return number

    def number(self, text: str) -> float | _Refused:
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            return self._refuse(text[:24], "a number a 64-bit float can hold")
        return number

    def _refuse(self, value: str, allowed: str) -> _Refused:
        self.has_refused = True
        return _Refused(value, allowed)


def _check_value(value: object, at: tuple[str | int, ...]) -> None:
    """Refuse what the parser marked, and text that is not Unicode, naming the place.

    The place is spelt out only when something is refused: doing so for every value would let
    one long name cost its length many thousand times over.
    """
    if isinstance(value, _Refused):
        raise ContractViolation(_path(at), value.value, value.allowed)
    if isinstance(value, str):
        _check_string(value, at)
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_string(name, at)
            _check_value(member, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_value(item, (*at, index))


def _check_string(text: str, at: tuple[str | int, ...]) -> None:
    """Refuse lone surrogates: they are no Unicode text and cannot be stored as UTF-8."""
    try:
        # Searching them one by one would take ten times as long as all the rest.
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ContractViolation(_path(at), "a lone surrogate", "Unicode text") from None


def _path(at: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
