"""Every call of the API as a value: what is sent, and what the answer is read as. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

from msgspec import Struct, field, structs

from trust_runtime.client.answers import ConfigConflict, Readiness
from trust_runtime.contracts.action_rows import ActionRow
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.codec import decode_json, encode_json
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
)
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import ContractViolation, NoAnswer, Refused, TrustError
from trust_runtime.contracts.fleet import StateDocument
from trust_runtime.contracts.io import IoSaved, IoView, IoWrite
from trust_runtime.contracts.links import LinkPage, LinkRemoved, LinkSet, TransportWrite
from trust_runtime.contracts.pages import (
    Alive,
    AuditPage,
    AuditRecords,
    DesiredDone,
    TimelinePage,
)
from trust_runtime.contracts.pairing import (
    PairClaim,
    PairClaimed,
    PairingPage,
    PairRevoked,
    PairStart,
    PairStarted,
)
from trust_runtime.contracts.proxies import DirectRequest, ProxyRequest
from trust_runtime.contracts.results import ControlReply, DispatchReport
from trust_runtime.contracts.sight import Matrix
from trust_runtime.contracts.timeline import Category

T = TypeVar("T")

CLOUD: Final = "/api/runtime-cloud"
_OK: Final = 200
_UNREADY: Final = 503


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and the type of its good answer."""

    method: str
    """`GET`, `POST` or `DELETE`."""
    path: str
    """Percent-encoded."""
    kind: type[T]
    """What a good answer is read as; `bytes` is taken as it is."""
    route: str
    """The path as the route table has it."""
    query: dict[str, str] = field(default_factory=dict)
    """Query parameters; those without a value are left out."""
    body: bytes | None = None
    """JSON."""
    good: tuple[int, ...] = (_OK,)
    """Statuses of a good answer."""

    def read(self, status: int, content: bytes) -> T:
        """Return the answer.

        Raises:
            Refused: the runtime said no.
            NoAnswer: it is no answer of this API.
        """
        if status not in self.good:
            raise _refused(status, content)
        if self.kind is bytes:
            return content  # type: ignore[return-value]  # T is bytes here
        try:
            return decode_json(content, self.kind)
        except ContractViolation as error:
            raise NoAnswer(
                f"{self.method} {self.path} was answered with something else: {error}",
                "check that the address is that of a trust-runtime of this major version",
            ) from error


def state(at: str | None = None) -> Call[StateDocument]:
    """Return the call for the fleet's state, now or at an RFC 3339 instant."""
    return _get("/state", StateDocument, query={"at": at})


def matrix() -> Call[Matrix]:
    """Return the call for who sees whom."""
    return _get("/fleet/matrix", Matrix)


def timeline(
    *,
    since: str | int | None = None,
    category: Category | None = None,
    runtime: str | None = None,
    limit: int | None = None,
) -> Call[TimelinePage]:
    """Return the call for events, oldest first."""
    query = {"since": since, "category": category, "runtime": runtime, "limit": limit}
    return _get("/timeline", TimelinePage, query=query)


def preflight(request: ActionRequest) -> Call[Preflight]:
    """Return the call for a decision."""
    return _post("/actions/preflight", Preflight, request)


def dispatch(request: ActionRequest) -> Call[DispatchReport]:
    """Return the call for an execution."""
    return _post("/actions/dispatch", DispatchReport, request)


def config(target: str | None = None) -> Call[ConfigView]:
    """Return the call for every document of one runtime's configuration."""
    return _get("/config", ConfigView, query={"target": target})


def write_config(write: DesiredWrite, target: str | None = None) -> Call[DesiredDone]:
    """Return the call for a write of configuration."""
    return _post("/config/desired", DesiredDone, write, query={"target": target})


def config_history(
    target: str | None = None,
    *,
    limit: int | None = None,
    before: int | None = None,
    revision: int | None = None,
) -> Call[ConfigHistory]:
    """Return the call for the revisions of one runtime's configuration, newest first; or for one.

    `revision` is given without `limit` and `before`; its item has the whole document.
    """
    query = {"target": target, "limit": limit, "before": before, "revision": revision}
    return _get("/config/history", ConfigHistory, query=query)


def roll_back_config(rollback: ConfigRollback, target: str | None = None) -> Call[DesiredDone]:
    """Return the call for a new revision that equals an old one."""
    return _post("/config/rollback", DesiredDone, rollback, query={"target": target})


def action(request_id: str) -> Call[ActionRow]:
    """Return the call for what became of a dispatch."""
    return Call(
        method="GET",
        path=f"{CLOUD}/actions/{quote(request_id, safe='')}",
        route=f"{CLOUD}/actions/{{request_id}}",
        kind=ActionRow,
    )


def links() -> Call[LinkPage]:
    """Return the call for every link preference."""
    return _get("/links", LinkPage)


def set_link(write: TransportWrite) -> Call[LinkSet]:
    """Return the call that stores a link preference."""
    return _post("/links/transport", LinkSet, write)


