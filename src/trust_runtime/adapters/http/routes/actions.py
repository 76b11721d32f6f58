"""`actions/preflight`, `actions/dispatch` and `actions/{request_id}` (contract 6.7 to 6.9)."""

from starlette.responses import Response

from trust_runtime.adapters.http.answers import audit_header, json_answer
from trust_runtime.adapters.http.bodies import to_contract
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refuse
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.denial import DenialCode


async def post_preflight(asked: Asked, backend: Backend) -> Response:
    """Return the decision; equal requests on equal facts get equal bytes."""
    return json_answer(await backend.actions.preflight(_request(asked), asked.caller))


async def post_dispatch(asked: Asked, backend: Backend) -> Response:
    """Return exactly one result per target; the header names the record of a single one."""
    report = await backend.actions.dispatch(_request(asked), asked.caller)
    audit_id = report.results[0].audit_id if len(report.results) == 1 else None
    return json_answer(report, headers=audit_header(audit_id))


async def get_action(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return the last dispatch of a request id here; the truth replaces a timeout."""
    request_id = asked.path["request_id"]
    row = await backend.operating.rows.find(request_id)
    if row is None:
        return refuse(
            DenialCode.PEER_NOT_AVAILABLE,
            f"{backend.own} knows no dispatch {request_id!r}",
            "check the id, and ask the runtime that dispatched it",
        )
    return json_answer(row)


def _request(asked: Asked) -> ActionRequest:
    return to_contract(asked.body, ActionRequest, unsigned=("query_budget_ms",))
