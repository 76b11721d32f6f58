"""`GET state`: the fleet as this runtime sees it, now or at a past instant (contract 6.6, D68)."""

from starlette.responses import Response

from trust_runtime.adapters.http.answers import bytes_answer
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refuse
from trust_runtime.adapters.http.instants import parse_instant
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.timeline import TimelineFilter


async def get_state(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return the state document of this caller; with `at`, that of a past instant."""
    text = asked.query.get("at")
    if text is None:
        return bytes_answer(backend.fleet.state_json(asked.caller))
    at_ns = parse_instant("at", text)
    past = await backend.watching.history.at(at_ns)
    if past.topology is None:
        return refuse(
            DenialCode.PEER_NOT_AVAILABLE,
            f"{backend.own} does not know the state at {text}: {past.unknown_because}",
            "ask for another instant, or ask another runtime",
        )
    events = await backend.watching.timeline.list(TimelineFilter(until_ns=at_ns))
    return bytes_answer(
        backend.fleet.past_json(
            asked.caller,
            past.topology,
            events,
            at_ns=at_ns,
            recorded_at_ns=past.recorded_at_ns,
        )
    )
