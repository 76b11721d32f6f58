"""The blocking client."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from trust_runtime.client import calls
from trust_runtime.client.answers import Readiness, StreamMessage
from trust_runtime.client.calls import Call
from trust_runtime.client.proving import verification
from trust_runtime.client.stream import MessageReader
from trust_runtime.client.wire import (
    EVENTS,
    SILENCE_S,
    TIMEOUT_S,
    content_type,
    headers,
    no_answer,
    resume,
    stream_call,
)
from trust_runtime.contracts.action_rows import ActionRow
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
)
from trust_runtime.contracts.decisions import Preflight
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


class Client:
    """A blocking client of one runtime; use it in a `with` statement.

    Every method raises `Refused` when the runtime says no and `NoAnswer` when nobody answers.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        ca: Path | None = None,
    ) -> None:
        """Talk to `endpoint`, e.g. `http://127.0.0.1:18081`.

        Args:
            endpoint: scheme, host and port.
            token: sent as `Authorization: Bearer`, for runtimes with `web.auth = "token"`.
            timeout_s: how long one call may take, in seconds.
            ca: PEM certificates that prove an `https` endpoint; absent: those of the system.
        """
        self._http = httpx.Client(
            base_url=endpoint,
            headers=headers(token),
            timeout=timeout_s,
            verify=verification(endpoint, ca),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()

    def state(self, at: str | None = None) -> StateDocument:
        """Return the fleet as that runtime sees it, now or at an RFC 3339 instant."""
        return self.send(calls.state(at))

    def matrix(self) -> Matrix:
        """Return who sees whom."""
        return self.send(calls.matrix())

    def timeline(
        self,
        *,
        since: str | int | None = None,
        category: Category | None = None,
        runtime: str | None = None,
        limit: int | None = None,
    ) -> TimelinePage:
        """Return events, oldest first; without `since` the newest."""
        return self.send(
            calls.timeline(since=since, category=category, runtime=runtime, limit=limit)
        )

    def preflight(self, request: ActionRequest) -> Preflight:
        """Return whether an action would be allowed, per target, and why not."""
        return self.send(calls.preflight(request))

    def dispatch(self, request: ActionRequest) -> DispatchReport:
        """Have an action executed; exactly one result per target."""
        return self.send(calls.dispatch(request))

    def action(self, request_id: str) -> ActionRow:
        """Return what became of a dispatch, as far as it is known."""
        return self.send(calls.action(request_id))

    def config(self, target: str | None = None) -> ConfigView:
        """Return the configuration of the runtime, or of another one of its fleet."""
        return self.send(calls.config(target))

    def write_config(self, write: DesiredWrite, target: str | None = None) -> DesiredDone:
        """Write configuration; `calls.conflict_of` reads what a refused write came with."""
        return self.send(calls.write_config(write, target))

    def config_history(
        self,
        target: str | None = None,
        *,
        limit: int | None = None,
        before: int | None = None,
        revision: int | None = None,
    ) -> ConfigHistory:
        """Return the revisions of a configuration, newest first; or one, with its document."""
        return self.send(
            calls.config_history(target, limit=limit, before=before, revision=revision)
        )

    def roll_back_config(self, rollback: ConfigRollback, target: str | None = None) -> DesiredDone:
        """Make a new revision that equals an old one."""
        return self.send(calls.roll_back_config(rollback, target))

    def links(self) -> LinkPage:
        """Return every link preference of the runtime."""
        return self.send(calls.links())

    def set_link(self, write: TransportWrite) -> LinkSet:
        """Store a link preference."""
        return self.send(calls.set_link(write))

    def remove_link(self, source: str, target: str) -> LinkRemoved:
        """Forget a link preference."""
        return self.send(calls.remove_link(source, target))

    def io_config(self, target: str | None = None) -> IoView:
        """Return the inputs and outputs of a runtime."""
        return self.send(calls.io_config(target))

    def write_io_config(self, write: IoWrite) -> IoSaved:
        """Write the inputs and outputs of a runtime; in force at its next start."""
        return self.send(calls.write_io_config(write))

    def proxy(self, request: ProxyRequest) -> ControlReply:
        """Run a control verb at any runtime of the fleet."""
        return self.send(calls.proxy(request))

    def control(self, request: DirectRequest) -> ControlReply:
        """Run a control verb at the runtime itself."""
        return self.send(calls.control(request))

    def audit(
        self,
        *,
        request_id: str | None = None,
        actor: str | None = None,
        runtime: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AuditPage:
        """Return audit records, newest first."""
        return self.send(
            calls.audit(
                request_id=request_id, actor=actor, runtime=runtime, limit=limit, cursor=cursor
            )
        )

    def audit_records(self, audit_id: str) -> AuditRecords:
        """Return every record of one audit id."""
        return self.send(calls.audit_records(audit_id))

    def start_pairing(self, start: PairStart) -> PairStarted:
        """Return a code for somebody who shall get a token."""
        return self.send(calls.start_pairing(start))

    def claim_pairing(self, claim: PairClaim) -> PairClaimed:
        """Return the token of a code, once."""
        return self.send(calls.claim_pairing(claim))

    def pairings(self) -> PairingPage:
        """Return every token that was given out, none of them itself."""
        return self.send(calls.pairings())

    def revoke_pairing(self, token_id: str) -> PairRevoked:
        """End a token at once and for ever."""
        return self.send(calls.revoke_pairing(token_id))

    def ready(self) -> Readiness:
        """Return whether the runtime is ready, and if not, why."""
        return self.send(calls.ready())

    def healthy(self) -> Alive:
        """Return that the process answers at all."""
        return self.send(calls.healthy())

    def metrics(self) -> bytes:
        """Return the metrics, as Prometheus text."""
        return self.send(calls.metrics())

    def openapi(self) -> dict[str, Any]:
        """Return the API's own description, OpenAPI 3.1."""
        return self.send(calls.openapi())

    def docs(self) -> bytes:
        """Return the page that shows the API, as HTML."""
        return self.send(calls.docs())

    def events(self, last_event_id: str | None = None) -> Iterator[StreamMessage]:
        """Yield what happens, until the runtime stops or the loop is left."""
        reader = MessageReader()
        try:
            with self._http.stream(
                "GET", EVENTS, headers=resume(last_event_id), timeout=SILENCE_S
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    stream_call().read(answer.status_code, answer.read())
                for line in answer.iter_lines():
                    yield from reader.take(line)
        except httpx.HTTPError as error:
            raise no_answer(self._http.base_url, error) from error

    def send(self, call: Call[T]) -> T:
        """Send one call and return its answer."""
        try:
            answer = self._http.request(
                call.method,
                call.path,
                params=call.query or None,
                content=call.body,
                headers=content_type(call),
            )
        except httpx.HTTPError as error:
            raise no_answer(self._http.base_url, error) from error
        return call.read(answer.status_code, answer.content)
