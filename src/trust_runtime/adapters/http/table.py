"""Every endpoint of this version, in one table (contract 6.5)."""
# ruff: noqa: E501 - one row, one line: a table is read by columns

from typing import Final

from msgspec import Struct, field

from trust_runtime.adapters.http.errors import Refusal, refuse_as
from trust_runtime.adapters.http.parameters import TEXT, Parameter, whole
from trust_runtime.adapters.http.query import decode_part
from trust_runtime.adapters.http.route import Route
from trust_runtime.adapters.http.routes import (
    actions,
    api,
    audit,
    config,
    control,
    events,
    fleet,
    health,
    io,
    links,
    metrics,
    pairing,
    state,
    timeline,
)
from trust_runtime.contracts import pages
from trust_runtime.contracts.action_rows import ActionRow
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.config import (
    HISTORY_LIMIT_MAX,
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
)
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.fleet import StateDocument
from trust_runtime.contracts.io import IoSaved, IoView, IoWrite
from trust_runtime.contracts.links import LinkPage, LinkRemoved, LinkSet, TransportWrite
from trust_runtime.contracts.pairing import (
    PairClaim,
    PairClaimed,
    PairingPage,
    PairRevoked,
    PairStart,
    PairStarted,
)
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.proxies import DirectRequest, ProxyRequest
from trust_runtime.contracts.results import ControlReply, DispatchReport
from trust_runtime.contracts.sight import Matrix

_CLOUD: Final = "/api/runtime-cloud"
_NOT_FOUND: Final = 404
_METHOD_NOT_ALLOWED: Final = 405

_AUDIT_QUERY: Final = ("request_id", "actor", "runtime", "limit", "cursor")
_TARGET: Final = ("target",)
_HISTORY_QUERY: Final = ("target", "limit", "before", "revision")
_HISTORY_LIMIT: Final = {
    "limit": Parameter("At most so many items.", whole(1, HISTORY_LIMIT_MAX, 50))
}
_AT: Final = ("at",)
_TIMELINE_QUERY: Final = ("since", "category", "runtime", "limit")

_ONE_REQUEST: Final = {"request_id": Parameter("The id of a dispatch.", TEXT)}

_DOCUMENT: Final = api.ApiDocument(lambda: ROUTES)

# A row says: method, path, least role, handler, query, config-write door; then what the API
# document needs beyond the handler's docstring: answer=, body=, and also= for further statuses.
# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    Route("GET",  f"{_CLOUD}/state", Role.VIEWER, state.get_state, _AT, answer=StateDocument, also=(404,)),
    Route("GET",  f"{_CLOUD}/fleet/matrix", Role.VIEWER, fleet.get_matrix, answer=Matrix),
    Route("GET",  f"{_CLOUD}/timeline", Role.VIEWER, timeline.get_timeline, _TIMELINE_QUERY, answer=pages.TimelinePage),
    Route("GET",  f"{_CLOUD}/events", Role.VIEWER, events.get_events, answer=str, media=events.MEDIA_TYPE),
    Route("POST", f"{_CLOUD}/actions/preflight", Role.VIEWER, actions.post_preflight, folds_profile=True, body=ActionRequest, answer=Preflight),
    Route("POST", f"{_CLOUD}/actions/dispatch", Role.VIEWER, actions.post_dispatch, folds_profile=True, body=ActionRequest, answer=DispatchReport),
    Route("GET",  f"{_CLOUD}/actions/{{request_id}}", Role.VIEWER, actions.get_action, answer=ActionRow, described=_ONE_REQUEST, also=(404,)),
    Route("GET",  f"{_CLOUD}/config", Role.VIEWER, config.get_config, _TARGET, answer=ConfigView, also=(504,)),
    Route("POST", f"{_CLOUD}/config/desired", Role.ENGINEER, config.post_desired, _TARGET, config_write=True, body=DesiredWrite, answer=pages.DesiredDone, also=(409, 412, 504)),
    Route("GET",  f"{_CLOUD}/config/history", Role.VIEWER, config.get_history, _HISTORY_QUERY, answer=ConfigHistory, described=_HISTORY_LIMIT, also=(504,)),
    Route("POST", f"{_CLOUD}/config/rollback", Role.ENGINEER, config.post_rollback, _TARGET, config_write=True, body=ConfigRollback, answer=pages.DesiredDone, also=(409, 504)),
    Route("GET",  f"{_CLOUD}/links", Role.VIEWER, links.get_links, answer=LinkPage),
    Route("DELETE", f"{_CLOUD}/links", Role.ENGINEER, links.delete_link, links.MEMBERS, answer=LinkRemoved, also=(404, 409)),
    Route("POST", f"{_CLOUD}/links/transport", Role.ENGINEER, links.post_transport, body=TransportWrite, answer=LinkSet),
    Route("GET",  f"{_CLOUD}/io/config", Role.VIEWER, io.get_io_config, _TARGET, answer=IoView, also=(504,)),
    Route("POST", f"{_CLOUD}/io/config", Role.ENGINEER, io.post_io_config, config_write=True, folds_profile=True, body=IoWrite, answer=IoSaved, also=(409, 504)),
    Route("POST", f"{_CLOUD}/control/proxy", Role.VIEWER, control.post_proxy, folds_profile=True, body=ProxyRequest, answer=ControlReply, also=(409, 504)),
    Route("POST", "/api/control", Role.VIEWER, control.post_control, body=DirectRequest, answer=ControlReply, also=(409, 504)),
    Route("GET",  f"{_CLOUD}/audit", Role.VIEWER, audit.get_audit, _AUDIT_QUERY, answer=pages.AuditPage),
    Route("GET",  f"{_CLOUD}/audit/{{audit_id}}", Role.VIEWER, audit.get_audit_record, answer=pages.AuditRecords, also=(404,)),
    Route("POST", "/api/pair/start", Role.ADMIN, pairing.post_pair_start, body=PairStart, answer=PairStarted, also=(404,)),
    Route("POST", "/api/pair/claim", None, pairing.post_pair_claim, body=PairClaim, answer=PairClaimed, also=(429,)),
    Route("GET",  "/api/pairings", Role.ADMIN, pairing.get_pairings, answer=PairingPage),
    Route("DELETE", "/api/pairings/{token_id}", Role.ADMIN, pairing.delete_pairing, answer=PairRevoked, also=(404,)),
    Route("GET",  "/metrics", Role.VIEWER, metrics.get_metrics, answer=str, media=metrics.MEDIA_TYPE),
    Route("GET",  "/healthz", None, health.get_healthz, answer=pages.Alive),
    Route("GET",  "/readyz", None, health.get_readyz, answer=pages.Ready),
    Route("GET",  "/api/openapi.json", None, _DOCUMENT.get_openapi, answer=dict),
    Route("GET",  "/api/docs", None, _DOCUMENT.get_docs, answer=str, media="text/html"),
)
# fmt: on


