"""`GET fleet/matrix` (decision 68)."""

import pytest

from http_client import CLOUD, serving


@pytest.mark.anyio
async def test_the_matrix_is_sent_as_it_is() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/fleet/matrix")
    assert reply.status == 200
    assert reply.json == {
        "api_version": "1.0",
        "connected_via": "runtime-a",
        "runtimes": ["runtime-a"],
        "rows": [],
    }


@pytest.mark.anyio
async def test_it_takes_no_parameters() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/fleet/matrix?at=now")
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
