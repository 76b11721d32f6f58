"""Why a runtime addressed by name gave no answer of its own, as HTTP (contract 6.5)."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from trust_runtime.adapters.http.answers import audit_header
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.denial import DenialCode

PRIVILEGED: Final[Mapping[str, str]] = {"required_action": "privileged_write_required"}
"""What a writer of configuration is told whose role is too low (contract 11.3)."""

_FORBIDDEN: Final = 403


def unanswered(found: Unanswered) -> Refusal:
    """Return 403 with the whole decision for what was refused, else the status of its code."""
    refusal = structs.replace(refusal_of(found.denial), headers=audit_header(found.audit_id))
    if not found.refused:
        return refusal
    denial = found.denial
    members: dict[str, Any] = {"denial_reason": denial.reason, "preflight": found.preflight}
    if denial.code is DenialCode.ACL_DENIED_CFG_WRITE:
        members |= PRIVILEGED
    return structs.replace(refusal, status=_FORBIDDEN, members=members)
