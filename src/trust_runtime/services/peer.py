"""What one process knows of one other runtime."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import msgspec

from trust_runtime.contracts.envelope import BroadcastClaims, SignerFacts
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import BootId
from trust_runtime.contracts.presence import Lifecycle, PeerEvidence, PeerRecord, TrustReason
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.core.probes import WINDOW

_OFFSETS: Final = 64
WALL_STEP_NS: Final = 500 * NS_PER_MS
"""A wall clock that moves that much against its own monotonic clock was set."""

_SEQS_MAX: Final = 32


@dataclass(slots=True)
class Peer:
    """Everything this process knows of one other runtime; owned by `Peers`."""

    record: PeerRecord
    evidence: PeerEvidence = field(default_factory=PeerEvidence)
    tokens_since_ns: dict[BootId, MonotonicNs] = field(default_factory=dict)
    pins: dict[BootId, str] = field(default_factory=dict)
    seqs: dict[tuple[str, BootId], int] = field(default_factory=dict)
    signer: SignerFacts | None = None
    offsets_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_OFFSETS))
    uptime_offsets_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_OFFSETS))
    started_ns: int = 0
    probes: deque[float | None] = field(default_factory=lambda: deque(maxlen=WINDOW))
    probe_ok_ns: int = 0
    edges: tuple[Edge, ...] = ()
    lifecycle: Lifecycle = Lifecycle.OFFLINE
    trust_reason: TrustReason | None = TrustReason.NEVER_SEEN

    @property
    def offset_ns(self) -> int | None:
        """Own clock minus the peer's; the smallest difference has the least transit in it."""
        return min(self.offsets_ns) if self.offsets_ns else None

    def uptime_offset_ns(self, boot: BootId | None) -> int | None:
        """Own monotonic clock minus the uptime of that incarnation; None before its first beacon.

        No step of a wall clock, here or there, moves it.
        """
        if boot is None or boot != self.evidence.beacon_boot or not self.uptime_offsets_ns:
            return None
        return min(self.uptime_offsets_ns)

    @property
    def clock_skew_ms(self) -> int | None:
        """How far the peer's clock is ahead of the own one, in milliseconds."""
        offset_ns = self.offset_ns
        return None if offset_ns is None else -offset_ns // NS_PER_MS

    @property
    def is_heard(self) -> bool:
        """Whether a valid signed message was ever received, or the operator pinned its key."""
        return self.record.status is not None or self.record.pin is not None

    def note_offsets(
        self, offset_ns: int, uptime_offset_ns: int | None, *, boot: BootId, started_ns: int
    ) -> None:
        """Note one measurement of the clocks' differences.

        Args:
            offset_ns: own wall clock minus the peer's, transit included.
            uptime_offset_ns: own monotonic clock minus the peer's uptime, transit included; None
                when that is not what was measured.
            boot: the incarnation it was measured with.
            started_ns: when that process started, by its present wall clock. It moves when that
                clock is set; what was measured before means nothing then.
        """
        is_first = boot != self.evidence.beacon_boot
        if is_first or abs(started_ns - self.started_ns) > WALL_STEP_NS:
            self.offsets_ns.clear()
            self.started_ns = started_ns
        if is_first:
            self.uptime_offsets_ns.clear()
        self.offsets_ns.append(offset_ns)
        if uptime_offset_ns is not None:
            self.uptime_offsets_ns.append(uptime_offset_ns)

    def is_new(self, key: str, claims: BroadcastClaims) -> bool:
        """Tell whether a broadcast is newer than all before it on its key, and remember it."""
        place = (key, claims.boot_id)
        if claims.seq <= self.seqs.get(place, 0):
            return False
        if len(self.seqs) > _SEQS_MAX:
            # Only what is superseded is forgotten: its late messages are refused by that.
            self.seqs = {k: n for k, n in self.seqs.items() if not self.is_superseded(k[1])}
            if len(self.seqs) > _SEQS_MAX:
                self.seqs.clear()
        self.seqs[place] = claims.seq
        return True

    def is_superseded(self, boot: BootId) -> bool:
        """Tell whether a beacon is a late one of an incarnation that is already replaced.

        Incarnations sort by the wall clock of their start, which may have been set back since: an
        incarnation without a token never replaces one that holds its own.
        """
        newest = self.evidence.beacon_boot
        if newest is None or boot == newest or boot in self.tokens_since_ns:
            return False
        return boot < newest or newest in self.tokens_since_ns

    def reason_against(self, signer: SignerFacts, *, now_s: int) -> TrustReason | None:
        """Return why a signer is not accepted as this peer (contract 2.4, dev), or None."""
        if self.record.pin is not None and signer.pin != self.record.pin:
            return TrustReason.IDENTITY_CHANGED
        if not signer.not_before_s <= now_s <= signer.not_after_s:
            return TrustReason.EXPIRED
        return None

    def forgive(self, length_ns: int, *, now_ns: MonotonicNs) -> None:
        """Take back silence of that length; nothing once its contact is known to be lost."""
        at_ns = self.evidence.beacon_at_ns
        if at_ns is not None and self.evidence.contact_lost_at_ns is None:
            shifted = MonotonicNs(min(now_ns, at_ns + length_ns))
            self.evidence = msgspec.structs.replace(self.evidence, beacon_at_ns=shifted)
