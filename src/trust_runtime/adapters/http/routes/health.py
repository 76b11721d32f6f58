"""`GET /healthz` and `GET /readyz`: open to everybody, they tell nothing secret (contract 6.19)."""

from msgspec import structs
from starlette.responses import Response

from trust_runtime.adapters.http.answers import json_answer
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refuse
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.pages import Alive, Ready


async def get_healthz(_asked: Asked, _backend: Backend) -> Response:
    """Answer; that is all there is to it."""
    return json_answer(Alive(ok=True))


async def get_readyz(_asked: Asked, backend: Backend) -> Response | Refusal:
    """Return 200 with every check when all pass, else 503 naming what does not."""
    readiness = backend.readiness()
    if readiness.ok:
        return json_answer(Ready(ok=True, checks=readiness.checks))
    checks = ", ".join(f"{name}: {said}" for name, said in readiness.checks.items())
    refusal = refuse(
        readiness.denial_code or DenialCode.TRANSPORT_FAILURE,
        f"{backend.own} is not ready ({checks})",
        "mend what the checks name; see the log of the runtime",
    )
    return structs.replace(refusal, members={"checks": readiness.checks})
