"""`actions/preflight`, `actions/dispatch` and `actions/{request_id}` (contract 6.7 to 6.9)."""

import json
from typing import Any

import pytest

from action_row_samples import done, executed, lost, running
from http_client import CLOUD, READ, serving
from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.actions import ActionRequest, OnDenied
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.policy import Caller, Role

ADMIN = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
KINDS = ("preflight", "dispatch")


@pytest.mark.anyio
@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_reaches_the_service_as_its_contract(kind: str) -> None:
    body = {**READ, "dry_run": True, "on_denied": "continue", "payload": {"n": 1}}
    async with serving() as served:
        reply = await served.ask("POST", f"{CLOUD}/actions/{kind}", body)
    assert reply.status == 200
    expected = ActionRequest(
        api_version="1.0",
        request_id="r-1",
        connected_via="runtime-a",
        target_runtimes=["runtime-b"],
        actor="local://tester",
        action_type="status_read",
        dry_run=True,
        on_denied=OnDenied.CONTINUE,
        payload={"n": 1},
    )
    assert served.behind.asked == [(kind, expected, ADMIN)]


@pytest.mark.anyio
async def test_equal_preflights_have_equal_bytes_and_no_audit_id() -> None:
    async with serving() as served:
        first = await served.ask("POST", f"{CLOUD}/actions/preflight", READ)
        second = await served.ask("POST", f"{CLOUD}/actions/preflight", READ)
    assert first.raw == second.raw
    assert "x-trust-audit-id" not in first.headers


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("targets", "header"), [(["b"], "audit-1"), (["b", "c"], None), ([], None)]
)
async def test_the_header_names_the_record_of_a_single_result(
    targets: list[str], header: str | None
) -> None:
    async with serving() as served:
        body = {**READ, "target_runtimes": targets}
        reply = await served.ask("POST", f"{CLOUD}/actions/dispatch", body)
    assert [r["runtime_id"] for r in reply.json["results"]] == targets
    assert reply.headers.get("x-trust-audit-id") == header


@pytest.mark.anyio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"dryrun": True}, "did you mean 'dry_run'"),
        ({"actor": None}, "actor"),
        ({"target_runtimes": "runtime-b"}, "target_runtimes"),
        ({"target_runtimes": ["runtime-b", 1]}, "target_runtimes[1]"),
        ({"dry_run": "true"}, "dry_run"),
        ({"on_denied": "ask"}, "on_denied"),
        ({"query_budget_ms": -1}, "query_budget_ms"),
        ({"query_budget_ms": 1.5}, "query_budget_ms"),
    ],
)
async def test_a_misfit_is_400_and_named(kind: str, change: dict[str, Any], named: str) -> None:
    async with serving() as served:
        reply = await served.ask("POST", f"{CLOUD}/actions/{kind}", {**READ, **change})
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
    assert named in reply.json["error"]
    assert reply.json["request_id"] == "r-1"
    assert served.behind.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize("missing", sorted(READ))
async def test_every_required_member_is_missed(missing: str) -> None:
    body = {name: value for name, value in READ.items() if name != missing}
    async with serving() as served:
        reply = await served.ask("POST", f"{CLOUD}/actions/dispatch", body)
    assert reply.status == 400
    assert missing in reply.json["error"]


@pytest.mark.anyio
@pytest.mark.parametrize("kept", [running("press-2"), done(executed("press-2"), lost("press-3"))])
async def test_a_row_is_found_by_its_decoded_id(kept: KeptRow) -> None:
    async with serving() as served:
        served.behind.operated.answer = kept.row
        reply = await served.ask("GET", f"{CLOUD}/actions/r%2F1%20%C3%A4")
    assert reply.status == 200
    assert reply.json == json.loads(encode_json(kept.row))
    assert served.behind.operated.asked == [("find", "r/1 ä")]


@pytest.mark.anyio
async def test_an_id_that_nothing_was_dispatched_under_is_404() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/actions/r-9")
    assert (reply.status, reply.json["denial_code"]) == (404, "peer_not_available")
    assert "r-9" in reply.json["error"]
