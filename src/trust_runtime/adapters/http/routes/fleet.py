"""`GET fleet/matrix`: who sees whom (decision 68)."""

from starlette.responses import Response

from trust_runtime.adapters.http.answers import json_answer
from trust_runtime.adapters.http.endpoint import Asked, Backend


async def get_matrix(_asked: Asked, backend: Backend) -> Response:
    """Return N x N: what each runtime sees of each other one, and why."""
    return json_answer(await backend.watching.views.matrix())
