"""One row of the route table: what may be asked, by whom, who answers, and what it means."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct, field
from starlette.responses import Response

from trust_runtime.adapters.http.answers import JSON
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal
from trust_runtime.adapters.http.parameters import Parameter
from trust_runtime.contracts.policy import Role

Handler = Callable[[Asked, Backend], Awaitable[Response | Refusal]]
"""Its docstring is the endpoint's text in the API document: the first line is the summary."""


class Route(Struct, frozen=True):
    """One endpoint; the API document is made of these rows alone."""

    method: str
    """`GET` (answers `HEAD` too), `POST` or `DELETE`."""

    path: str
    """As on the wire; a part `{name}` matches one part that is not empty."""

    door: Role | None
    """The least role, or None for an open endpoint."""

    handler: Handler
    """Called after every stage before it let the request pass."""

    query: tuple[str, ...] = ()
    """Query parameters it knows."""

    config_write: bool = False
    """A too low role is answered with `acl_denied_cfg_write`."""

    folds_profile: bool = False
    """Its own decision says what the profile lacks, instead of 503 before it."""

    answer: Any = None
    """The contract of its 200 answer; `str` for a text."""

    body: Any = None
    """The contract of its body; None for an endpoint that takes none."""

    bodiless: bool = False
    """A POST that takes no body."""

    also: tuple[int, ...] = ()
    """Statuses it gives beyond those of the stages before it."""

    media: str = JSON
    """The content type of its 200 answer."""

    described: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters that mean something else here than in `parameters.PARAMETERS`."""
