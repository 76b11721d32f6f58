"""Decide what a request means against what the ledger remembers of it (contract 8.7)."""

from typing import Any, assert_never

from trust_runtime.contracts.codec import digest as digest_of
from trust_runtime.contracts.ledger import LedgerEntry, LedgerState, LedgerVerdict


def request_digest(action_type: str, payload: Any) -> str:
    """Return what makes two requests the same one."""
    return digest_of({"action_type": action_type, "payload": payload})


def decide_ledger(
    entry: LedgerEntry | None, *, digest: str, iat_s: int, low_water_s: int
) -> LedgerVerdict:
    """Return whether a request is new, a repetition, or must be refused.

    Args:
        entry: what is remembered under its key; None if nothing is.
        digest: of the request's `{action_type, op, payload}`.
        iat_s: when its envelope was issued, seconds since the epoch.
        low_water_s: `iat` below which entries were pruned. An older request without entry may
            have been executed and forgotten, so it never counts as new.
    """
    if entry is None:
        return LedgerVerdict.TOO_OLD if iat_s < low_water_s else LedgerVerdict.FIRST
    if entry.digest != digest:
        return LedgerVerdict.CONFLICT
    match entry.state:
        case LedgerState.RUNNING:
            return LedgerVerdict.RUNNING
        case LedgerState.DONE:
            return LedgerVerdict.REPLAY
        case _:
            assert_never(entry.state)
