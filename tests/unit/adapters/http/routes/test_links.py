"""`links` and `links/transport` (contract 6.13)."""

from typing import Any

import pytest
from msgspec.structs import replace

from http_client import CLOUD, serving
from port_contracts.links import preference
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.links import LinkAnswer, TransportWrite
from trust_runtime.contracts.policy import Caller, Role

pytestmark = pytest.mark.anyio

ADMIN = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
WRITE = {
    "api_version": "1.0",
    "actor": "local://engineer",
    "source": "press-1",
    "target": "press-2",
    "transport": "mesh",
}
DONE = LinkAnswer(preference=preference(), audit_id="audit-7")


async def test_the_list_is_sent_as_it_is() -> None:
    async with serving() as served:
        served.behind.operated.answer = (preference(), preference("press-3"))
        reply = await served.ask("GET", f"{CLOUD}/links")
    assert reply.status == 200
    assert reply.json == {
        "api_version": "1.0",
        "items": [to_plain(preference()), to_plain(preference("press-3"))],
    }


async def test_a_transport_reaches_the_service_and_its_record_is_named() -> None:
    async with serving() as served:
        served.behind.operated.answer = DONE
        reply = await served.ask("POST", f"{CLOUD}/links/transport", WRITE)
    assert reply.status == 200
    assert reply.json == {
        "ok": True,
        "preference": to_plain(preference()),
        "audit_id": "audit-7",
    }
    assert reply.headers["x-trust-audit-id"] == "audit-7"
    assert served.behind.operated.asked == [("set", TransportWrite(**WRITE), ADMIN)]


async def test_what_is_unwise_is_said_beside_the_preference() -> None:
    async with serving() as served:
        served.behind.operated.answer = replace(DONE, warnings=("press-2 was never heard",))
        reply = await served.ask("POST", f"{CLOUD}/links/transport", WRITE)
    assert (reply.status, reply.json["warnings"]) == (200, ["press-2 was never heard"])


@pytest.mark.parametrize("missing", sorted(WRITE))
async def test_every_member_is_required(missing: str) -> None:
    body = {name: value for name, value in WRITE.items() if name != missing}
    async with serving() as served:
        reply = await served.ask("POST", f"{CLOUD}/links/transport", body)
    assert reply.status == 400
    assert missing in reply.json["error"]
    assert served.behind.operated.asked == []


async def test_a_preference_is_removed_by_its_ends() -> None:
    async with serving() as served:
        served.behind.operated.answer = DONE
        reply = await served.ask("DELETE", f"{CLOUD}/links?source=press-1&target=site-b%2Foven")
    assert reply.json == {"ok": True, "removed": to_plain(preference()), "audit_id": "audit-7"}
    assert served.behind.operated.asked == [("remove", "press-1", "site-b/oven", ADMIN)]


async def test_what_is_not_named_is_blank() -> None:
    async with serving() as served:
        served.behind.operated.answer = DONE
        await served.ask("DELETE", f"{CLOUD}/links")
        refused = await served.ask("DELETE", f"{CLOUD}/links?sorce=press-1")
    assert served.behind.operated.asked == [("remove", "", "", ADMIN)]
    assert refused.status == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "links/transport", WRITE), ("DELETE", "links?source=a&target=b", None)],
)
@pytest.mark.parametrize(
    ("code", "status"),
    [
        (DenialCode.CONTRACT_VIOLATION, 400),
        (DenialCode.PERMISSION_DENIED, 403),
        (DenialCode.PEER_NOT_AVAILABLE, 404),
        (DenialCode.CONFLICT, 409),
        (DenialCode.OVERLOADED, 503),
    ],
)
async def test_a_refusal_has_the_status_of_its_code_and_names_its_record(
    method: str, path: str, body: Any, code: DenialCode, status: int
) -> None:
    async with serving() as served:
        served.behind.operated.answer = LinkAnswer(denial=deny(code, "why"), audit_id="audit-8")
        reply = await served.ask(method, f"{CLOUD}/{path}", body)
    assert (reply.status, reply.json["denial_code"], reply.json["error"]) == (status, code, "why")
    assert reply.headers["x-trust-audit-id"] == "audit-8"


async def test_a_page_of_elsewhere_can_delete_nothing() -> None:
    async with serving() as served:
        reply = await served.ask(
            "DELETE", f"{CLOUD}/links?source=a&target=b", headers={"Origin": "http://evil.example"}
        )
    assert (reply.status, reply.json["denial_code"]) == (403, "permission_denied")
    assert served.behind.operated.asked == []