def remove_link(source: str, target: str) -> Call[LinkRemoved]:
    """Return the call that forgets a link preference."""
    call = _get("/links", LinkRemoved, query={"source": source, "target": target})
    return structs.replace(call, method="DELETE")


def io_config(target: str | None = None) -> Call[IoView]:
    """Return the call for one runtime's inputs and outputs."""
    return _get("/io/config", IoView, query={"target": target})


def write_io_config(write: IoWrite) -> Call[IoSaved]:
    """Return the call that writes one runtime's inputs and outputs."""
    return _post("/io/config", IoSaved, write)


def proxy(request: ProxyRequest) -> Call[ControlReply]:
    """Return the call that runs a control verb at any runtime."""
    return _post("/control/proxy", ControlReply, request)


def control(request: DirectRequest) -> Call[ControlReply]:
    """Return the call that runs a control verb at the runtime itself."""
    return _at("/api/control", _post("", ControlReply, request))


def audit(
    *,
    request_id: str | None = None,
    actor: str | None = None,
    runtime: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[AuditPage]:
    """Return the call for audit records, newest first."""
    query = {
        "request_id": request_id,
        "actor": actor,
        "runtime": runtime,
        "limit": limit,
        "cursor": cursor,
    }
    return _get("/audit", AuditPage, query=query)


def audit_records(audit_id: str) -> Call[AuditRecords]:
    """Return the call for every record of one audit id."""
    return Call(
        method="GET",
        path=f"{CLOUD}/audit/{quote(audit_id, safe='')}",
        route=f"{CLOUD}/audit/{{audit_id}}",
        kind=AuditRecords,
    )


def start_pairing(start: PairStart) -> Call[PairStarted]:
    """Return the call for a code."""
    return _at("/api/pair/start", _post("", PairStarted, start))


def claim_pairing(claim: PairClaim) -> Call[PairClaimed]:
    """Return the call that takes the token of a code."""
    return _at("/api/pair/claim", _post("", PairClaimed, claim))


def pairings() -> Call[PairingPage]:
    """Return the call for every token, none of them itself."""
    return _plain("/api/pairings", PairingPage)


def revoke_pairing(token_id: str) -> Call[PairRevoked]:
    """Return the call that ends a token."""
    return Call(
        method="DELETE",
        path=f"/api/pairings/{quote(token_id, safe='')}",
        route="/api/pairings/{token_id}",
        kind=PairRevoked,
    )


def metrics() -> Call[bytes]:
    """Return the call for the metrics, as Prometheus text."""
    return _plain("/metrics", bytes)


def openapi() -> Call[dict[str, Any]]:
    """Return the call for the API's own description, OpenAPI 3.1."""
    return _plain("/api/openapi.json", dict)


def docs() -> Call[bytes]:
    """Return the call for the page that shows the API, as HTML."""
    return _plain("/api/docs", bytes)


def ready() -> Call[Readiness]:
    """Return the call for readiness; a runtime that is not ready is no error here."""
    return Call(method="GET", path="/readyz", route="/readyz", kind=Readiness, good=(_OK, _UNREADY))


def healthy() -> Call[Alive]:
    """Return the call that asks whether the process answers at all."""
    return _plain("/healthz", Alive)


def conflict_of(refused: Refused) -> ConfigConflict | None:
    """Return the present documents that came with a refused write, if any."""
    if "meta" not in refused.body:
        return None
    try:
        return decode_json(encode_json(refused.body), ConfigConflict)
    except ContractViolation:
        return None


def _get(path: str, kind: type[T], *, query: Mapping[str, Any] | None = None) -> Call[T]:
    return Call(
        method="GET", path=CLOUD + path, route=CLOUD + path, kind=kind, query=_given(query or {})
    )


def _plain(path: str, kind: type[T]) -> Call[T]:
    return Call(method="GET", path=path, route=path, kind=kind)


def _post(
    path: str, kind: type[T], body: object, *, query: Mapping[str, Any] | None = None
) -> Call[T]:
    return Call(
        method="POST",
        path=CLOUD + path,
        route=CLOUD + path,
        kind=kind,
        query=_given(query or {}),
        body=encode_json(_without_none(body)),
    )


def _at(path: str, call: Call[T]) -> Call[T]:
    return structs.replace(call, path=path, route=path)


def _given(query: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _without_none(body: object) -> object:
    if isinstance(body, Struct):
        names = body.__struct_encode_fields__
        values = (getattr(body, name) for name in body.__struct_fields__)
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}
    return body


def _refused(status: int, content: bytes) -> TrustError:
    try:
        body: dict[str, Any] = decode_json(content, dict)
    except ContractViolation:
        body = {}
    reason, remedy = body.get("error"), body.get("remedy")
    if not isinstance(reason, str):
        return NoAnswer(
            f"HTTP {status} without a reason", "check that the address is that of a trust-runtime"
        )
    code = body.get("denial_code")
    known = DenialCode(code) if code in set(DenialCode) else None
    return Refused(status, known, reason, remedy=str(remedy or ""), body=body)
