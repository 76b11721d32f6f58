"""A real HTTP server on loopback with hand-written services behind it, and a raw client."""

import asyncio
import json
import os
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from trust_runtime.adapters.http.endpoint import Backend, Watching
from trust_runtime.adapters.http.operating import Operating
from trust_runtime.adapters.http.pipeline import Door
from trust_runtime.adapters.http.protocol import Limits
from trust_runtime.adapters.http.server import HttpServer
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.answers import (
    ConfigAnswer,
    HeldRecord,
    Readiness,
    Shown,
    Unanswered,
)
from trust_runtime.contracts.audit import AuditFilter, AuditRecord, Phase, Verdict
from trust_runtime.contracts.config import (
    EMPTY_ETAG,
    ConfigHistory,
    ConfigMeta,
    ConfigRollback,
    ConfigState,
    ConfigStatus,
    ConfigView,
    DesiredWrite,
    HistoryItem,
    HistoryParams,
)
from trust_runtime.contracts.credentials import Presented
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.ids import BootId, RuntimeId, site_of
from trust_runtime.contracts.metrics import Metric
from trust_runtime.contracts.policy import Caller, Profile, Role
from trust_runtime.contracts.results import DispatchReport, ResultStatus, TargetResult
from trust_runtime.contracts.settings import Address, WebAuth, WebSettings
from trust_runtime.contracts.sight import Matrix
from trust_runtime.contracts.timeline import TimelineEvent, TimelineFilter
from trust_runtime.core.authentication import Gate, authenticate
from trust_runtime.core.policy.case import ConfigFacts, DecisionFacts
from trust_runtime.core.preconditions import Preconditions
from trust_runtime.services.history import PastState
from trust_runtime.services.stream import Stream

CLOUD = "/api/runtime-cloud"
OWN = RuntimeId("runtime-a")
WAIT_S = 10.0
META = ConfigMeta(
    api_version="1.0",
    desired_revision=0,
    reported_revision=0,
    desired_etag=EMPTY_ETAG,
    reported_etag=EMPTY_ETAG,
    last_writer="bootstrap",
    apply_policy="explicit",
    updated_at_ns=1,
)
STATUS = ConfigStatus(api_version="1.0", state=ConfigState.IN_SYNC, applied_revision=0, errors=())
READ = {
    "api_version": "1.0",
    "request_id": "r-1",
    "connected_via": "runtime-a",
    "target_runtimes": ["runtime-b"],
    "actor": "local://tester",
    "action_type": "status_read",
}
WRITE = {"api_version": "1.0", "actor": "local://tester", "desired": {"log.level": "debug"}}


def from_here(presented: Presented) -> Caller | Denial:
    """Admit this machine alone, as `web.auth = "local"` does."""
    gate = Gate(auth=WebAuth.LOCAL, site=site_of(OWN), token=None)
    caller = authenticate(presented, gate)
    return deny(DenialCode.PERMISSION_DENIED, "not from here") if caller is None else caller


def preflight_of(request: ActionRequest) -> Preflight:
    return Preflight(
        api_version="1.0",
        request_id=request.request_id,
        connected_via=OWN,
        acting_on=tuple(request.target_runtimes),
        allowed=True,
        decision_digest="sha256:0",
        decisions=(),
    )


def record(seq: int, audit_id: str = "audit-1") -> AuditRecord:
    return AuditRecord(
        audit_id=audit_id,
        phase=Phase.SINGLE,
        seq=seq,
        timestamp_ns=1,
        origin=OWN,
        actor="local://tester",
        identity="local://admin",
        role=Role.ADMIN,
        action_type="status_read",
        request_id="r-1",
        decision=Verdict.ALLOWED,
        payload_digest="sha256:0",
        prev_hash="0",
        hash="1",
    )


