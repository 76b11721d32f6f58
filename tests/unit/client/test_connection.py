"""`client.connection`: both clients against a real server."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from http_client import OWN, READ, Behind, Served, serving
from trust_runtime.adapters.http.protocol import Limits
from trust_runtime.client import AsyncClient, Client, NoAnswer, Refused
from trust_runtime.client.calls import conflict_of
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.config import DesiredWrite
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.fleet import Context, FeatureFlags, StateDocument, Topology

T = TypeVar("T")

REQUEST = ActionRequest(**READ)  # type: ignore[arg-type] # a body of the API
STATE = StateDocument(
    api_version="1.0",
    context=Context(
        connected_via=OWN,
        acting_on=(OWN,),
        site_scope=("default-site",),
        identity="local://admin",
        role="admin",
        mode="edit",
    ),
    topology=Topology(nodes=(), edges=(), host_groups=()),
    timeline=(),
    feature_flags=FeatureFlags(),
)
PATCH = DesiredWrite(api_version="1.0", actor="local://tester", desired={"log.level": "debug"})


def behind() -> Behind:
    return Behind(state=encode_json(STATE))


async def blocking(served: Served, use: Callable[[Client], T]) -> T:
    def run() -> T:
        with Client(f"http://{served.host}") as client:
            return use(client)

    return await asyncio.to_thread(run)


@pytest.mark.anyio
async def test_both_clients_read_the_same() -> None:
    async with serving(behind()) as served, AsyncClient(f"http://{served.host}") as client:
        assert await client.state() == await blocking(served, lambda c: c.state()) == STATE
        assert await client.matrix() == await blocking(served, lambda c: c.matrix())
        assert (await client.timeline()).items == ()
        assert (await blocking(served, lambda c: c.timeline(limit=1))).items == ()
        preflight = await client.preflight(REQUEST)
        assert preflight == await blocking(served, lambda c: c.preflight(REQUEST))
        report = await client.dispatch(REQUEST)
        assert report == await blocking(served, lambda c: c.dispatch(REQUEST))
        assert report.results[0].runtime_id == "runtime-b"
        assert await client.config() == await blocking(served, lambda c: c.config())
        assert (await client.write_config(PATCH)).changed
        assert (await blocking(served, lambda c: c.write_config(PATCH))).changed
        assert (await client.audit()).items == (await blocking(served, lambda c: c.audit())).items
        assert (await client.ready()).ok
        assert (await blocking(served, lambda c: c.ready())).ok


@pytest.mark.anyio
async def test_a_refusal_is_raised_with_what_came_with_it() -> None:
    refusing = behind()
    refusing.written = ConfigAnswer(
        denial=deny(DenialCode.REVISION_CONFLICT, "the desired revision is 3, not 2"),
        desired={"log.level": "warn"},
        reported={},
        meta=refusing.written.meta,
        status=refusing.written.status,
    )
    async with serving(refusing) as served, AsyncClient(f"http://{served.host}") as client:
        for write in (
            client.write_config(PATCH),
            blocking(served, lambda c: c.write_config(PATCH)),
        ):
            with pytest.raises(Refused) as raised:
                await write
            conflict = conflict_of(raised.value)
            assert conflict is not None
            assert conflict.desired == {"log.level": "warn"}
        with pytest.raises(Refused) as unknown:
            await client.audit_records("audit-9")
        assert unknown.value.denial_code is DenialCode.PEER_NOT_AVAILABLE


@pytest.mark.anyio
async def test_nobody_there_is_told_with_the_address() -> None:
    async with serving(behind()) as served:
        endpoint = f"http://{served.host}"
    async with AsyncClient(endpoint) as client:
        with pytest.raises(NoAnswer, match=endpoint):
            await client.state()
    with Client(endpoint) as other, pytest.raises(NoAnswer, match="nobody answers"):
        other.state()


@pytest.mark.anyio
async def test_an_answer_that_takes_too_long_is_told() -> None:
    slow = behind()
    slow.hold = asyncio.Event()
    async with (
        serving(slow, limits=Limits()) as served,
        AsyncClient(f"http://{served.host}", timeout_s=0.2) as client,
    ):
        with pytest.raises(NoAnswer, match="in time"):
            await client.dispatch(REQUEST)
        slow.hold.set()


@pytest.mark.anyio
async def test_the_stream_is_read_and_resumed() -> None:
    shown = behind()
    async with serving(shown) as served, AsyncClient(f"http://{served.host}") as client:
        events = client.events()
        snapshot = await anext(events)
        assert snapshot.event == "snapshot"
        shown.past.stream.send("timeline", {"n": 1})
        assert (await anext(events)).data == {"n": 1}
        shown.past.stream.send("timeline", {"n": 2})

        def first_of_the_rest(blocking_client: Client) -> Any:
            return next(iter(blocking_client.events(snapshot.event_id)))

        assert (await blocking(served, first_of_the_rest)).data == {"n": 1}
        shown.past.stream.close()
        assert [message.data async for message in events] in ([{"n": 2}], [])
