"""What a window of probes says of a link (contract 7.3)."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from trust_runtime.contracts.presence import Lifecycle, LinkState

WINDOW: Final = 64
ANSWERS_MIN: Final = 5
DEGRADED_LOSS_PCT: Final = 5.0
DEGRADED_LATENCY_MS: Final = 250.0
_PERCENTILE: Final = 0.95


def measure(window: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Return p95 round trip (ms) and loss (%), or None for both before five answers.

    Args:
        window: the newest probes, oldest first; None for an unanswered one.
    """
    answered = sorted(trip for trip in window if trip is not None)
    if len(answered) < ANSWERS_MIN:
        return None, None
    rank = ceil(_PERCENTILE * len(answered))
    loss = 100.0 * (len(window) - len(answered)) / len(window)
    return round(answered[rank - 1], 3), round(loss, 2)


def decide_link(
    lifecycle: Lifecycle,
    *,
    trusted: bool,
    latency_ms: float | None,
    loss_pct: float | None,
) -> LinkState:
    """Return how a link to a peer of that lifecycle does."""
    if lifecycle in (Lifecycle.OFFLINE, Lifecycle.PARTITIONED):
        return LinkState.FAILED
    if lifecycle is Lifecycle.STALE:
        return LinkState.STALE
    lossy = loss_pct is not None and loss_pct > DEGRADED_LOSS_PCT
    slow = latency_ms is not None and latency_ms > DEGRADED_LATENCY_MS
    if lossy or slow or not trusted:
        return LinkState.DEGRADED
    return LinkState.HEALTHY
