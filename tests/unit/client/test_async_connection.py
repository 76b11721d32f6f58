"""`client.async_connection`: has every call of the blocking client; both are used together."""

import inspect

import pytest

from http_client import Behind, serving
from trust_runtime.client import AsyncClient, Client

CALLS = sorted(name for name in vars(Client) if not name.startswith("_"))


@pytest.mark.parametrize("name", CALLS)
def test_every_call_takes_and_gives_the_same(name: str) -> None:
    blocking, other = getattr(Client, name), getattr(AsyncClient, name)
    taken = [str(one) for one in inspect.signature(blocking).parameters.values()]
    assert taken == [str(one) for one in inspect.signature(other).parameters.values()]


@pytest.mark.anyio
async def test_many_calls_at_once_share_one_client() -> None:
    async with serving(Behind()) as served, AsyncClient(f"http://{served.host}") as client:
        first, second = await client.matrix(), await client.matrix()
        assert first == second
        assert (await client.healthy()).ok
        assert (await client.openapi())["openapi"].startswith("3.1")
        assert b"<html" in await client.docs()
