"""`adapters.http.errors`: one table, one envelope (contract 6.2)."""

import json

import pytest

from http_client import parse_replies
from trust_runtime.adapters.http.errors import (
    STATUS,
    Refusal,
    refusal_of,
    refuse,
    refuse_as,
    to_bytes,
    to_response,
)
from trust_runtime.contracts.denial import STANDARD_REMEDY, DenialCode, deny

CODE = DenialCode.CONTRACT_VIOLATION


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(DenialCode)
    assert set(STATUS.values()) <= {400, 403, 404, 409, 503, 504}


@pytest.mark.parametrize("code", list(DenialCode))
def test_the_envelope_is_the_same_for_every_code(code: DenialCode) -> None:
    response = to_response(refuse(code, "why"))
    assert response.status_code == STATUS[code]
    assert json.loads(bytes(response.body)) == {
        "ok": False,
        "denial_code": code.value,
        "error": "why",
        "remedy": STANDARD_REMEDY[code],
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


def test_request_id_and_members_are_added() -> None:
    refusal = Refusal(denial=deny(CODE, "why", "how"), status=409, members={"meta": 1})
    body = json.loads(bytes(to_response(refusal, request_id="r-1").body))
    assert (body["request_id"], body["meta"], body["remedy"]) == ("r-1", 1, "how")


@pytest.mark.parametrize(("wait_ms", "header"), [(1, "1"), (1000, "1"), (1001, "2"), (0, "0")])
def test_retry_after_is_whole_seconds_rounded_up(wait_ms: int, header: str) -> None:
    refusal = refusal_of(deny(DenialCode.CONFLICT, "runs", retry_after_ms=wait_ms))
    assert to_response(refusal).headers["retry-after"] == header


def test_without_a_time_there_is_no_retry_after() -> None:
    assert "retry-after" not in to_response(refuse(DenialCode.CONFLICT, "why")).headers


def test_bytes_are_the_same_answer_on_a_connection_that_ends() -> None:
    refusal = refuse_as(415, "why", "how")
    [reply] = parse_replies(to_bytes(refusal))
    assert reply.status == 415
    assert reply.headers["connection"] == "close"
    assert reply.raw == bytes(to_response(refusal).body)
    assert reply.json["denial_code"] == "contract_violation"
