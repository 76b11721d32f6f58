"""`control/proxy` and `/api/control` (contract 6.16, 14.3)."""

from typing import Any

import pytest

from http_client import CLOUD, serving
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.proxies import (
    ControlRequest,
    DirectRequest,
    NotProxied,
    ProxyRequest,
)
from trust_runtime.contracts.results import ControlReply
from unit.adapters.http.routes.test_io import DECIDED

pytestmark = pytest.mark.anyio

ADMIN = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
PROXY: dict[str, Any] = {
    "api_version": "1.0",
    "actor": "spiffe://trust/default-site/anna",
    "target_runtime": "runtime-b",
    "control_request": {"type": "config.get", "params": {"keys": ["log.level"]}},
}
DIRECT: dict[str, Any] = {"id": 7, "type": "status"}
BOTH = pytest.mark.parametrize(
    ("path", "body"), [(f"{CLOUD}/control/proxy", PROXY), ("/api/control", DIRECT)]
)


async def test_a_proxied_verb_reaches_the_service_as_its_contract() -> None:
    body = {**PROXY, "query_budget_ms": 700, "ha": {"group_id": "g"}}
    body["control_request"] = {**PROXY["control_request"], "request_id": "p-1"}
    async with serving() as served:
        served.behind.operated.answer = ControlReply(id=1, ok=True)
        reply = await served.ask("POST", f"{CLOUD}/control/proxy", body)
    assert reply.status == 200
    wanted = ProxyRequest(
        api_version="1.0",
        actor="spiffe://trust/default-site/anna",
        target_runtime="runtime-b",
        control_request=ControlRequest(
            type="config.get", params={"keys": ["log.level"]}, request_id="p-1"
        ),
        query_budget_ms=700,
        ha={"group_id": "g"},
    )
    assert served.behind.operated.asked == [("proxy", wanted, ADMIN)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (DIRECT, DirectRequest(id=7, type="status")),
        ({"type": "status"}, DirectRequest(type="status")),
        (
            {"type": "shutdown", "params": {"confirm": True}, "request_id": "c-1"},
            DirectRequest(type="shutdown", params={"confirm": True}, request_id="c-1"),
        ),
    ],
)
async def test_a_direct_verb_reaches_the_service_as_its_contract(
    body: dict[str, Any], wanted: DirectRequest
) -> None:
    async with serving() as served:
        served.behind.operated.answer = ControlReply(id=7, ok=True)
        reply = await served.ask("POST", "/api/control", body)
    assert reply.status == 200
    assert served.behind.operated.asked == [("control", wanted, ADMIN)]


@BOTH
@pytest.mark.parametrize(
    "said",
    [
        ControlReply(id=1, ok=True, audit_id="audit-2", result={"state": "ready"}),
        ControlReply(
            id=1,
            ok=False,
            audit_id="audit-2",
            error="broken",
            denial_code=DenialCode.TRANSPORT_FAILURE,
        ),
    ],
)
async def test_what_the_verb_says_is_200_either_way(
    path: str, body: dict[str, Any], said: ControlReply
) -> None:
    async with serving() as served:
        served.behind.operated.answer = said
        reply = await served.ask("POST", path, body)
    assert (reply.status, reply.json["ok"]) == (200, said.ok)
    assert reply.headers["x-trust-audit-id"] == "audit-2"
    assert reply.json.get("denial_code") == said.denial_code


@BOTH
@pytest.mark.parametrize(
    ("code", "refused", "status"),
    [
        (DenialCode.PERMISSION_DENIED, True, 403),
        (DenialCode.NOT_CONFIGURED, True, 403),
        (DenialCode.CONFLICT, False, 409),
        (DenialCode.TIMEOUT, False, 504),
        (DenialCode.TARGET_UNREACHABLE, False, 503),
    ],
)
async def test_a_denial_shows_the_decision_and_a_silence_its_code(
    path: str, body: dict[str, Any], code: DenialCode, *, refused: bool, status: int
) -> None:
    denial = deny(code, "why", retry_after_ms=1_000)
    async with serving() as served:
        served.behind.operated.answer = Unanswered(
            denial=denial, refused=refused, preflight=DECIDED, audit_id="audit-9"
        )
        reply = await served.ask("POST", path, body)
    assert (reply.status, reply.json["denial_code"]) == (status, code)
    assert ("preflight" in reply.json) is refused
    assert reply.headers["retry-after"] == "1"
    assert reply.headers["x-trust-audit-id"] == "audit-9"


@BOTH
async def test_a_request_that_is_none_is_400(path: str, body: dict[str, Any]) -> None:
    denial = deny(DenialCode.CONTRACT_VIOLATION, "verb 'x' is unknown")
    async with serving() as served:
        served.behind.operated.answer = NotProxied(denial=denial, audit_id="audit-4")
        reply = await served.ask("POST", path, body)
    assert (reply.status, reply.json["error"]) == (400, "verb 'x' is unknown")
    assert reply.headers["x-trust-audit-id"] == "audit-4"


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/api/control", {**DIRECT, "auth": "secret"}, "auth"),
        ("/api/control", {"id": -1, "type": "status"}, "id"),
        ("/api/control", {"params": {}}, "type"),
        (f"{CLOUD}/control/proxy", {**PROXY, "control_request": {"params": {}}}, "type"),
        (f"{CLOUD}/control/proxy", {**PROXY, "query_budget_ms": -1}, "query_budget_ms"),
        (f"{CLOUD}/control/proxy", {**PROXY, "target_runtimes": []}, "target_runtime"),
    ],
)
async def test_a_misfit_is_400_and_named(path: str, body: dict[str, Any], named: str) -> None:
    async with serving() as served:
        reply = await served.ask("POST", path, body)
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
    assert named in reply.json["error"]
    assert served.behind.operated.asked == []