class Overlooking:
    """What tells of the past and of others; shows what the test put there, and notes questions."""

    def __init__(self) -> None:
        self.events: tuple[TimelineEvent, ...] = ()
        self.state = PastState(topology=None, unknown_because="nothing is recorded of that time")
        self.seen = Matrix(api_version="1.0", connected_via=OWN, runtimes=(OWN,), rows=())
        self.stream = Stream(BootId("01a20fa0-2661-7008-b25e-babb82bd45a2"))
        self.asked: list[Any] = []

    async def list(self, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
        self.asked.append(wanted)
        return self.events[: wanted.limit]

    async def at(self, at_ns: int) -> PastState:
        self.asked.append(at_ns)
        return self.state

    async def matrix(self) -> Matrix:
        return self.seen

    def watching(self) -> Watching:
        return Watching(timeline=self, history=self, views=self, stream=self.stream)


class Paired:
    """Codes and tokens, answered as everything that is operated."""

    def __init__(self, operated: "Operated") -> None:
        self._operated = operated

    async def start(self, start: Any, caller: Caller) -> Any:
        return self._operated.give("start", start, caller)

    async def claim(self, code: str, address: str) -> Any:
        return self._operated.give("claim", code, address)

    async def list(self, caller: Caller) -> Any:
        return self._operated.give("list", caller)

    async def revoke(self, token_id: str, caller: Caller) -> Any:
        return self._operated.give("revoke", token_id, caller)


class Operated:
    """Rows, links, I/O and verbs: gives what the test put there, and notes what was asked."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.asked: list[tuple[Any, ...]] = []

    async def find(self, request_id: str) -> Any:
        return self.give("find", request_id)

    def list(self) -> Any:
        return self.give("list")

    async def set(self, write: Any, caller: Caller) -> Any:
        return self.give("set", write, caller)

    async def remove(self, source: str, target: str, caller: Caller) -> Any:
        return self.give("remove", source, target, caller)

    async def view(self, target: RuntimeId, caller: Caller) -> Any:
        return self.give("view", target, caller)

    async def write(self, target: RuntimeId, write: Any, caller: Caller) -> Any:
        return self.give("write", target, write, caller)

    async def proxy(self, wanted: Any, caller: Caller) -> Any:
        return self.give("proxy", wanted, caller)

    async def control(self, wanted: Any, caller: Caller) -> Any:
        return self.give("control", wanted, caller)

    def operating(self) -> Operating:
        return Operating(rows=self, links=self, io=self, proxies=self, pairings=Paired(self))

    def give(self, *what: Any) -> Any:
        self.asked.append(what)
        return self.answer


@dataclass
class Behind:
    """The services: each remembers what it was asked and gives what the test laid ready."""

    own: RuntimeId = OWN
    peers: frozenset[RuntimeId] = frozenset()
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    written: ConfigAnswer = field(
        default_factory=lambda: ConfigAnswer(
            changed=True, audit_id="audit-1", meta=META, status=STATUS
        )
    )
    silent: Unanswered | None = None
    """Set: no runtime answers a question about its configuration."""
    revisions: tuple[HistoryItem, ...] = ()
    state: bytes = b'{"api_version":"1.0"}'
    records: tuple[AuditRecord, ...] = ()
    ready: Readiness = field(default_factory=lambda: Readiness(ok=True, checks={"mesh": "open"}))
    past: Overlooking = field(default_factory=Overlooking)
    operated: Operated = field(default_factory=Operated)
    metrics: tuple[Metric, ...] = ()
    unknown: list[str] = field(default_factory=list)
    """Addresses of requests that nobody was authenticated for."""
    preconditions: Preconditions = field(default_factory=lambda: Preconditions(profile=Profile.DEV))
    tls: ssl.SSLContext | None = None
    """The server's proof; None for plain HTTP."""
    admit: Callable[[Presented], Caller | Denial] = from_here
    fault: Exception | None = None
    hold: asyncio.Event | None = None
    """While set and not signalled, a dispatch does not end."""

    def state_json(self, caller: Caller) -> bytes:
        self._note("state", caller)
        return self.state

    def past_json(
        self,
        caller: Caller,
        topology: Topology,
        events: tuple[TimelineEvent, ...],
        *,
        at_ns: int,
        recorded_at_ns: int,
    ) -> bytes:
        self._note("past", caller, topology, events, at_ns, recorded_at_ns)
        return self.state

    def decision_facts(self) -> DecisionFacts:
        return DecisionFacts(
            own=self.own,
            site=site_of(self.own),
            profile=Profile.DEV,
            config=ConfigFacts(file_values={}, document={}),
            peers=dict.fromkeys(sorted(self.peers)),  # type: ignore[arg-type] # only the names count
        )

    async def preflight(self, request: ActionRequest, caller: Caller) -> Preflight:
        self._note("preflight", request, caller)
        return preflight_of(request)

    async def dispatch(self, request: ActionRequest, caller: Caller) -> DispatchReport:
        self._note("dispatch", request, caller)
        if self.hold is not None:
            await self.hold.wait()
        results = [
            TargetResult(
                runtime_id=target, status=ResultStatus.EXECUTED, ok=True, audit_id=f"audit-{n}"
            )
            for n, target in enumerate(request.target_runtimes, 1)
        ]
        return DispatchReport(
            api_version="1.0",
            request_id=request.request_id,
            connected_via=OWN,
            acting_on=tuple(request.target_runtimes),
            dry_run=False,
            ok=True,
            preflight=preflight_of(request),
            results=tuple(results),
        )

    async def view(self, target: RuntimeId, caller: Caller) -> Shown[ConfigView] | Unanswered:
        self._note("view", target, caller)
        if self.silent is not None:
            return self.silent
        view = ConfigView(
            api_version="1.0",
            runtime_id=target,
            desired={},
            reported={},
            effective={"log.level": "info"},
            sources={"log.level": "file"},
            meta=META,
            status=STATUS,
        )
        return Shown(content=view, audit_id=None if target == self.own else "audit-1")

    async def history(
        self, target: RuntimeId, wanted: HistoryParams, caller: Caller
    ) -> Shown[ConfigHistory] | Unanswered:
        self._note("history", target, wanted, caller)
        if self.silent is not None:
            return self.silent
        shown = ConfigHistory(api_version="1.0", runtime_id=target, items=self.revisions)
        return Shown(content=shown, audit_id=None if target == self.own else "audit-1")

    async def write_desired(
        self, target: RuntimeId, write: DesiredWrite, caller: Caller, *, if_match: str | None
    ) -> ConfigAnswer | Unanswered:
        self._note("write", target, write, caller, if_match)
        return self.silent or self.written

    async def roll_back(
        self, target: RuntimeId, rollback: ConfigRollback, caller: Caller
    ) -> ConfigAnswer | Unanswered:
        self._note("rollback", target, rollback, caller)
        return self.silent or self.written

    async def find(self, audit_id: str) -> tuple[HeldRecord, ...]:
        self._note("find", audit_id)
        return tuple(
            HeldRecord(held_by=self.own, **{n: getattr(r, n) for n in r.__struct_fields__})
            for r in self.records
            if r.audit_id == audit_id
        )

    async def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        self._note("list", wanted)
        return self.records[: wanted.limit]

    def readiness(self) -> Readiness:
        return self.ready

    def door(self) -> Door:
        return Door(
            admit=self.admit,
            holds=lambda presented: isinstance(self.admit(presented), Caller),
            note_refused=self.unknown.append,
            preconditions=lambda: self.preconditions,
            tls=self.tls,
        )

    def backend(self) -> Backend:
        return Backend(
            own=self.own,
            fleet=self,
            actions=self,
            config=self,
            audit=self,
            watching=self.past.watching(),
            operating=self.operated.operating(),
            readiness=self.readiness,
            metrics=lambda: self.metrics,
            refused=Counter(),
        )

    def _note(self, *what: Any) -> None:
        if self.fault is not None:
            raise self.fault
        self.asked.append(what)


@dataclass
class Reply:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Served:
    """A server that runs, and how to reach it."""

    server: HttpServer
    behind: Behind
    port: int
    task: "asyncio.Task[None]"
    trusting: ssl.SSLContext | None = None
    """How clients check the server; set it to speak HTTPS."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one well-formed request on a connection of its own."""
        sent = {"Host": self.host, "Connection": "close"}
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = [f"{name}: {value}" for name, value in {**sent, **(headers or {})}.items()]
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
        replies = await self.say(head.encode("latin-1") + content, head_only=method == "HEAD")
        assert len(replies) == 1
        return replies[0]

    async def say(self, request: bytes, *, head_only: bool = False) -> list[Reply]:
        """Send bytes as they are; return every answer until the server closes."""
        async with self.connection() as (reader, writer):
            writer.write(request)
            return parse_replies(await until_closed(reader), head_only=head_only)

    @asynccontextmanager
    async def connection(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trusting)
        try:
            yield reader, writer
        finally:
            writer.close()

    def get(self, path: str = "/healthz", **headers: str) -> bytes:
        """Return the bytes of a GET that keeps its connection."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {self.host}", *lines, "", ""]).encode()

    def post(self, path: str, *, length: int) -> bytes:
        """Return the head of a POST that announces a body of `length` bytes."""
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()


@asynccontextmanager
async def serving(
    behind: Behind | None = None,
    *,
    limits: Limits | None = None,
    allowed_hosts: tuple[str, ...] = (),
    grace_s: float = 1.0,
) -> AsyncIterator[Served]:
    """Run a server on a free port of loopback."""
    behind = behind or Behind()
    server = build(behind, 0, limits=limits, allowed_hosts=allowed_hosts, grace_s=grace_s)
    await server.open()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.serve(), name="http")
        try:
            yield Served(server, behind, server.port, task)
        finally:
            await server.close()


def build(
    behind: Behind,
    port: int,
    *,
    ip: str = "127.0.0.1",
    limits: Limits | None = None,
    allowed_hosts: tuple[str, ...] = (),
    grace_s: float = 1.0,
) -> HttpServer:
    web = WebSettings(enabled=True, listen=Address(ip=ip, port=port), allowed_hosts=allowed_hosts)
    return HttpServer(
        own=behind.own,
        web=lambda: web,
        fleet=behind,
        actions=behind,
        config=behind,
        audit=behind,
        watching=behind.past.watching(),
        operating=behind.operated.operating(),
        readiness=behind.readiness,
        metrics=lambda: behind.metrics,
        door=behind.door(),
        limits=limits,
        grace_s=grace_s,
    )


def is_alive(pid: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Read until the server ends the connection."""
    async with asyncio.timeout(WAIT_S):
        return await reader.read()


async def until_reply(reader: asyncio.StreamReader) -> Reply:
    """Read one answer with a Content-Length."""
    async with asyncio.timeout(WAIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
        [reply] = parse_replies(head, head_only=True)
        length = int(reply.headers["content-length"])
        return Reply(reply.status, reply.headers, await reader.readexactly(length))


async def wait_for(holds: Callable[[], bool]) -> None:
    """Let the loop run until `holds()`."""
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def parse_replies(text: bytes, *, head_only: bool = False) -> list[Reply]:
    """Split what a server sent into answers."""
    replies: list[Reply] = []
    while text:
        head, end, text = text.partition(b"\r\n\r\n")
        assert end, head
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        length = 0 if head_only else int(headers["content-length"])
        replies.append(Reply(int(status.split()[1]), headers, text[:length]))
        text = text[length:]
    return replies
