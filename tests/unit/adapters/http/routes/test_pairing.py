"""`adapters.http.routes.pairing`: what is asked of the service, and how its answer is told."""

from typing import Any

import pytest

from http_client import serving
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.pairing import (
    PairAnswer,
    PairClaimed,
    Pairing,
    PairingPage,
    PairRevoked,
    PairStart,
    PairStarted,
)
from trust_runtime.contracts.policy import Caller, Role

ADMIN = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
SHOWN = Pairing(
    token_id="pt-1",  # noqa: S106 - its public name
    owner="anna",
    role=Role.VIEWER,
    scope=(SiteName("site-a"),),
    created_at_ns=1,
    expires_at_ns=2,
    enabled=True,
)
START = {"owner": "anna", "role": "viewer"}


@pytest.mark.anyio
async def test_a_start_is_told_with_its_record() -> None:
    async with serving() as served:
        started = PairStarted(ok=True, code="AAAA-AAAA-AAAAA", expires_at_ns=1, audit_id="audit-1")
        served.behind.operated.answer = PairAnswer(started=started, audit_id="audit-1")
        reply = await served.ask("POST", "/api/pair/start", START)
        assert (reply.status, reply.json["code"]) == (200, "AAAA-AAAA-AAAAA")
        assert reply.headers["x-trust-audit-id"] == "audit-1"
        assert reply.headers["cache-control"] == "no-store"
        wanted = PairStart(owner="anna", role="viewer")
        assert served.behind.operated.asked == [("start", wanted, ADMIN)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change", [{"token_days": -1}, {"days": 3}, {"owner": 7}, {"scope": "site-a"}]
)
async def test_a_malformed_start_is_400(change: dict[str, Any]) -> None:
    async with serving() as served:
        reply = await served.ask("POST", "/api/pair/start", {**START, **change})
        assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
        assert served.behind.operated.asked == []


@pytest.mark.anyio
async def test_a_claim_needs_no_authentication_and_tells_from_where() -> None:
    async with serving() as served:
        served.behind.operated.answer = PairAnswer(
            claimed=PairClaimed(
                ok=True,
                token="t",  # noqa: S106 - no token
                token_id="pt-1",  # noqa: S106 - its public name
                owner="anna",
                role=Role.VIEWER,
                expires_at_ns=1,
                audit_id="audit-1",
            ),
            audit_id="audit-1",
        )
        sent = {"Forwarded": "for=10.0.0.1"}
        reply = await served.ask("POST", "/api/pair/claim", {"code": "x"}, headers=sent)
        assert (reply.status, reply.json["token"]) == (200, "t")
        assert served.behind.operated.asked == [("claim", "x", "127.0.0.1")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "status"),
    [(DenialCode.PERMISSION_DENIED, 403), (DenialCode.OVERLOADED, 429)],
)
async def test_a_refused_claim_says_when_to_try_again(code: DenialCode, status: int) -> None:
    async with serving() as served:
        late = 1_500 if code is DenialCode.OVERLOADED else None
        served.behind.operated.answer = PairAnswer(denial=deny(code, "no", retry_after_ms=late))
        reply = await served.ask("POST", "/api/pair/claim", {"code": "x"})
        assert (reply.status, reply.json["denial_code"]) == (status, code)
        assert reply.headers.get("retry-after") == ("2" if late else None)


@pytest.mark.anyio
async def test_tokens_are_listed_and_ended() -> None:
    async with serving() as served:
        served.behind.operated.answer = PairAnswer(page=PairingPage(items=()), audit_id="audit-1")
        reply = await served.ask("GET", "/api/pairings")
        assert (reply.status, reply.json) == (200, {"items": []})
        done = PairRevoked(ok=True, revoked=SHOWN, audit_id="audit-2")
        served.behind.operated.answer = PairAnswer(revoked=done, audit_id="audit-2")
        reply = await served.ask("DELETE", "/api/pairings/pt-1")
        assert (reply.status, reply.json["revoked"]["token_id"]) == (200, "pt-1")
        assert served.behind.operated.asked == [("list", ADMIN), ("revoke", "pt-1", ADMIN)]
