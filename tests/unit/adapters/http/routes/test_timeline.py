"""`GET timeline` (contract 6.17)."""

import pytest

from http_client import CLOUD, Behind, serving
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent, TimelineFilter


def event(number: int) -> TimelineEvent:
    return TimelineEvent(
        event_id=f"evt-{number}",
        timestamp_ns=number,
        category=Category.COMMUNICATION,
        severity=Severity.INFO,
        runtime_id="runtime-b",
        summary="runtime-b is online",
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", TimelineFilter()),
        ("?limit=1000", TimelineFilter(limit=1_000)),
        ("?since=17", TimelineFilter(since=17)),
        ("?since=evt-1", TimelineFilter(since="evt-1")),
        ("?category=security", TimelineFilter(category=Category.SECURITY)),
        ("?runtime=press", TimelineFilter(runtime="site-b/press")),
    ],
)
async def test_the_query_is_the_filter(query: str, wanted: TimelineFilter) -> None:
    async with serving(Behind(own=RuntimeId("site-b/runtime-a"))) as served:
        reply = await served.ask("GET", f"{CLOUD}/timeline{query}")
    assert (reply.status, reply.json) == (200, {"api_version": "1.0", "items": []})
    assert served.behind.past.asked == [wanted]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?limit=0", "query.limit"),
        ("?limit=1001", "query.limit"),
        ("?category=weather", "communication"),
        ("?runtime=a/b/c", "'a/b/c'"),
        ("?sinse=1", "did you mean 'since'"),
    ],
)
async def test_a_wrong_parameter_is_400_and_named(query: str, named: str) -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/timeline{query}")
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
    assert named in reply.json["error"]
    assert served.behind.past.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "next_since"),
    [("?since=0&limit=2", "evt-2"), ("?since=0&limit=3", None), ("?limit=2", None)],
)
async def test_a_full_page_after_a_beginning_says_where_to_go_on(
    query: str, next_since: str | None
) -> None:
    behind = Behind()
    behind.past.events = (event(1), event(2))
    async with serving(behind) as served:
        reply = await served.ask("GET", f"{CLOUD}/timeline{query}")
    assert [one["event_id"] for one in reply.json["items"]] == ["evt-1", "evt-2"]
    assert reply.json.get("next_since") == next_since
