"""Query strings, read strictly: every parameter known and given once (contract 6.1)."""

import re
from collections import Counter
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl, unquote

from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.errors import ContractViolation

_PARAMETERS_MAX: Final = 32
_NUMBER: Final = re.compile(r"[0-9]{1,19}")


def parse_query(raw: bytes, known: Collection[str]) -> dict[str, str]:
    """Return the parameters of a query string.

    Args:
        raw: what follows the `?`, without it.
        known: names the endpoint has.

    Raises:
        ContractViolation: one is unknown or given twice, or the text is not percent-encoded UTF-8.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_PARAMETERS_MAX,
        )
    except ValueError as error:
        allowed = f"at most {_PARAMETERS_MAX} parameters in percent-encoded UTF-8"
        raise ContractViolation("query", "a text that cannot be read", allowed) from error
    for name, count in Counter(name for name, _ in pairs).items():
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ContractViolation(
                f"query.{name}", name, f"known parameters: {listed}{nearest(name, list(known))}"
            )
        if count > 1:
            raise ContractViolation(f"query.{name}", f"{count} values", "each parameter once")
    return dict(pairs)


def whole_number(name: str, text: str, *, least: int, most: int) -> int:
    """Return a parameter as a number.

    Raises:
        ContractViolation: it is not written in decimal digits, or out of range.
    """
    number = int(text) if _NUMBER.fullmatch(text) else None
    if number is None or not least <= number <= most:
        raise ContractViolation(f"query.{name}", text, f"{least}..{most}")
    return number


def decode_part(text: str) -> str:
    """Return one part of a path, percent-decoded.

    Raises:
        ContractViolation: it is not UTF-8.
    """
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ContractViolation("path", text, "percent-encoded UTF-8") from error
