"""The clocks of this machine. Implements `ports.clock.Clock`."""

import time

from trust_runtime.contracts.units import MonotonicNs, WallNs


class SystemClock:
    """Reads the operating system's clocks."""

    def monotonic_ns(self) -> MonotonicNs:
        """See `Clock.monotonic_ns`."""
        return MonotonicNs(time.monotonic_ns())

    def wall_ns(self) -> WallNs:
        """See `Clock.wall_ns`."""
        return WallNs(time.time_ns())
