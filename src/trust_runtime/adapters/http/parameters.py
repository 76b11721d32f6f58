"""What the parameters of paths and queries mean, by name, for the API document."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.timeline import Category

_SEQ_MAX: Final = 2**63 - 1


class Parameter(Struct, frozen=True):
    """One parameter."""

    text: str
    """What it is for."""

    schema: Mapping[str, Any]
    """JSON Schema of its value."""


TEXT: Final[Mapping[str, Any]] = {"type": "string"}


def whole(least: int, most: int, default: int | None = None) -> Mapping[str, Any]:
    """Return the schema of a whole number in decimal digits."""
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return schema if default is None else {**schema, "default": default}


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "actor": Parameter("Only records of this claimed actor, exactly as given.", TEXT),
    "at": Parameter(
        "A past instant, RFC 3339; absent: now.",
        {"type": "string", "format": "date-time", "examples": ["2026-11-24T14:05:00Z"]},
    ),
    "audit_id": Parameter("The id of an audit record.", TEXT),
    "before": Parameter("Only revisions older than this one.", whole(1, _SEQ_MAX)),
    "category": Parameter(
        "Only events of this category.", {"type": "string", "enum": [str(c) for c in Category]}
    ),
    "cursor": Parameter("`next_cursor` of the page before.", whole(1, _SEQ_MAX)),
    "limit": Parameter("At most so many items.", whole(1, 1_000, 100)),
    "request_id": Parameter("Only records of this request, exactly as given.", TEXT),
    "revision": Parameter(
        "This revision alone, with its whole document; without `limit` and `before`.",
        whole(1, _SEQ_MAX),
    ),
    "token_id": Parameter("The public name of a token.", TEXT),
    "runtime": Parameter("Only what concerns this runtime, in any accepted spelling.", TEXT),
    "since": Parameter(
        "Only what came after this event id, or after these nanoseconds since the epoch.", TEXT
    ),
    "source": Parameter("The runtime whose process data travels, in any accepted spelling.", TEXT),
    "target": Parameter(
        "The runtime that is meant, in any accepted spelling; absent: the one that is asked.", TEXT
    ),
}
"""A route may describe a name otherwise with `Route.described`."""
