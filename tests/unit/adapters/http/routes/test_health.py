"""`GET /healthz` and `GET /readyz` (contract 6.19)."""

import pytest

from http_client import Behind, serving
from trust_runtime.contracts.answers import Readiness
from trust_runtime.contracts.denial import DenialCode


@pytest.mark.anyio
async def test_health_is_the_answer_itself_even_when_nothing_works() -> None:
    async with serving(Behind(fault=RuntimeError("down"))) as served:
        reply = await served.ask("GET", "/healthz")
    assert (reply.status, reply.raw) == (200, b'{"ok":true}')


@pytest.mark.anyio
async def test_ready_shows_every_check() -> None:
    checks = {"engine": "absent", "mesh": "open"}
    async with serving(Behind(ready=Readiness(ok=True, checks=checks))) as served:
        reply = await served.ask("GET", "/readyz")
    assert (reply.status, reply.json) == (200, {"ok": True, "checks": checks})


@pytest.mark.anyio
@pytest.mark.parametrize("code", [DenialCode.TRANSPORT_FAILURE, DenialCode.NOT_CONFIGURED])
async def test_not_ready_is_503_with_code_and_checks(code: DenialCode) -> None:
    checks = {"engine": "absent", "state_db": "cannot write state.db"}
    ready = Readiness(ok=False, checks=checks, denial_code=code)
    async with serving(Behind(ready=ready)) as served:
        reply = await served.ask("GET", "/readyz")
    assert reply.status == 503
    assert reply.json["ok"] is False
    assert reply.json["denial_code"] == code.value
    assert reply.json["checks"] == checks
    assert "cannot write state.db" in reply.json["error"]
    assert reply.json["remedy"]
