"""Measures by beacons how far the clocks of others are from the own ones (contract 5.3, 5.6)."""

from collections.abc import Iterable
from typing import Final

from trust_runtime.contracts.envelope import BroadcastClaims
from trust_runtime.contracts.presence import BeaconStatus
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.ports.clock import Clock
from trust_runtime.services.peer import WALL_STEP_NS, Peer

_BACKLOG_NS: Final = 250 * NS_PER_MS
"""For that long after a stall what comes in may have waited for its end."""


class Offsets:
    """Knows when a measurement means nothing: the own clock was set, or the process stood still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall_minus_monotonic_ns: int | None = None
        self._stall_over_ns = 0

    def note_stall(self) -> None:
        """Note that this process stood still until now."""
        self._stall_over_ns = self._clock.monotonic_ns() + _BACKLOG_NS

    def measure(
        self, peer: Peer, claims: BroadcastClaims, status: BeaconStatus, *, others: Iterable[Peer]
    ) -> None:
        """Measure by one beacon of a peer, before it is adopted.

        Args:
            peer: who sent it.
            claims: of the beacon.
            status: its body.
            others: everybody whose measurements are void once the own clock was set.
        """
        wall_ns, now_ns = self._clock.wall_ns(), self._clock.monotonic_ns()
        base_ns, before_ns = wall_ns - now_ns, self._wall_minus_monotonic_ns
        if before_ns is None or abs(base_ns - before_ns) > WALL_STEP_NS:
            # The own wall clock stepped: what was measured before the step means nothing now.
            self._wall_minus_monotonic_ns = base_ns
            for other in others:
                other.offsets_ns.clear()
        uptime_ns = status.uptime_ms * NS_PER_MS
        # What waited here while this process stood still tells nothing of when it was sent.
        waited = now_ns < self._stall_over_ns
        peer.note_offsets(
            wall_ns - claims.sent_ns,
            None if waited else now_ns - uptime_ns,
            boot=claims.boot_id,
            started_ns=claims.sent_ns - uptime_ns,
        )
