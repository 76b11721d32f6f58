"""What an endpoint is given: the request that passed every stage, and the services behind it."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct, field
from starlette.datastructures import Headers

from trust_runtime.adapters.http.operating import Operating
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.answers import (
    ConfigAnswer,
    HeldRecord,
    Readiness,
    Shown,
    Unanswered,
)
from trust_runtime.contracts.audit import AuditFilter, AuditRecord
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
    HistoryParams,
)
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.metrics import Metric
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import DispatchReport
from trust_runtime.contracts.sight import Matrix
from trust_runtime.contracts.timeline import TimelineEvent, TimelineFilter
from trust_runtime.core.policy.case import DecisionFacts
from trust_runtime.services.history import PastState
from trust_runtime.services.stream import Stream


class Fleet(Protocol):
    """The fleet as this runtime sees it."""

    def state_json(self, caller: Caller) -> bytes:
        """Return the state document for `caller`, as JSON."""
        ...

    def past_json(
        self,
        caller: Caller,
        topology: Topology,
        events: tuple[TimelineEvent, ...],
        *,
        at_ns: int,
        recorded_at_ns: int,
    ) -> bytes:
        """Return the state document of a past instant for `caller`, as JSON."""
        ...

    def decision_facts(self) -> DecisionFacts:
        """Return the snapshot that decisions are taken on; names of runtimes come from it."""
        ...


class Actions(Protocol):
    """Preflight and dispatch."""

    async def preflight(self, request: ActionRequest, caller: Caller) -> Preflight:
        """Return the decision."""
        ...

    async def dispatch(self, request: ActionRequest, caller: Caller) -> DispatchReport:
        """Return exactly one result per target."""
        ...


class Config(Protocol):
    """The configuration of every runtime; another one is asked, and may not answer.

    Each may raise StoreFailed: nothing was kept, and nothing was sent.
    """

    async def view(self, target: RuntimeId, caller: Caller) -> Shown[ConfigView] | Unanswered:
        """Return every document."""
        ...

    async def history(
        self, target: RuntimeId, wanted: HistoryParams, caller: Caller
    ) -> Shown[ConfigHistory] | Unanswered:
        """Return revisions, newest first."""
        ...

    async def write_desired(
        self, target: RuntimeId, write: DesiredWrite, caller: Caller, *, if_match: str | None
    ) -> ConfigAnswer | Unanswered:
        """Store a patch or say why not."""
        ...

    async def roll_back(
        self, target: RuntimeId, rollback: ConfigRollback, caller: Caller
    ) -> ConfigAnswer | Unanswered:
        """Store an older document as a new revision or say why not."""
        ...


class Audit(Protocol):
    """The records of this runtime."""

    async def find(self, audit_id: str) -> tuple[HeldRecord, ...]:
        """Return the records of one id, oldest first.

        Raises:
            StoreFailed: they cannot be read.
        """
        ...

    async def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """Return matching records, newest first.

        Raises:
            StoreFailed: they cannot be read.
        """
        ...


class Timeline(Protocol):
    """The events of this runtime."""

    async def list(self, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
        """Return matching events, oldest first.

        Raises:
            ContractViolation: the filter is out of range.
            StoreFailed: they cannot be read.
        """
        ...


class History(Protocol):
    """The states of the past."""

    async def at(self, at_ns: int) -> PastState:
        """Return the state at an instant, or why it is not known.

        Raises:
            StoreFailed: they cannot be read.
        """
        ...


class Views(Protocol):
    """Who sees whom."""

    async def matrix(self) -> Matrix:
        """Return it as it is now."""
        ...


class Watching(Struct, frozen=True, kw_only=True):
    """What tells of the past, of others' views, and of what happens from now on."""

    timeline: Timeline
    """`timeline`."""

    history: History
    """`state?at=`."""

    views: Views
    """`fleet/matrix`."""

    stream: Stream
    """`events`."""


class Backend(Struct, frozen=True, kw_only=True):
    """Everything an endpoint may call."""

    own: RuntimeId
    """This runtime."""

    fleet: Fleet
    """`GET state`."""

    actions: Actions
    """Preflight and dispatch."""

    config: Config
    """`config` and what is below it."""

    audit: Audit
    """`audit`."""

    watching: Watching
    """`timeline`, `state?at=`, `fleet/matrix` and `events`."""

    operating: Operating
    """`actions/{request_id}`, `links`, `io/config`, `control/proxy`, `/api/control`, pairing."""

    readiness: Callable[[], Readiness]
    """`/readyz`."""

    metrics: Callable[[], tuple[Metric, ...]]
    """`/metrics`, as far as services measured it."""

    refused: Counter[str]
    """`/metrics`: requests refused before any decision, by stage."""


class Asked(Struct, frozen=True, kw_only=True):
    """What was asked, and by whom."""

    authenticated: Caller | None
    """None at an open endpoint, where nobody has to be anybody."""

    headers: Headers
    """As received, names case-insensitive."""

    address: str = ""
    """IP address of the peer; empty when it is gone already."""

    holds: Callable[[], bool] = lambda: True
    """Whether what authenticated the caller is still valid; an answer that goes on asks again."""

    path: Mapping[str, str] = field(default_factory=dict)
    """Parts of the path that its route names, percent-decoded."""

    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameters, each known to the route and given once."""

    body: Mapping[str, Any] = field(default_factory=dict)
    """Members of the JSON body; empty without one."""

    @property
    def caller(self) -> Caller:
        """Who asks; only at endpoints that have a door."""
        assert self.authenticated is not None, "an open endpoint asked for its caller"  # noqa: S101 - a mistake in the route table
        return self.authenticated
