"""`GET events`: server-sent events (contract 6.17)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from http_client import CLOUD, WAIT_S, Behind, Served, serving, wait_for
from trust_runtime.adapters.http.routes import events
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.services.stream import READERS_MAX

EVENTS = f"{CLOUD}/events"


class Listener:
    """One client that reads a stream."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def line(self) -> str:
        async with asyncio.timeout(WAIT_S):
            return (await self._reader.readline()).decode().rstrip("\r\n")

    async def event(self) -> dict[str, str]:
        """Return the next event's fields; the chunk sizes between lines are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = await self.line()
            if line == "" and "data" in fields:
                return fields
            name, colon, value = line.partition(": ")
            if colon and name in {"id", "event", "data"}:
                fields[name] = value


@asynccontextmanager
async def listening(served: Served, **headers: str) -> AsyncIterator[Listener]:
    async with served.connection() as (reader, writer):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        writer.write(served.get(EVENTS, **sent))
        listener = Listener(reader)
        assert await listener.line() == "HTTP/1.1 200 OK"
        yield listener


async def until_readers(behind: Behind, count: int) -> None:
    """Send events until so many listen: that a client is gone shows when something is sent."""
    async with asyncio.timeout(WAIT_S):
        while behind.past.stream.readers != count:
            behind.past.stream.send("timeline", {})
            await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_a_new_client_gets_a_snapshot_and_then_what_happens() -> None:
    async with serving() as served, listening(served) as listener:
        snapshot = await listener.event()
        assert (snapshot["event"], snapshot["data"]) == ("snapshot", '{"api_version":"1.0"}')
        served.behind.past.stream.send("timeline", {"n": 1})
        happened = await listener.event()
        assert (happened["event"], happened["data"]) == ("timeline", '{"n":1}')
        assert happened["id"] == served.behind.past.stream.last_id


@pytest.mark.anyio
async def test_a_client_goes_on_where_it_ended_without_a_snapshot() -> None:
    behind = Behind()
    stream = behind.past.stream
    stream.send("timeline", {"n": 1})
    seen = stream.last_id
    stream.send("timeline", {"n": 2})
    stream.send("timeline", {"n": 3})
    async with serving(behind) as served, listening(served, Last_Event_ID=seen) as listener:
        assert [(await listener.event())["data"] for _ in range(2)] == ['{"n":2}', '{"n":3}']
    assert behind.asked == []


@pytest.mark.anyio
async def test_an_id_that_is_not_kept_gives_reset_and_a_snapshot() -> None:
    async with serving() as served, listening(served, Last_Event_ID="ffffffff-9") as listener:
        assert (await listener.event())["event"] == "reset"
        assert (await listener.event())["event"] == "snapshot"


@pytest.mark.anyio
async def test_the_answer_is_a_stream_that_nobody_stores() -> None:
    async with serving() as served:
        reply = await served.ask("HEAD", EVENTS)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-store"
    assert "content-length" not in reply.headers


@pytest.mark.anyio
async def test_a_client_that_leaves_is_forgotten() -> None:
    async with serving() as served:
        async with listening(served) as listener:
            await listener.event()
            assert served.behind.past.stream.readers == 1
        await until_readers(served.behind, 0)


@pytest.mark.anyio
async def test_one_more_listener_than_allowed_is_asked_to_come_later() -> None:
    behind = Behind()
    readers = [behind.past.stream.join(None) for _ in range(READERS_MAX)]
    assert None not in readers
    async with serving(behind) as served:
        reply = await served.ask("GET", EVENTS)
        assert (reply.status, reply.json["denial_code"]) == (503, "overloaded")
        assert int(reply.headers["retry-after"]) > 0


@pytest.mark.anyio
async def test_a_client_that_does_not_read_is_dropped_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "SEND_S", 0.2)
    async with serving() as served, listening(served) as deaf, listening(served) as other:
        assert (await deaf.event())["event"] == "snapshot"
        assert (await other.event())["event"] == "snapshot"
        big = {"text": "x" * 60_000}
        for number in range(400):
            served.behind.past.stream.send("timeline", {**big, "n": number})
            assert f'"n":{number}' in (await other.event())["data"][-12:]
        await until_readers(served.behind, 1)
        served.behind.past.stream.send("timeline", {"n": "after"})
        while (await other.event())["data"] != '{"n":"after"}':
            pass


@pytest.mark.anyio
async def test_a_quiet_stream_says_that_it_is_still_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.05)
    async with serving() as served, listening(served) as listener:
        await listener.event()
        async with asyncio.timeout(WAIT_S):
            while await listener.line() != ": still here":
                pass


@pytest.mark.anyio
async def test_the_end_of_the_runtime_ends_the_stream() -> None:
    async with serving() as served, listening(served) as listener:
        await listener.event()
        served.behind.past.stream.close()
        while await listener.line() != "0":  # The last chunk.
            pass


@pytest.mark.anyio
async def test_a_listener_whose_token_ended_hears_nothing_more() -> None:
    admitted: list[Caller | Denial] = [Caller(identity="token://anna", role=Role.VIEWER)]
    behind = Behind(admit=lambda _presented: admitted[0])
    async with serving(behind) as served, listening(served) as listener:
        await listener.event()
        behind.past.stream.review()
        behind.past.stream.send("timeline", {"n": 1})
        assert (await listener.event())["data"] == '{"n":1}', "a look alone ends nothing"
        admitted[0] = deny(DenialCode.PERMISSION_DENIED, "no more")
        behind.past.stream.send("timeline", {"canary": 1})
        rest = [await listener.line() for _ in range(3)]
        assert not any("canary" in line for line in rest)
        await wait_for(lambda: behind.past.stream.readers == 0)


@pytest.mark.anyio
async def test_a_listener_whose_token_ended_is_let_go_at_once() -> None:
    admitted: list[Caller | Denial] = [Caller(identity="token://anna", role=Role.VIEWER)]
    behind = Behind(admit=lambda _presented: admitted[0])
    async with serving(behind) as served, listening(served) as listener:
        await listener.event()
        admitted[0] = deny(DenialCode.PERMISSION_DENIED, "no more")
        behind.past.stream.review()
        await wait_for(lambda: behind.past.stream.readers == 0)
