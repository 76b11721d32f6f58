"""Is a signed action meant for us, now, for the first time (contract 5.6). Pure."""

from typing import Final

from msgspec import Struct

from trust_runtime.contracts.actions import QUERY_BUDGET_MS_MAX
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.envelope import ActionClaims, SignerFacts
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.units import (
    CLOCK_SKEW_MS_MAX,
    NS_PER_MS,
    NS_PER_S,
    MonotonicNs,
    WallNs,
)


class ReceiptFacts(Struct, frozen=True, kw_only=True):
    """What the receiver knows when an action arrives."""

    own: RuntimeId
    """The receiver."""

    body_digest: str
    """`sha256:` of the body bytes received."""

    now_ns: WallNs
    """The receiver's wall clock."""

    offset_ns: int | None
    """Receiver's clock minus origin's, measured by beacons; None before the first beacon."""

    own_ns: MonotonicNs
    """The receiver's monotonic clock."""

    uptime_offset_ns: int | None
    """Receiver's monotonic clock minus the uptime of the incarnation that sent the message,
    measured by its beacons; None before the first."""

    has_effect: bool
    """Whether what is asked changes anything; a late answer to a question harms nobody."""

    low_water_s: int
    """`iat` below which the ledger was pruned."""

    jti_seen: bool
    """This very sending was received before."""


_SKEW_NS_MAX: Final = CLOCK_SKEW_MS_MAX * NS_PER_MS
_DEADLINE_NS_MAX: Final = QUERY_BUDGET_MS_MAX * NS_PER_MS + 2 * NS_PER_S
"""From the send time, which is rounded down to a second; no origin waits longer."""


def judge_receipt(claims: ActionClaims, signer: SignerFacts, facts: ReceiptFacts) -> Denial | None:
    """Return why the sending is refused before any policy, or None; first failing rule."""
    if claims.aud != spiffe_id(facts.own):
        return deny(
            DenialCode.PERMISSION_DENIED,
            f"the message is for {claims.aud}, not for {spiffe_id(facts.own)}",
            "address the runtime by its own id",
        )
    if claims.iss != spiffe_id(signer.runtime_id):
        return deny(DenialCode.PERMISSION_DENIED, f"{claims.iss} is not who signed the message")
    if claims.digest != facts.body_digest:
        return deny(DenialCode.CONTRACT_VIOLATION, "the body is not the one that was signed")
    skew = _skew_denial(claims, facts)
    if skew is not None:
        return skew
    if claims.deadline_ns - claims.iat * NS_PER_S > _DEADLINE_NS_MAX:
        return deny(DenialCode.CONTRACT_VIOLATION, "the deadline is too far from the send time")
    if claims.iat < facts.low_water_s:
        return deny(
            DenialCode.TIMEOUT,
            "the message is older than what the ledger remembers",
            "send the request anew, under a new request_id",
        )
    if facts.has_effect and facts.uptime_offset_ns is None:
        return deny(
            DenialCode.STALE_DATA,
            f"{signer.runtime_id} was not heard yet since its start: nobody can tell here"
            " when the deadline is",
            "ask again in a second",
        )
    if time_left_ns(claims, facts) <= 0:
        return deny(DenialCode.TIMEOUT, "the deadline had passed when the message was read")
    if facts.jti_seen:
        return deny(DenialCode.CONFLICT, "this very message was received before")
    return None


def time_left_ns(claims: ActionClaims, facts: ReceiptFacts) -> int:
    """Return how long the deadline is off, in nanoseconds; 0 or less once it has passed.

    By the monotonic clocks of both, which nobody sets; by the wall clocks and their measured
    offset where the sending incarnation was not heard yet.
    """
    if facts.uptime_offset_ns is not None:
        return claims.deadline_uptime_ns + facts.uptime_offset_ns - facts.own_ns
    return claims.deadline_ns + (facts.offset_ns or 0) - facts.now_ns


def _skew_denial(claims: ActionClaims, facts: ReceiptFacts) -> Denial | None:
    if facts.offset_ns is None:
        # Without a measurement the send time itself must be near, a second of rounding apart.
        skew_ns = facts.now_ns - claims.iat * NS_PER_S
        if -_SKEW_NS_MAX <= skew_ns <= _SKEW_NS_MAX + NS_PER_S:
            return None
    else:
        skew_ns = facts.offset_ns
        # A send time that is still to come by the measured clock would outlive every pruning.
        early_ns = claims.iat * NS_PER_S + skew_ns - facts.now_ns
        if abs(skew_ns) <= _SKEW_NS_MAX and early_ns <= _SKEW_NS_MAX:
            return None
        skew_ns = skew_ns if abs(skew_ns) > _SKEW_NS_MAX else -early_ns
    return deny(
        DenialCode.STALE_DATA,
        f"the origin's clock differs by {-skew_ns // NS_PER_MS} ms,"
        f" more than {CLOCK_SKEW_MS_MAX} ms",
        "set the clock",
    )
