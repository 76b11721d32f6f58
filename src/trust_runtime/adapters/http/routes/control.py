"""`control/proxy` and `/api/control`: one control request over HTTP (contract 6.16, 14.3)."""

from starlette.responses import Response

from trust_runtime.adapters.http.answers import audit_header, json_answer
from trust_runtime.adapters.http.bodies import to_contract
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.adapters.http.targets import unanswered
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.proxies import DirectRequest, NotProxied, ProxyRequest
from trust_runtime.contracts.results import ControlReply


async def post_proxy(asked: Asked, backend: Backend) -> Response | Refusal:
    """Have a verb run at any runtime; 200 with its reply, also when that is not ok."""
    wanted = to_contract(asked.body, ProxyRequest, unsigned=("query_budget_ms",))
    return _told(await backend.operating.proxies.proxy(wanted, asked.caller))


async def post_control(asked: Asked, backend: Backend) -> Response | Refusal:
    """Have a verb run here; 200 with its reply, also when that is not ok."""
    wanted = to_contract(asked.body, DirectRequest, unsigned=("id",))
    return _told(await backend.operating.proxies.control(wanted, asked.caller))


def _told(answer: ControlReply | Unanswered | NotProxied) -> Response | Refusal:
    if isinstance(answer, Unanswered):
        return unanswered(answer)
    if isinstance(answer, NotProxied):
        return refusal_of(answer.denial, headers=audit_header(answer.audit_id))
    return json_answer(answer, headers=audit_header(answer.audit_id))
