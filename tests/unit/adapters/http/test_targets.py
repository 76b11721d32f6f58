"""`adapters.http.targets`: a runtime addressed by name that gave no answer of its own (6.5)."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from trust_runtime.adapters.http.errors import to_response
from trust_runtime.adapters.http.targets import unanswered
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode, deny

PREFLIGHT = Preflight(
    api_version="1.0",
    request_id="r",
    connected_via="runtime-a",
    acting_on=("runtime-b",),
    allowed=False,
    denial_code=DenialCode.STALE_DATA,
    denial_reason="why",
    decision_digest="sha256:0",
    decisions=(),
)
FOUND = Unanswered(
    denial=deny(DenialCode.STALE_DATA, "why", "how"),
    refused=True,
    preflight=PREFLIGHT,
    audit_id="audit-1",
)


def told(found: Unanswered) -> tuple[int, dict[str, Any], str | None]:
    response = to_response(unanswered(found))
    body = json.loads(bytes(response.body))
    return response.status_code, body, response.headers.get("x-trust-audit-id")


def test_a_refusal_is_403_with_the_whole_decision() -> None:
    status, body, audit_id = told(FOUND)
    assert (status, audit_id) == (403, "audit-1")
    assert body.pop("preflight")["denial_code"] == "stale_data"
    assert body == {
        "ok": False,
        "denial_code": "stale_data",
        "denial_reason": "why",
        "error": "why",
        "remedy": "how",
    }


@pytest.mark.parametrize("code", list(DenialCode))
def test_whatever_a_decision_says_is_403(code: DenialCode) -> None:
    status, body, _ = told(replace(FOUND, denial=deny(code, "why")))
    assert (status, body["denial_code"]) == (403, code)
    privileged = body.get("required_action") == "privileged_write_required"
    assert privileged == (code is DenialCode.ACL_DENIED_CFG_WRITE)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (DenialCode.TIMEOUT, 504),
        (DenialCode.TARGET_UNREACHABLE, 503),
        (DenialCode.TRANSPORT_FAILURE, 503),
        (DenialCode.CONFLICT, 409),
        (DenialCode.OVERLOADED, 503),
    ],
)
def test_what_failed_on_the_way_has_the_status_of_its_code(code: DenialCode, status: int) -> None:
    found = replace(FOUND, denial=deny(code, "why"), refused=False, audit_id=None)
    said, body, audit_id = told(found)
    assert (said, audit_id) == (status, None)
    assert sorted(body) == ["denial_code", "error", "ok", "remedy"]
