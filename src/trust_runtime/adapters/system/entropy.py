"""UUIDv7 and chance from the operating system. Implements `ports.entropy.Entropy`."""

import os
from threading import Lock
from typing import Final

from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.ports.clock import Clock

_CHANCE_BITS: Final = 74  # rand_a and rand_b of RFC 9562, section 5.7.
_LOW_BITS: Final = 62
_STEP_BYTES: Final = 4
_FRACTION_BITS: Final = 53  # What a float's mantissa holds.


class SystemEntropy:
    """Chance from `os.urandom`; ids that sort in the order they were made in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._last_ms = -1
        self._last_chance = 0

    def uuid7(self) -> str:
        """See `Entropy.uuid7`.

        RFC 9562, section 6.2, method 2: within one millisecond, or while the wall clock steps
        back, the random part grows by a random step instead of being drawn anew.
        """
        with self._lock:
            now_ms = self._clock.wall_ns() // NS_PER_MS
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                # The highest bit starts as 0, so that steps do not soon overflow.
                self._last_chance = _chance(_CHANCE_BITS - 1)
            else:
                self._step()
            return _text(self._last_ms, self._last_chance)

    def secret(self, length: int) -> bytes:
        """See `Secrets.secret`."""
        return os.urandom(length)

    def fraction(self) -> float:
        """See `Entropy.fraction`."""
        return _chance(_FRACTION_BITS) / (1 << _FRACTION_BITS)

    def _step(self) -> None:
        self._last_chance += 1 + int.from_bytes(os.urandom(_STEP_BYTES), "big")
        if self._last_chance >> _CHANCE_BITS:
            self._last_ms += 1
            self._last_chance = _chance(_CHANCE_BITS - 1)


def _chance(bits: int) -> int:
    length = (bits + 7) // 8
    return int.from_bytes(os.urandom(length), "big") >> (8 * length - bits)


def _text(unix_ms: int, chance: int) -> str:
    high = chance >> _LOW_BITS
    low = chance & ((1 << _LOW_BITS) - 1)
    digits = f"{unix_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
