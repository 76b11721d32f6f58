"""`GET state` (contract 6.6)."""

import pytest

from http_client import CLOUD, Behind, serving
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.timeline import TimelineFilter
from trust_runtime.services.history import PastState


@pytest.mark.anyio
async def test_the_document_is_sent_as_the_fleet_encoded_it_for_this_caller() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/state")
    assert (reply.status, reply.raw) == (200, b'{"api_version":"1.0"}')
    assert reply.headers["cache-control"] == "no-store"
    caller = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
    assert served.behind.asked == [("state", caller)]


@pytest.mark.anyio
async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with serving() as served:
        reply = await served.ask("HEAD", f"{CLOUD}/state")
    assert (reply.status, reply.raw) == (200, b"")
    assert reply.headers["content-length"] == "21"


@pytest.mark.anyio
async def test_a_past_instant_is_rebuilt_with_the_events_up_to_it() -> None:
    behind = Behind()
    topology = Topology(nodes=(), edges=(), host_groups=())
    behind.past.state = PastState(topology=topology, recorded_at_ns=5)
    async with serving(behind) as served:
        reply = await served.ask("GET", f"{CLOUD}/state?at=1970-01-01T00:00:00.000000009Z")
    assert reply.status == 200
    assert behind.past.asked == [9, TimelineFilter(until_ns=9)]
    caller = Caller(identity="local://admin", role=Role.ADMIN, scope=None)
    assert behind.asked == [("past", caller, topology, (), 9, 5)]


@pytest.mark.anyio
async def test_an_instant_that_is_not_known_is_404_with_its_reason() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/state?at=2026-11-24T14:05:00Z")
    assert (reply.status, reply.json["denial_code"]) == (404, "peer_not_available")
    assert "nothing is recorded" in reply.json["error"]
