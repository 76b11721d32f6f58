"""`GET timeline`: the events that operators see (contract 6.17)."""

import re
from typing import Final

from starlette.responses import Response

from trust_runtime.adapters.http.answers import json_answer
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal
from trust_runtime.adapters.http.naming import named_runtime
from trust_runtime.adapters.http.query import whole_number
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.pages import TimelinePage
from trust_runtime.contracts.timeline import Category, TimelineFilter
from trust_runtime.contracts.units import API_VERSION

_ITEMS_DEFAULT: Final = "100"
_ITEMS_MAX: Final = 1_000
_NS: Final = re.compile(r"[0-9]{1,19}")


async def get_timeline(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return matching events, oldest first, and where to go on when there may be more."""
    query = asked.query
    runtime = query.get("runtime")
    if runtime is not None:
        named = named_runtime(runtime, backend)
        if isinstance(named, Refusal):
            return named
        runtime = named
    limit = whole_number("limit", query.get("limit", _ITEMS_DEFAULT), least=1, most=_ITEMS_MAX)
    since = query.get("since")
    events = await backend.watching.timeline.list(
        TimelineFilter(
            since=int(since) if since is not None and _NS.fullmatch(since) else since,
            category=_category(query.get("category")),
            runtime=runtime,
            limit=limit,
        )
    )
    more = since is not None and len(events) == limit
    return json_answer(
        TimelinePage(
            api_version=API_VERSION,
            items=events,
            next_since=events[-1].event_id if more else None,
        )
    )


def _category(text: str | None) -> Category | None:
    if text is None:
        return None
    try:
        return Category(text)
    except ValueError as error:
        raise ContractViolation("query.category", text, ", ".join(Category)) from error
