"""Instants as text: RFC 3339, to the nanosecond."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.units import NS_PER_S

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_NS_DIGITS: Final = 9


def parse_instant(name: str, text: str) -> int:
    """Return nanoseconds since the epoch of an RFC 3339 date and time.

    A space stands where a `+` was not percent-encoded, before the zone.

    Raises:
        ContractViolation: it is none, or before 1970.
    """
    match = _FORM.fullmatch(re.sub(r" (\d\d:\d\d)$", r"+\1", text))
    seconds = -1
    if match is not None:
        zone = "+00:00" if match[4] in "Zz" else match[4]
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
            seconds = int(moment.astimezone(UTC).timestamp())
    if match is None or seconds < 0:
        allowed = "an RFC 3339 instant since 1970, such as 2026-11-24T14:05:00Z"
        raise ContractViolation(f"query.{name}", text, allowed)
    return seconds * NS_PER_S + int((match[3] or "0").ljust(_NS_DIGITS, "0"))
