"""`GET audit` and `GET audit/{audit_id}` (contract 6.18)."""

import pytest

from http_client import CLOUD, Behind, record, serving
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.errors import StoreBusy, StoreFailed
from trust_runtime.contracts.ids import RuntimeId


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", AuditFilter(limit=100)),
        ("?limit=1", AuditFilter(limit=1)),
        ("?limit=1000", AuditFilter(limit=1000)),
        ("?cursor=7", AuditFilter(before_seq=7)),
        (
            "?request_id=r%201&actor=local%3A%2F%2Fx",
            AuditFilter(request_id="r 1", actor="local://x"),
        ),
        ("?runtime=press", AuditFilter(runtime="site-b/press")),
        ("?runtime=default-site/press", AuditFilter(runtime="press")),
    ],
)
async def test_the_query_is_the_filter(query: str, wanted: AuditFilter) -> None:
    async with serving(Behind(own=RuntimeId("site-b/runtime-a"))) as served:
        reply = await served.ask("GET", f"{CLOUD}/audit{query}")
    assert (reply.status, reply.json) == (200, {"api_version": "1.0", "items": []})
    assert served.behind.asked == [("list", wanted)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?limit=0", "query.limit"),
        ("?limit=1001", "query.limit"),
        ("?limit=", "query.limit"),
        ("?cursor=0", "query.cursor"),
        ("?cursor=abc", "query.cursor"),
        ("?limits=1", "did you mean 'limit'"),
        ("?limit=1&limit=1", "query.limit"),
        ("?runtime=", "''"),
        ("?runtime=a/b/c", "'a/b/c'"),
    ],
)
async def test_a_wrong_parameter_is_400_and_named(query: str, named: str) -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/audit{query}")
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
    assert named in reply.json["error"]
    assert served.behind.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("seqs", "limit", "cursor"),
    [((9, 8), 2, "8"), ((9, 8), 3, None), ((2, 1), 2, None), ((), 1, None)],
)
async def test_a_full_page_says_where_to_go_on(
    seqs: tuple[int, ...], limit: int, cursor: str | None
) -> None:
    behind = Behind(records=tuple(record(seq) for seq in seqs))
    async with serving(behind) as served:
        reply = await served.ask("GET", f"{CLOUD}/audit?limit={limit}")
    assert [item["seq"] for item in reply.json["items"]] == list(seqs)
    assert reply.json.get("next_cursor") == cursor


@pytest.mark.anyio
async def test_every_record_of_an_id_names_its_holder() -> None:
    behind = Behind(records=(record(1, "audit-a b"), record(2, "audit-x")))
    async with serving(behind) as served:
        reply = await served.ask("GET", f"{CLOUD}/audit/audit-a%20b")
    assert reply.status == 200
    assert [(r["held_by"], r["seq"]) for r in reply.json["records"]] == [("runtime-a", 1)]


@pytest.mark.anyio
async def test_an_unknown_id_is_404() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/audit/audit-nobody")
    assert (reply.status, reply.json["denial_code"]) == (404, "peer_not_available")
    assert "audit-nobody" in reply.json["error"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/audit", "/audit/audit-1"])
async def test_a_store_that_cannot_be_read_is_503(path: str) -> None:
    async with serving(Behind(fault=StoreFailed("state.db is damaged", "repair it"))) as served:
        reply = await served.ask("GET", CLOUD + path)
    assert (reply.status, reply.json["denial_code"]) == (503, "transport_failure")
    assert reply.json["remedy"] == "repair it"


@pytest.mark.anyio
async def test_a_store_with_too_many_reads_is_overloaded_and_says_when_to_ask_again() -> None:
    async with serving(Behind(fault=StoreBusy("1024 reads wait", "ask again"))) as served:
        reply = await served.ask("GET", CLOUD + "/audit")
    assert (reply.status, reply.json["denial_code"]) == (503, "overloaded")
    assert reply.headers["retry-after"] == "1"
