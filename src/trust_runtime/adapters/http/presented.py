"""The tokens in the headers of a request (contract 6.3)."""

from collections.abc import Iterable
from typing import Final

_TOKEN: Final = b"x-trust-token"
_AUTHORIZATION: Final = b"authorization"
_BEARER: Final = b"bearer"


def tokens_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    """Return the distinct tokens of the headers, in order; nothing else of a request holds one.

    An `Authorization` of another scheme counts as a token that is nobody's: a request that proves
    itself in two ways is not one of ours.

    Args:
        headers: names in lower case, and values.
    """
    found: dict[bytes, None] = {}
    for name, value in headers:
        if name == _TOKEN:
            found[value.strip()] = None
        elif name == _AUTHORIZATION:
            scheme, _, token = value.strip().partition(b" ")
            found[token.strip() if scheme.lower() == _BEARER else value] = None
    return tuple(found)
