"""Time that only moves when it is told to. Implements `ports.clock.Clock`."""

from typing import Final

from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs, WallNs

WALL_START_NS: Final = 1_790_000_000_000_000_000
"""Wall clock at the true time 0; what a fake identity is valid around."""

_MILLION: Final = 1_000_000


class TrueTime:
    """The instant it really is, for everybody in one test or one simulation."""

    def __init__(self) -> None:
        self.now_ns = 0

    def advance_ms(self, length_ms: float) -> None:
        """Let time pass."""
        self.now_ns += round(length_ms * NS_PER_MS)


class FakeClock:
    """The two clocks of one machine.

    Its monotonic clock starts at `booted_ns` and runs `drift_ppm` too fast; its wall clock is
    `wall_error_ms` away from the true one and can be stepped.
    """

    def __init__(
        self,
        time: TrueTime | None = None,
        *,
        booted_ns: int = 0,
        wall_error_ms: int = 0,
        drift_ppm: int = 0,
    ) -> None:
        self.time = TrueTime() if time is None else time
        self._booted_ns = booted_ns
        self._drift_ppm = drift_ppm
        self._first_error_ns = wall_error_ms * NS_PER_MS
        self._wall_error_ns = self._first_error_ns

    def monotonic_ns(self) -> MonotonicNs:
        """See `Clock.monotonic_ns`."""
        now_ns = self.time.now_ns
        return MonotonicNs(self._booted_ns + now_ns + now_ns * self._drift_ppm // _MILLION)

    def wall_ns(self) -> WallNs:
        """See `Clock.wall_ns`."""
        now_ns = self.time.now_ns
        elapsed_ns = now_ns + now_ns * self._drift_ppm // _MILLION
        return WallNs(WALL_START_NS + elapsed_ns + self._wall_error_ns)

    def advance_ms(self, length_ms: float) -> None:
        """Let time pass for everybody who shares this clock's true time."""
        self.time.advance_ms(length_ms)

    def step_wall_ms(self, step_ms: int) -> None:
        """Set the wall clock forward, or back with a negative step."""
        self._wall_error_ns += step_ms * NS_PER_MS

    def undo_wall_steps(self) -> None:
        """Bring the wall clock back to where it would be without any step."""
        self._wall_error_ns = self._first_error_ns
