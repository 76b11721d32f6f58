"""`io/config` (contract 6.15)."""

from typing import Any

import pytest

from http_client import CLOUD, OWN, preflight_of, serving
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.answers import Shown, Unanswered
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import IoAnswer, IoDriver, IoOutput, IoSource, IoView, IoWrite
from trust_runtime.contracts.policy import Caller, Role

pytestmark = pytest.mark.anyio

ADMIN = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
PATH = f"{CLOUD}/io/config"
ETAG = "sha256:" + "0" * 64
VIEW = IoView(
    runtime_id="runtime-a",
    driver="loopback",
    params={},
    drivers=(IoDriver(name="loopback"),),
    safe_state=(IoOutput(address="%QX0.0", value="FALSE"),),
    supported_drivers=("loopback", "simulated"),
    source=IoSource.PROJECT,
    use_system_io=False,
    etag=ETAG,
)
WRITE: dict[str, Any] = {
    "api_version": "1.0",
    "actor": "spiffe://trust/default-site/erik",
    "target_runtime": "runtime-b",
    "drivers": [{"name": "loopback"}],
    "safe_state": [{"address": "%QX0.0", "value": "FALSE"}],
}
DECIDED = preflight_of(
    ActionRequest(
        api_version="1.0",
        request_id="r-1",
        connected_via="runtime-a",
        target_runtimes=["runtime-b"],
        actor="me",
        action_type="cfg_apply",
    )
)


@pytest.mark.parametrize(
    ("query", "target"), [("", OWN), ("?target=runtime-b", "runtime-b"), ("?target=a%2Fb", "a/b")]
)
async def test_the_runtime_named_is_asked(query: str, target: str) -> None:
    async with serving() as served:
        served.behind.operated.answer = Shown(content=VIEW, audit_id="audit-3")
        reply = await served.ask("GET", PATH + query)
    assert reply.status == 200
    assert reply.json == to_plain(VIEW) | {
        "drivers": [{"name": "loopback", "params": {}}],
        "safe_state": [{"address": "%QX0.0", "value": "FALSE"}],
        "supported_drivers": ["loopback", "simulated"],
    }
    assert reply.headers["x-trust-audit-id"] == "audit-3"
    assert served.behind.operated.asked == [("view", target, ADMIN)]


async def test_a_write_reaches_the_service_and_says_that_a_restart_is_needed() -> None:
    async with serving() as served:
        served.behind.operated.answer = IoAnswer(etag=ETAG, audit_id="audit-7")
        reply = await served.ask("POST", PATH, WRITE)
    assert reply.status == 200
    assert reply.json == {
        "ok": True,
        "message": "I/O config saved; restart needed",
        "etag": ETAG,
        "audit_id": "audit-7",
    }
    write = IoWrite(
        api_version="1.0",
        actor="spiffe://trust/default-site/erik",
        target_runtime="runtime-b",
        drivers=[IoDriver(name="loopback")],
        safe_state=[IoOutput(address="%QX0.0", value="FALSE")],
    )
    assert served.behind.operated.asked == [("write", RuntimeId("runtime-b"), write, ADMIN)]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"target_runtime": " "}, "' '"),
        ({"target_runtime": "a/b/c"}, "a/b/c"),
        ({"drivers": [{"nam": "loopback"}]}, "name"),
        ({"params": []}, "params"),
        ({"use_system_io": "yes"}, "use_system_io"),
        ({"actor": None}, "actor"),
        ({"driver_name": "loopback"}, "driver_name"),
    ],
)
async def test_a_misfit_is_400_and_named(change: dict[str, Any], named: str) -> None:
    async with serving() as served:
        reply = await served.ask("POST", PATH, {**WRITE, **change})
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
    assert named in reply.json["error"]
    assert served.behind.operated.asked == []


@pytest.mark.parametrize(
    ("code", "status"),
    [(DenialCode.CONTRACT_VIOLATION, 400), (DenialCode.REVISION_CONFLICT, 409)],
)
async def test_a_refusal_of_the_target_keeps_its_status(code: DenialCode, status: int) -> None:
    async with serving() as served:
        served.behind.operated.answer = IoAnswer(denial=deny(code, "why"), audit_id="audit-8")
        reply = await served.ask("POST", PATH, WRITE)
    assert (reply.status, reply.json["denial_code"]) == (status, code)
    assert reply.headers["x-trust-audit-id"] == "audit-8"


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", WRITE)])
@pytest.mark.parametrize(
    ("code", "refused", "status"),
    [
        (DenialCode.PERMISSION_DENIED, True, 403),
        (DenialCode.TARGET_UNREACHABLE, True, 403),
        (DenialCode.TARGET_UNREACHABLE, False, 503),
        (DenialCode.TIMEOUT, False, 504),
    ],
)
async def test_what_was_decided_or_lost_is_told_apart(
    method: str, body: Any, code: DenialCode, *, refused: bool, status: int
) -> None:
    found = Unanswered(
        denial=deny(code, "why"), refused=refused, preflight=DECIDED, audit_id="audit-9"
    )
    async with serving() as served:
        served.behind.operated.answer = found
        reply = await served.ask(method, PATH, body)
    assert (reply.status, reply.json["denial_code"]) == (status, code)
    assert ("preflight" in reply.json) is refused
