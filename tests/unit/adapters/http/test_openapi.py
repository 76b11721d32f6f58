"""`adapters.http.openapi`: exactly the table, from the contracts, the same bytes each time."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import api_document
from http_client import serving
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import STATUS, Refusal, refuse, to_response
from trust_runtime.adapters.http.openapi import build_openapi, statuses_of, undescribed
from trust_runtime.adapters.http.parameters import TEXT, Parameter
from trust_runtime.adapters.http.route import Route
from trust_runtime.adapters.http.table import ROUTES
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.pages import ENVELOPE_MEMBERS, Alive, ErrorEnvelope
from trust_runtime.contracts.policy import Role

DOCUMENT = build_openapi(ROUTES)
WRITE = "how to write it: docs/reference/openapi.json comes from `python tools/api_document.py`"


async def get_thing(_asked: Asked, _backend: Backend) -> Refusal:
    """Return the thing; more of it here.

    And still more.

    Raises:
        StoreFailed: this is for programmers.
    """
    raise NotImplementedError


async def get_nothing(_asked: Asked, _backend: Backend) -> Refusal:
    raise NotImplementedError


def row(**changes: Any) -> Route:
    fields: dict[str, Any] = {
        "method": "GET",
        "path": "/thing/{audit_id}",
        "door": Role.VIEWER,
        "handler": get_thing,
        "answer": Alive,
    }
    return Route(**{**fields, **changes})


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_row_of_the_table_is_described() -> None:
    assert not undescribed(ROUTES), "\n".join(undescribed(ROUTES))


def test_the_document_has_every_route_and_nothing_else() -> None:
    assert sorted((m, p) for m, p, _ in operations()) == sorted((r.method, r.path) for r in ROUTES)
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names), "two handlers of one name"


def test_the_kept_document_is_this_one() -> None:
    assert api_document.KEPT.read_bytes() == api_document.document(), WRITE


def test_equal_tables_give_equal_bytes_in_any_process() -> None:
    code = "import sys, api_document; sys.stdout.buffer.write(api_document.document())"
    for seed in ("0", "1"):
        made = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert made.stdout == api_document.document()


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = set(re.findall(r'"#/components/(\w+/[\w.]+)"', json.dumps(DOCUMENT)))
    there = {
        f"{kind}/{name}" for kind, members in DOCUMENT["components"].items() for name in members
    }
    assert used == there


def test_every_field_of_every_contract_is_explained() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    silent = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    assert silent == []


def test_a_row_that_leaves_something_out_is_told_what_and_where() -> None:
    assert undescribed([row()]) == []
    assert undescribed([row(answer=None)]) == [
        "Route(GET /thing/{audit_id}): name the contract of its 200 answer, answer=TheStruct"
    ]
    [no_words] = undescribed([row(handler=get_nothing)])
    assert "docstring" in no_words
    [no_body] = undescribed([row(method="POST")])
    assert "body=" in no_body
    assert undescribed([row(method="POST", bodiless=True)]) == []
    in_path, in_query = undescribed([row(path="/x/{thing_id}", query=("nonsense", "limit"))])
    assert "'thing_id'" in in_path
    assert "'nonsense'" in in_query
    assert "parameters.py" in in_query
    here = {"nonsense": Parameter("Only here.", TEXT)}
    assert undescribed([row(query=("nonsense",), described=here)]) == []
    [odd] = undescribed([row(also=(418,))])
    assert "418" in odd


def test_statuses_follow_from_what_a_row_passes_through() -> None:
    assert statuses_of(row(door=None)) == (400, 403, 408, 500, 503)
    assert statuses_of(row()) == (400, 401, 403, 408, 429, 500, 503)
    assert statuses_of(row(also=(404, 400))) == (400, 401, 403, 404, 408, 429, 500, 503)
    assert statuses_of(row(method="POST")) == (400, 401, 403, 408, 413, 415, 429, 500, 503)


def test_what_a_row_says_is_in_its_operation() -> None:
    here = {"limit": Parameter("So many.", {"type": "integer"})}
    document = build_openapi([row(query=("limit",), described=here, media="text/plain")])
    operation = document["paths"]["/thing/{audit_id}"]["get"]
    assert operation["operationId"] == "get_thing"
    assert operation["summary"] == "Return the thing; more of it here."
    assert operation["description"] == "Needs role `viewer` or higher.\n\nAnd still more."
    assert operation["x-trust-role"] == "viewer"
    [part, limit] = operation["parameters"]
    assert (part["name"], part["in"], part["required"]) == ("audit_id", "path", True)
    assert (limit["name"], limit["in"], limit["required"]) == ("limit", "query", False)
    assert limit["description"] == "So many."
    alive = {"schema": {"$ref": "#/components/schemas/Alive"}}
    assert operation["responses"]["200"]["content"] == {"text/plain": alive}
    assert operation["responses"]["401"] == {"$ref": "#/components/responses/401"}


def test_a_body_takes_no_member_that_is_not_there() -> None:
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for _, _, operation in operations()
        if "requestBody" in operation
    ]
    assert bodies
    for reference in bodies:
        schema = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
        assert schema["additionalProperties"] is False


@pytest.mark.parametrize("code", list(DenialCode))
def test_every_refusal_is_an_envelope_with_a_status_that_has_words(code: DenialCode) -> None:
    sent = json.loads(bytes(to_response(refuse(code, "why"), request_id="r").body))
    assert tuple(sent) == (*ENVELOPE_MEMBERS, "request_id")
    told = msgspec.convert(sent, ErrorEnvelope)
    assert (told.ok, told.denial_code, told.error) == (False, code, "why")
    assert not [m for m in undescribed([row(also=(STATUS[code],))]) if "status" in m]


@pytest.mark.anyio
async def test_the_server_sends_the_document_to_everybody() -> None:
    async with serving() as served:
        first = await served.ask("GET", "/api/openapi.json", headers={"Forwarded": "for=x"})
        again = await served.ask("GET", "/api/openapi.json")
    assert first.status == 200
    assert first.headers["content-type"] == "application/json"
    assert first.raw == again.raw
    assert first.json == json.loads(api_document.KEPT.read_text("utf-8"))


def test_the_tool_writes_the_kept_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "openapi.json"
    monkeypatch.setattr(api_document, "KEPT", kept)
    assert api_document.main() == 0
    assert json.loads(kept.read_bytes()) == json.loads(encode_json(DOCUMENT))
    kept.unlink()
    monkeypatch.setattr(api_document, "ROUTES", [row(answer=None)])
    assert api_document.main() == 1
    assert "answer=" in capsys.readouterr().out
    assert not kept.exists()
