"""`GET audit` and `GET audit/{audit_id}` (contract 6.18)."""

from typing import Final

from starlette.responses import Response

from trust_runtime.adapters.http.answers import json_answer
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refuse
from trust_runtime.adapters.http.naming import named_runtime
from trust_runtime.adapters.http.query import whole_number
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.pages import AuditPage, AuditRecords
from trust_runtime.contracts.units import API_VERSION

_ITEMS_DEFAULT: Final = "100"
_ITEMS_MAX: Final = 1_000
_SEQ_MAX: Final = 2**63 - 1


async def get_audit(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return matching records, newest first, and where to go on when there may be more."""
    query = asked.query
    runtime = query.get("runtime")
    if runtime is not None:
        named = named_runtime(runtime, backend)
        if isinstance(named, Refusal):
            return named
        runtime = named
    limit = whole_number("limit", query.get("limit", _ITEMS_DEFAULT), least=1, most=_ITEMS_MAX)
    cursor = query.get("cursor")
    wanted = AuditFilter(
        request_id=query.get("request_id"),
        actor=query.get("actor"),
        runtime=runtime,
        limit=limit,
        before_seq=None
        if cursor is None
        else whole_number("cursor", cursor, least=1, most=_SEQ_MAX),
    )
    records = await backend.audit.list(wanted)
    older = len(records) == limit and records[-1].seq > 1
    return json_answer(
        AuditPage(
            api_version=API_VERSION,
            items=records,
            next_cursor=str(records[-1].seq) if older else None,
        )
    )


async def get_audit_record(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return every record of one audit id that this runtime holds."""
    audit_id = asked.path["audit_id"]
    records = await backend.audit.find(audit_id)
    if not records:
        return refuse(
            DenialCode.PEER_NOT_AVAILABLE,
            f"{backend.own} has no record {audit_id!r}",
            "check the id, and ask the runtime that decided",
        )
    return json_answer(AuditRecords(api_version=API_VERSION, records=records))
