"""Time."""

from typing import Protocol

from trust_runtime.contracts.units import MonotonicNs, WallNs


class Clock(Protocol):
    """Reads two clocks; never blocks, callable from any thread."""

    def monotonic_ns(self) -> MonotonicNs:
        """Return this process's monotonic clock, which no step of the wall clock moves."""
        ...

    def wall_ns(self) -> WallNs:
        """Return the wall clock, which may jump either way."""
        ...
