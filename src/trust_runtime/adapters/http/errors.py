"""Refusals as HTTP: one table from code to status, one envelope (contract 6.2)."""

import http
import math
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from starlette.responses import Response

from trust_runtime.adapters.http.answers import json_answer
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.units import MS_PER_S

STATUS: Final[Mapping[DenialCode, int]] = {
    DenialCode.NOT_CONFIGURED: 503,
    DenialCode.CONTRACT_VIOLATION: 400,
    DenialCode.SCHEMA_MISMATCH: 403,
    DenialCode.PERMISSION_DENIED: 403,
    DenialCode.TIMEOUT: 504,
    DenialCode.PEER_NOT_AVAILABLE: 404,
    DenialCode.TRANSPORT_FAILURE: 503,
    DenialCode.STALE_DATA: 403,
    DenialCode.CONFLICT: 409,
    DenialCode.ACL_DENIED_CFG_WRITE: 403,
    DenialCode.TARGET_UNREACHABLE: 503,
    DenialCode.REVISION_CONFLICT: 409,
    DenialCode.LEASE_UNAVAILABLE: 403,
    DenialCode.OVERLOADED: 503,
}
"""The status of each code where the contract names no other for the place it comes from."""

OVERLOAD_RETRY_MS: Final = 1_000
"""When a client that met a limit may ask again, in milliseconds."""


class Refusal(Struct, frozen=True, kw_only=True):
    """A denial on its way out."""

    denial: Denial
    """Why."""

    status: int
    """HTTP status, 4xx or 5xx."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers, `Allow` for example."""

    members: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the envelope that the endpoint defines."""


def refuse(code: DenialCode, reason: str, remedy: str | None = None) -> Refusal:
    """Return a refusal with the standard status of its code."""
    return refusal_of(deny(code, reason, remedy))


def refuse_malformed(reason: str) -> Refusal:
    """Return the refusal of what is no request."""
    return refuse(DenialCode.CONTRACT_VIOLATION, reason, "send HTTP/1.1 as RFC 9112 has it")


def refuse_as(status: int, reason: str, remedy: str) -> Refusal:
    """Return a `contract_violation` with another status than 400 (404, 405, 413, 415)."""
    return Refusal(denial=deny(DenialCode.CONTRACT_VIOLATION, reason, remedy), status=status)


def refusal_of(denial: Denial, *, headers: Mapping[str, str] | None = None) -> Refusal:
    """Return the refusal of a denial that a service gave."""
    return Refusal(denial=denial, status=STATUS[denial.code], headers=headers or {})


def to_response(refusal: Refusal, *, request_id: str | None = None) -> Response:
    """Return the uniform error answer.

    Args:
        refusal: what to say.
        request_id: the caller's id, when the request had a usable one.
    """
    denial = refusal.denial
    envelope: dict[str, Any] = {
        "ok": False,
        "denial_code": denial.code,
        "error": denial.reason,
        "remedy": denial.remedy,
    }
    if request_id is not None:
        envelope["request_id"] = request_id
    headers = dict(refusal.headers)
    if denial.retry_after_ms is not None:
        headers["retry-after"] = str(math.ceil(denial.retry_after_ms / MS_PER_S))
    return json_answer({**envelope, **refusal.members}, status=refusal.status, headers=headers)


def to_bytes(refusal: Refusal) -> bytes:
    """Return the error answer as it stands on the wire, for a connection that ends with it."""
    response = to_response(refusal)
    phrase = http.HTTPStatus(refusal.status).phrase
    lines = [f"HTTP/1.1 {refusal.status} {phrase}".encode("ascii")]
    lines += [name + b": " + value for name, value in response.raw_headers]
    lines += [b"connection: close", b"", bytes(response.body)]
    return b"\r\n".join(lines)