class Match(Struct, frozen=True, kw_only=True):
    """The row a request belongs to."""

    route: Route
    """The row."""

    parts: dict[str, str] = field(default_factory=dict)
    """What stands where the path has names, still percent-encoded."""

    def path_values(self) -> dict[str, str]:
        """Return the named parts, decoded.

        Raises:
            ContractViolation: one is not UTF-8.
        """
        return {name: decode_part(text) for name, text in self.parts.items()}


_EXACT: Final = {
    path: tuple(route for route in ROUTES if route.path == path)
    for path in sorted({route.path for route in ROUTES if "{" not in route.path})
}
_NAMED: Final = tuple(route for route in ROUTES if "{" in route.path)


def find_route(method: str, path: str) -> Match | Refusal:
    """Return the row for a method and the raw path, or 404, or 405 with `Allow`.

    A path without names goes before one with names, as in OpenAPI.
    """
    exact: list[tuple[Route, dict[str, str]]] = [(route, {}) for route in _EXACT.get(path, ())]
    named = ((r, parts) for r in _NAMED if (parts := _match(r.path, path)) is not None)
    allowed: list[str] = []
    for route, parts in exact or named:
        methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
        if method in methods:
            return Match(route=route, parts=parts)
        allowed += methods
    if not allowed:
        return refuse_as(
            _NOT_FOUND, f"there is no {_shown(path)} in this version", "check the path"
        )
    refusal = refuse_as(
        _METHOD_NOT_ALLOWED,
        f"{method} is not possible at {_shown(path)}",
        "use " + " or ".join(sorted(allowed)),
    )
    return Refusal(
        denial=refusal.denial,
        status=refusal.status,
        headers={"allow": ", ".join(sorted(allowed))},
    )


def _match(pattern: str, path: str) -> dict[str, str] | None:
    """Return the named parts of `path` when it has the form of `pattern`."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    parts: dict[str, str] = {}
    for name, part in zip(wanted, given, strict=True):
        if name.startswith("{"):
            parts[name[1:-1]] = part
        elif name != part:
            return None
    return parts if all(parts.values()) else None


def _shown(path: str) -> str:
    """Return a path for an error text, cut where nobody would read on."""
    return path if len(path) <= 200 else path[:200] + "..."  # noqa: PLR2004 - a text for people
