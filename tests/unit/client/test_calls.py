"""`client.calls`: what is sent, and what the answer is read as."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.http.table import ROUTES
from trust_runtime.client import calls
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.config import ConfigRollback, DesiredWrite
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import NoAnswer, Refused
from trust_runtime.contracts.io import IoWrite
from trust_runtime.contracts.links import TransportWrite
from trust_runtime.contracts.pairing import PairClaim, PairStart
from trust_runtime.contracts.proxies import ControlRequest, DirectRequest, ProxyRequest
from trust_runtime.contracts.timeline import Category

REQUEST = ActionRequest(
    api_version="1.0",
    request_id="r-1",
    connected_via="runtime-a",
    target_runtimes=["runtime-b"],
    actor="local://tester",
    action_type="status_read",
)
WRITE = DesiredWrite(api_version="1.0", actor="local://tester", desired={"log.level": None})
LINK = TransportWrite(
    api_version="1.0", actor="local://tester", source="a", target="b", transport="mesh"
)
IO = IoWrite(api_version="1.0", actor="local://tester", target_runtime="a")
PROXY = ProxyRequest(
    api_version="1.0",
    actor="local://tester",
    target_runtime="b",
    control_request=ControlRequest(type="status"),
)
EVERY = (
    calls.state(),
    calls.matrix(),
    calls.timeline(),
    calls.preflight(REQUEST),
    calls.dispatch(REQUEST),
    calls.config(),
    calls.write_config(WRITE),
    calls.config_history(),
    calls.config_history("b", revision=3),
    calls.roll_back_config(ConfigRollback(api_version="1.0", actor="local://tester", revision=1)),
    calls.action("r-1"),
    calls.links(),
    calls.set_link(LINK),
    calls.remove_link("a", "b"),
    calls.io_config(),
    calls.write_io_config(IO),
    calls.proxy(PROXY),
    calls.control(DirectRequest(type="status")),
    calls.start_pairing(PairStart(owner="anna", role="viewer")),
    calls.claim_pairing(PairClaim(code="AAAA")),
    calls.pairings(),
    calls.revoke_pairing("pt-1"),
    calls.metrics(),
    calls.openapi(),
    calls.docs(),
    calls.audit(),
    calls.audit_records("audit-1"),
    calls.ready(),
    calls.healthy(),
)


def test_there_is_a_call_for_every_endpoint_and_no_other() -> None:
    asked = {(call.method, call.route) for call in EVERY}
    # A stream is no call with one answer: `Client.events` reads it.
    assert asked | {("GET", f"{calls.CLOUD}/events")} == {(r.method, r.path) for r in ROUTES}


def test_what_has_no_value_is_left_out() -> None:
    assert calls.timeline().query == {}
    asked = calls.timeline(since=0, category=Category.SECURITY, runtime="b", limit=5)
    assert asked.query == {"since": "0", "category": "security", "runtime": "b", "limit": "5"}
    sent = json.loads(calls.dispatch(REQUEST).body or b"")
    assert "query_budget_ms" not in sent
    assert sent["target_runtimes"] == ["runtime-b"]


def test_a_deletion_is_sent_as_null() -> None:
    sent = json.loads(calls.write_config(WRITE).body or b"")
    assert sent == {
        "api_version": "1.0",
        "actor": "local://tester",
        "desired": {"log.level": None},
    }


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert calls.audit_records("a/../b?c").path == "/api/runtime-cloud/audit/a%2F..%2Fb%3Fc"


def test_a_refusal_has_code_reason_and_remedy() -> None:
    body = b'{"ok":false,"denial_code":"conflict","error":"why","remedy":"what","x":1}'
    with pytest.raises(Refused) as raised:
        calls.state().read(409, body)
    refused = raised.value
    assert (refused.status, refused.denial_code) == (409, DenialCode.CONFLICT)
    assert (refused.reason, refused.remedy, refused.body["x"]) == ("why", "what", 1)
    assert calls.conflict_of(refused) is None


def test_a_code_of_a_newer_runtime_is_kept_in_the_body() -> None:
    with pytest.raises(Refused) as raised:
        calls.state().read(400, b'{"denial_code":"too_new","error":"why"}')
    assert raised.value.denial_code is None
    assert raised.value.body["denial_code"] == "too_new"


@given(status=st.sampled_from([200, 404, 502]), content=st.binary(max_size=40))
def test_anything_else_is_no_answer(status: int, content: bytes) -> None:
    with pytest.raises((NoAnswer, Refused)):
        calls.state().read(status, content)


def test_a_runtime_that_is_not_ready_is_an_answer() -> None:
    told = calls.ready().read(503, b'{"ok":false,"checks":{"mesh":"opening"}}')
    assert (told.ok, told.checks) == (False, {"mesh": "opening"})
