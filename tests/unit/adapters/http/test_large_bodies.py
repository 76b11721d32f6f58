"""`adapters.http.large_bodies`: a real reader, killed, stopped and left alone."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from http_client import is_alive, wait_for
from trust_runtime.adapters.http.large_bodies import LargeBodies
from trust_runtime.contracts.errors import BodyUnread, ContractViolation
from trust_runtime.contracts.strict_json import BODY_BYTES_MAX, parse_object

TEXTS = (
    b'{"a":[1,2.5,"x",null,true,{"b":-0.0}]}',
    b'{"a":18446744073709551615,"b":-9223372036854775808}',
    '{"é":"\U0001f600"}'.encode(),
    b'{"a":"' + b"x" * (BODY_BYTES_MAX - 8) + b'"}',
    b'{"a":[' + b'{"b":1},' * 10_000 + b"{}]}",
    b"{}",
)


@asynccontextmanager
async def reading(*, answer_s: float = 30.0) -> AsyncIterator[LargeBodies]:
    large = LargeBodies(bytes_max=BODY_BYTES_MAX, answer_s=answer_s)
    try:
        yield large
    finally:
        await large.close()


async def started(large: LargeBodies) -> int:
    await large.read(b"{}")
    assert large.pid is not None
    return large.pid


@pytest.mark.anyio
async def test_bodies_are_read_as_the_door_reads_them_each_by_its_caller() -> None:
    async with reading() as large:
        assert large.pid is None
        values = await asyncio.gather(*(large.read(text) for text in TEXTS))
        # Equality alone would let 1, 1.0 and true pass for each other.
        assert json.dumps(values) == json.dumps([parse_object(text) for text in TEXTS])


@pytest.mark.anyio
async def test_what_is_refused_says_where_and_the_next_body_is_read() -> None:
    async with reading() as large:
        with pytest.raises(ContractViolation) as caught:
            await large.read(b'{"a":[1,{"b":1,"b":2}]}')
        assert str(caught.value).startswith("$.a[1].b: got 'a second member of this name'")
        assert await large.read(b'{"a":1}') == {"a": 1}


@pytest.mark.anyio
async def test_a_reader_that_was_killed_between_two_bodies_is_replaced() -> None:
    async with reading() as large:
        first = await started(large)
        os.kill(first, signal.SIGKILL)
        await wait_for(lambda: large.pid is None)
        assert await large.read(b'{"a":1}') == {"a": 1}
        assert large.pid != first


@pytest.mark.anyio
async def test_a_reader_that_stands_still_is_ended_and_replaced() -> None:
    async with reading(answer_s=1.0) as large:
        first = await started(large)
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(BodyUnread) as caught:
            await large.read(b'{"a":1}')
        assert "TimeoutError" in caught.value.reason
        assert "request_id" in caught.value.remedy
        assert not is_alive(first)
        assert await large.read(b'{"a":2}') == {"a": 2}


@pytest.mark.anyio
@pytest.mark.parametrize("text", [b'{"a":1}', b'{"a":"' + b"x" * 900_000 + b'"}'])
async def test_a_reader_killed_amidst_a_body_says_so(text: bytes) -> None:
    async with reading() as large:
        first = await started(large)
        os.kill(first, signal.SIGSTOP)
        late = asyncio.ensure_future(large.read(text))
        for _ in range(10):
            await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(BodyUnread):
            await late
        assert await large.read(text) == parse_object(text)


@pytest.mark.anyio
async def test_the_answer_of_a_reading_that_was_given_up_goes_to_nobody_else() -> None:
    async with reading() as large:
        os.kill(await started(large), signal.SIGSTOP)
        given_up = asyncio.ensure_future(large.read(b'{"a":1}'))
        for _ in range(10):
            await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert await large.read(b'{"a":2}') == {"a": 2}


@pytest.mark.anyio
async def test_closing_ends_the_reader_also_one_that_stands_still_and_twice() -> None:
    async with reading() as large:
        pid = await started(large)
        os.kill(pid, signal.SIGSTOP)
        await large.close()
        assert not is_alive(pid)
        assert large.pid is None
        await large.close()


@pytest.mark.anyio
async def test_a_reader_that_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    async with reading() as large:
        with pytest.raises(BodyUnread, match="FileNotFoundError"):
            await large.read(b"{}")
