"""A text that no message may show."""

from typing import Final

from msgspec import Struct

PLACEHOLDER: Final = "REPLACE_"
"""How the tokens of examples begin; they authenticate nobody (contract 4.2)."""

MAKE_TOKEN: Final = "openssl rand -hex 32"  # noqa: S105 - the command that makes one
"""Prints a token of 256 bits."""

TOKEN_CHARACTERS_MIN: Final = 32
"""Shorter tokens are warned of in plant and wan (contract 4.2)."""


class Secret(Struct, frozen=True, kw_only=True):
    """A secret; shown, logged or put into a message it is `<redacted>`."""

    value: str
    """The text itself, without blanks around it, not empty."""

    def __repr__(self) -> str:
        """Return what may be shown."""
        return "<redacted>"

    @property
    def is_placeholder(self) -> bool:
        """Whether it came with an example, so that everybody knows it."""
        return self.value.startswith(PLACEHOLDER)
