"""The client for asyncio."""

from collections.abc import AsyncIterator
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


class AsyncClient:
    """The same for asyncio; use it in an `async with` statement."""

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        ca: Path | None = None,
    ) -> None:
        """Talk to `endpoint`; see `Client`."""
        self._http = httpx.AsyncClient(
            base_url=endpoint,
            headers=headers(token),
            timeout=timeout_s,
            verify=verification(endpoint, ca),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def state(self, at: str | None = None) -> StateDocument:
        """See `Client.state`."""
        return await self.send(calls.state(at))

    async def matrix(self) -> Matrix:
        """See `Client.matrix`."""
        return await self.send(calls.matrix())

    async def timeline(
        self,
        *,
        since: str | int | None = None,
        category: Category | None = None,
        runtime: str | None = None,
        limit: int | None = None,
    ) -> TimelinePage:
        """See `Client.timeline`."""
        return await self.send(
            calls.timeline(since=since, category=category, runtime=runtime, limit=limit)
        )

    async def preflight(self, request: ActionRequest) -> Preflight:
        """See `Client.preflight`."""
        return await self.send(calls.preflight(request))

    async def dispatch(self, request: ActionRequest) -> DispatchReport:
        """See `Client.dispatch`."""
        return await self.send(calls.dispatch(request))

    async def action(self, request_id: str) -> ActionRow:
        """See `Client.action`."""
        return await self.send(calls.action(request_id))

    async def config(self, target: str | None = None) -> ConfigView:
        """See `Client.config`."""
        return await self.send(calls.config(target))

    async def write_config(self, write: DesiredWrite, target: str | None = None) -> DesiredDone:
        """See `Client.write_config`."""
        return await self.send(calls.write_config(write, target))

    async def config_history(
        self,
        target: str | None = None,
        *,
        limit: int | None = None,
        before: int | None = None,
        revision: int | None = None,
    ) -> ConfigHistory:
        """See `Client.config_history`."""
        return await self.send(
            calls.config_history(target, limit=limit, before=before, revision=revision)
        )

    async def roll_back_config(
        self, rollback: ConfigRollback, target: str | None = None
    ) -> DesiredDone:
        """See `Client.roll_back_config`."""
        return await self.send(calls.roll_back_config(rollback, target))

    async def links(self) -> LinkPage:
        """See `Client.links`."""
        return await self.send(calls.links())

    async def set_link(self, write: TransportWrite) -> LinkSet:
        """See `Client.set_link`."""
        return await self.send(calls.set_link(write))

    async def remove_link(self, source: str, target: str) -> LinkRemoved:
        """See `Client.remove_link`."""
        return await self.send(calls.remove_link(source, target))

    async def io_config(self, target: str | None = None) -> IoView:
        """See `Client.io_config`."""
        return await self.send(calls.io_config(target))

    async def write_io_config(self, write: IoWrite) -> IoSaved:
        """See `Client.write_io_config`."""
        return await self.send(calls.write_io_config(write))

    async def proxy(self, request: ProxyRequest) -> ControlReply:
        """See `Client.proxy`."""
        return await self.send(calls.proxy(request))

    async def control(self, request: DirectRequest) -> ControlReply:
        """See `Client.control`."""
        return await self.send(calls.control(request))

    async def audit(
        self,
        *,
        request_id: str | None = None,
        actor: str | None = None,
        runtime: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AuditPage:
        """See `Client.audit`."""
        return await self.send(
            calls.audit(
                request_id=request_id, actor=actor, runtime=runtime, limit=limit, cursor=cursor
            )
        )

    async def audit_records(self, audit_id: str) -> AuditRecords:
        """See `Client.audit_records`."""
        return await self.send(calls.audit_records(audit_id))

    async def start_pairing(self, start: PairStart) -> PairStarted:
        """See `Client.start_pairing`."""
        return await self.send(calls.start_pairing(start))

    async def claim_pairing(self, claim: PairClaim) -> PairClaimed:
        """See `Client.claim_pairing`."""
        return await self.send(calls.claim_pairing(claim))

    async def pairings(self) -> PairingPage:
        """See `Client.pairings`."""
        return await self.send(calls.pairings())

    async def revoke_pairing(self, token_id: str) -> PairRevoked:
        """See `Client.revoke_pairing`."""
        return await self.send(calls.revoke_pairing(token_id))

    async def ready(self) -> Readiness:
        """See `Client.ready`."""
        return await self.send(calls.ready())

    async def healthy(self) -> Alive:
        """See `Client.healthy`."""
        return await self.send(calls.healthy())

    async def metrics(self) -> bytes:
        """See `Client.metrics`."""
        return await self.send(calls.metrics())

    async def openapi(self) -> dict[str, Any]:
        """See `Client.openapi`."""
        return await self.send(calls.openapi())

    async def docs(self) -> bytes:
        """See `Client.docs`."""
        return await self.send(calls.docs())

    async def events(self, last_event_id: str | None = None) -> AsyncIterator[StreamMessage]:
        """See `Client.events`."""
        reader = MessageReader()
        try:
            async with self._http.stream(
                "GET", EVENTS, headers=resume(last_event_id), timeout=SILENCE_S
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    stream_call().read(answer.status_code, await answer.aread())
                async for line in answer.aiter_lines():
                    for message in reader.take(line):
                        yield message
        except httpx.HTTPError as error:
            raise no_answer(self._http.base_url, error) from error

    async def send(self, call: Call[T]) -> T:
        """Send one call and return its answer."""
        try:
            answer = await self._http.request(
                call.method,
                call.path,
                params=call.query or None,
                content=call.body,
                headers=content_type(call),
            )
        except httpx.HTTPError as error:
            raise no_answer(self._http.base_url, error) from error
        return call.read(answer.status_code, answer.content)
