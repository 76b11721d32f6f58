"""Chance that repeats itself. Implements `ports.entropy.Entropy`."""

from random import Random
from typing import Final

from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.ports.clock import Clock

_CHANCE_BITS: Final = 74
_LOW_BITS: Final = 62
_STEP_BITS: Final = 32
_GROUPS: Final = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""Hex digits between the dashes of a UUID."""


class FakeEntropy:
    """Equal seeds and equal clocks give equal values; ids sort in the order they were made."""

    def __init__(self, clock: Clock, seed: int | str = 0) -> None:
        self._clock = clock
        self._random = Random(seed)  # noqa: S311 - repeatable is what it is for
        self._last_ms = -1
        self._last_chance = 0

    def uuid7(self) -> str:
        """See `Entropy.uuid7`."""
        now_ms = self._clock.wall_ns() // NS_PER_MS
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            self._last_chance = self._random.getrandbits(_CHANCE_BITS - 1)
        else:
            self._last_chance += 1 + self._random.getrandbits(_STEP_BITS)
        high = self._last_chance >> _LOW_BITS
        low = self._last_chance & ((1 << _LOW_BITS) - 1)
        layout = self._last_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
        digits = f"{layout:032x}"
        return "-".join(digits[start:end] for start, end in _GROUPS)

    def secret(self, length: int) -> bytes:
        """See `Secrets.secret`."""
        return self._random.randbytes(length)

    def fraction(self) -> float:
        """See `Entropy.fraction`."""
        return self._random.random()
