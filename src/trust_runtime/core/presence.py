"""Decide how alive a peer looks. Pure: the caller brings the evidence and the time."""

from collections.abc import Mapping
from typing import Final

from trust_runtime.contracts.ids import BootId
from trust_runtime.contracts.presence import Lifecycle, PeerEvidence, PresenceLimits
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs

DUPLICATE_GRACE_MS: Final = 5_000
"""How long two incarnations with one key may overlap: a restart seen late (contract 2.4)."""


def decide_lifecycle(
    evidence: PeerEvidence | None, limits: PresenceLimits, *, now_ns: MonotonicNs
) -> Lifecycle:
    """Return the verdict on one peer at `now_ns`; a peer never heard of is offline (5.3)."""
    if evidence is None or evidence.left_cleanly:
        return Lifecycle.OFFLINE
    stale_from_ns = _stale_from_ns(evidence, limits)
    if stale_from_ns is None:
        return Lifecycle.OFFLINE
    if now_ns < stale_from_ns:
        return Lifecycle.ONLINE
    if now_ns - stale_from_ns < limits.partition_after_ms * NS_PER_MS:
        return Lifecycle.STALE
    return Lifecycle.PARTITIONED


def next_change_ns(
    evidence: PeerEvidence, limits: PresenceLimits, *, now_ns: MonotonicNs
) -> int | None:
    """Return when silence alone would next change the verdict, or None when it cannot."""
    stale_from_ns = _stale_from_ns(evidence, limits)
    if evidence.left_cleanly or stale_from_ns is None:
        return None
    partitioned_from_ns = stale_from_ns + limits.partition_after_ms * NS_PER_MS
    for instant in (stale_from_ns, partitioned_from_ns):
        if now_ns < instant:
            return instant
    return None


def is_duplicate(
    tokens_since_ns: Mapping[BootId, MonotonicNs],
    pins: Mapping[BootId, str],
    *,
    now_ns: MonotonicNs,
) -> bool:
    """Tell whether several processes run under one id (contract 2.4).

    Only incarnations that sent a valid beacon count: a forged token makes no duplicate.

    Args:
        tokens_since_ns: every incarnation whose token is held, and since when.
        pins: key of each incarnation of which a valid beacon was seen.
        now_ns: the observer's clock.
    """
    proven = sorted(since for boot, since in tokens_since_ns.items() if boot in pins)
    if len(proven) < 2:  # noqa: PLR2004 - a duplicate takes two
        return False
    if len({pins[boot] for boot in tokens_since_ns if boot in pins}) > 1:
        return True
    return now_ns - proven[1] > DUPLICATE_GRACE_MS * NS_PER_MS


def forgiven_ms(evidence: PeerEvidence, limits: PresenceLimits) -> int:
    """Return how long, in milliseconds, a peer may say nothing and still count as online."""
    return max(2 * evidence.beacon_period_ms, limits.stale_after_ms)


def _stale_from_ns(evidence: PeerEvidence, limits: PresenceLimits) -> int | None:
    """Return the first instant at which the evidence no longer says alive; None: it never did."""
    if evidence.beacon_at_ns is None:
        return evidence.contact_lost_at_ns
    # The rule is "older than", so a beacon exactly that old still counts.
    silent_from_ns = evidence.beacon_at_ns + forgiven_ms(evidence, limits) * NS_PER_MS + 1
    if evidence.contact_lost_at_ns is not None:
        # A token lost after a long silence is no newer contact: the silence came first.
        return min(evidence.contact_lost_at_ns, silent_from_ns)
    if evidence.beacon_boot not in evidence.tokens:
        return evidence.beacon_at_ns
    return silent_from_ns
