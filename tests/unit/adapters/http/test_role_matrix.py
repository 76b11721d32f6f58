"""Every endpoint of the API document, for every role and every way of not having one (S04).

The roles are written down here once more, from the contract (6.4, 6.5), as the document comes from
the same table as the server.
"""

import asyncio
from typing import Final

import pytest
from msgspec import structs

from fakes.clock import TrueTime
from http_client import Behind, Served, serving
from service_world import ADMIN, Node, Scene
from trust_runtime.adapters.http.openapi import build_openapi
from trust_runtime.adapters.http.table import ROUTES
from trust_runtime.contracts.pairing import PairStart
from trust_runtime.contracts.policy import Role, allows
from trust_runtime.contracts.secret import Secret
from trust_runtime.contracts.settings import WebAuth
from trust_runtime.services.doorkeeper import Doorkeeper

CLOUD: Final = "/api/runtime-cloud"
OPEN: Final = {
    "GET /healthz",
    "GET /readyz",
    "GET /api/openapi.json",
    "GET /api/docs",
    "POST /api/pair/claim",
}
ENGINEER: Final = {
    f"POST {CLOUD}/config/desired",
    f"POST {CLOUD}/config/rollback",
    f"POST {CLOUD}/io/config",
    f"DELETE {CLOUD}/links",
    f"POST {CLOUD}/links/transport",
}
CONFIG_DOORS: Final = {
    f"POST {CLOUD}/config/desired",
    f"POST {CLOUD}/config/rollback",
    f"POST {CLOUD}/io/config",
}
ADMINS: Final = {
    "POST /api/pair/start",
    "GET /api/pairings",
    "DELETE /api/pairings/{token_id}",
}
OPERATIONS: Final = sorted(
    (method.upper(), path, operation["x-trust-role"])
    for path, methods in build_openapi(ROUTES)["paths"].items()
    for method, operation in methods.items()
)
DAY_MS: Final = 24 * 3_600 * 1_000


def needed(method: str, path: str) -> Role | None:
    name = f"{method} {path}"
    if name in OPEN:
        return None
    if name in ADMINS:
        return Role.ADMIN
    return Role.ENGINEER if name in ENGINEER else Role.VIEWER


def test_the_document_says_the_roles_of_the_contract() -> None:
    named = {f"{method} {path}" for method, path, _ in OPERATIONS}
    assert named >= OPEN | ENGINEER | ADMINS | CONFIG_DOORS
    for method, path, role in OPERATIONS:
        wanted = needed(method, path)
        assert role == (None if wanted is None else str(wanted)), f"{method} {path}"


class Doors:
    """A doorkeeper in token mode with one token of each role, and some that are none."""

    def __init__(self, node: Node) -> None:
        self._node = node
        running = node.services.running
        settings = running.settings
        running.settings = structs.replace(
            settings,
            web=structs.replace(settings.web, auth=WebAuth.TOKEN),
            control_token=Secret(value="static-token-of-this-test"),
        )
        self.keeper = Doorkeeper(
            running=running, clock=node.clock, paired=node.services.pairings.owner_of
        )
        self.tokens: dict[str, str] = {Role.ADMIN: "static-token-of-this-test"}

    async def give_out(self) -> None:
        for role in (Role.VIEWER, Role.OPERATOR, Role.ENGINEER):
            self.tokens[role] = await self._claim(role, role)
        revoked = await self._claim("revoked", Role.ENGINEER)
        expired = await self._claim("expired", Role.ENGINEER, days=1)
        page = (await self._node.services.pairings.list(ADMIN)).page
        assert page is not None
        (ended,) = (one.token_id for one in page.items if one.owner == "revoked")
        await self._node.services.pairings.revoke(ended, ADMIN)
        self._node.clock.advance_ms(DAY_MS)
        self.tokens |= {"revoked": revoked, "expired": expired, "wrong": "no-token-of-anybody"}

    async def _claim(self, owner: str, role: Role, days: int = 30) -> str:
        pairings = self._node.services.pairings
        start = PairStart(owner=owner, role=role, token_days=days)
        started = (await pairings.start(start, ADMIN)).started
        assert started is not None
        claimed = (await pairings.claim(started.code, f"10.0.0.{len(self.tokens)}-{owner}")).claimed
        assert claimed is not None
        return claimed.token


async def ask(served: Served, doors: Doors, operation: tuple[str, str], who: str | None) -> str:
    """Return what the door answers: `open`, or status and code.

    A POST is sent without a content type and a DELETE from a foreign page: stages 6 and 7 refuse
    them, so that nothing is done and passing the door shows all the same.
    """
    method, path = operation
    headers = {"Origin": "http://elsewhere.example"} if method == "DELETE" else {}
    if who is not None:
        headers["X-Trust-Token"] = doors.tokens[who]
    if path.endswith("/events"):
        method = "HEAD"
    filled = path.replace("{token_id}", "x").replace("{request_id}", "x")
    reply = await served.ask(method, filled.replace("{audit_id}", "x"), headers=headers)
    if method == "HEAD":
        return "open" if reply.status == 200 else str(reply.status)
    if reply.status in (401, 429):
        return f"{reply.status} {reply.json['denial_code']}"
    if reply.status == 403 and "requires role" in reply.json["error"]:
        return f"403 {reply.json['denial_code']}"
    return "open"


@pytest.mark.anyio
async def test_every_endpoint_for_every_role_and_for_nobody() -> None:
    async with asyncio.TaskGroup() as tasks:
        scene = Scene(TrueTime(), tasks)
        wrongly, asked = await told_wrongly(await scene.node())
    assert wrongly == []
    assert asked == 8 * len(OPERATIONS)
    assert len(OPERATIONS) == len(ROUTES) > 20


async def told_wrongly(node: Node) -> tuple[list[str], int]:
    """Ask every endpoint in every way; return what was answered wrongly, and how many were."""
    doors = Doors(node)
    await doors.give_out()
    wrongly: list[str] = []
    asked = 0
    async with serving(Behind(admit=doors.keeper.admit)) as served:
        for method, path, _ in OPERATIONS:
            role = needed(method, path)
            code = "acl_denied_cfg_write" if f"{method} {path}" in CONFIG_DOORS else None
            too_low = f"403 {code or 'permission_denied'}"
            for who in (*Role, None, "wrong", "expired", "revoked"):
                # Each guess comes a minute after the last, so that none is slowed down.
                node.clock.advance_ms(10_000)
                found = await ask(served, doors, (method, path), who)
                if role is None:
                    wanted = "open"
                elif who not in tuple(Role):
                    wanted = "401" if path.endswith("/events") else "401 permission_denied"
                else:
                    wanted = "open" if allows(Role(who or ""), role) else too_low
                asked += 1
                if found != wanted:
                    wrongly.append(f"{method} {path} as {who}: {found}, not {wanted}")
    return wrongly, asked
