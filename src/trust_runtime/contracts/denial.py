"""Why something is refused: a code, a reason for people, and the remedy (contract 8.4)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct


@unique
class DenialCode(StrEnum):
    """The fourteen reason codes; clients branch on these, never on texts."""

    NOT_CONFIGURED = "not_configured"
    CONTRACT_VIOLATION = "contract_violation"
    SCHEMA_MISMATCH = "schema_mismatch"
    PERMISSION_DENIED = "permission_denied"
    TIMEOUT = "timeout"
    PEER_NOT_AVAILABLE = "peer_not_available"
    TRANSPORT_FAILURE = "transport_failure"
    STALE_DATA = "stale_data"
    CONFLICT = "conflict"
    ACL_DENIED_CFG_WRITE = "acl_denied_cfg_write"
    TARGET_UNREACHABLE = "target_unreachable"
    REVISION_CONFLICT = "revision_conflict"
    LEASE_UNAVAILABLE = "lease_unavailable"
    OVERLOADED = "overloaded"


STANDARD_REMEDY: Final[dict[DenialCode, str]] = {
    DenialCode.NOT_CONFIGURED: "complete the set-up named, then retry",
    DenialCode.CONTRACT_VIOLATION: "correct the request as described",
    DenialCode.SCHEMA_MISMATCH: "read the target's schema and rebuild the request",
    DenialCode.PERMISSION_DENIED: "obtain the role or rule named",
    DenialCode.TIMEOUT: "ask again with the same request_id",
    DenialCode.PEER_NOT_AVAILABLE: "check the id",
    DenialCode.TRANSPORT_FAILURE: "check mesh, TLS material and disk",
    DenialCode.STALE_DATA: "wait until it is online again",
    DenialCode.CONFLICT: "read the present state and decide again",
    DenialCode.ACL_DENIED_CFG_WRITE: "obtain role engineer or admin as named",
    DenialCode.TARGET_UNREACHABLE: "start it, check discovery and mesh.connect",
    DenialCode.REVISION_CONFLICT: "rebase on the current desired document",
    DenialCode.LEASE_UNAVAILABLE: "restore the lease store or wait for a holder",
    DenialCode.OVERLOADED: "retry after the time given",
}


class Denial(Struct, frozen=True, kw_only=True):
    """One refusal, as a value."""

    code: DenialCode
    """What clients branch on."""

    reason: str
    """For people; names the offending thing."""

    remedy: str
    """What to do about it."""

    retry_after_ms: int | None = None
    """When asking again may help, in milliseconds from now; None when time alone will not."""


def deny(
    code: DenialCode, reason: str, remedy: str | None = None, *, retry_after_ms: int | None = None
) -> Denial:
    """Return a denial; without `remedy` the standard one of its code."""
    return Denial(
        code=code,
        reason=reason,
        remedy=remedy if remedy is not None else STANDARD_REMEDY[code],
        retry_after_ms=retry_after_ms,
    )
