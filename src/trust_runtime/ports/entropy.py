"""Ids and chance."""

from typing import Protocol


class Entropy(Protocol):
    """A source of unpredictable values; callable from any thread."""

    def uuid7(self) -> str:
        """Return a new UUIDv7 (RFC 9562) as lower-case text; later ones sort later."""
        ...

    def fraction(self) -> float:
        """Return a number in [0, 1), for jitter."""
        ...


class Secrets(Entropy, Protocol):
    """Chance that is good enough for tokens."""

    def secret(self, length: int) -> bytes:
        """Return so many bytes that nobody can guess."""
        ...
