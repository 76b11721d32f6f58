"""From a received request to its answer: the stages of contract 6.1, in their order."""

import asyncio
import logging
import secrets
import ssl
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct, structs
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from trust_runtime.adapters.http.bodies import read_body, request_id_of
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import (
    OVERLOAD_RETRY_MS,
    Refusal,
    refusal_of,
    refuse,
    refuse_as,
    to_response,
)
from trust_runtime.adapters.http.hosts import (
    HTTP_PORT,
    HTTPS_PORT,
    Authority,
    OwnHosts,
    is_loopback,
    is_own_host,
    is_own_origin,
    parse_authority,
)
from trust_runtime.adapters.http.large_bodies import LargeBodies
from trust_runtime.adapters.http.presented import tokens_of
from trust_runtime.adapters.http.protocol import SURPLUS, TARGET
from trust_runtime.adapters.http.query import parse_query
from trust_runtime.adapters.http.table import Match, find_route
from trust_runtime.contracts.credentials import Presented
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import (
    BodyTooLarge,
    BodyUnread,
    ContractViolation,
    StoreBusy,
    StoreFailed,
)
from trust_runtime.contracts.policy import Caller, allows
from trust_runtime.contracts.strict_json import is_light, parse_object
from trust_runtime.core.preconditions import Preconditions, profile_denial

_UNAUTHENTICATED: Final = 401
_TOO_MANY: Final = 429
_TOO_LARGE: Final = 413
_UNSUPPORTED_MEDIA: Final = 415
_INTERNAL: Final = 500
_CLOUD_PLANE: Final = ("/api/runtime-cloud/", "/api/control", "/api/deploy")
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
_LOG: Final = logging.getLogger(__name__)
_TRACE_CHARACTERS_MAX: Final = 7_000


class Door(Struct, frozen=True, kw_only=True):
    """What decides who comes in."""

    admit: Callable[[Presented], Caller | Denial]
    """Says who asks; a denial is `permission_denied`, or `overloaded` after too many guesses."""

    holds: Callable[[Presented], bool]
    """Says whether what was admitted is still valid; counts nothing."""

    note_refused: Callable[[str], None]
    """Told of each address that failed to authenticate (D60)."""

    preconditions: Callable[[], Preconditions]
    """How the profile stands; asked for each request to the cloud plane."""

    tls: ssl.SSLContext | None = None
    """The server's proof; None for plain HTTP."""


class Entrance(Struct, frozen=True, kw_only=True):
    """What the stages before the endpoint compare a request with."""

    hosts: OwnHosts
    """The server's own hosts."""

    allowed: tuple[str, ...]
    """Further hosts of the configuration in force."""

    is_secure: bool = False
    """Whether this is HTTPS."""


class _Request(Struct, frozen=True, kw_only=True):
    """A request's head, taken apart once."""

    method: str
    headers: Headers
    path: str
    query: bytes
    peer: str
    own_ip: str


class Pipeline:
    """The ASGI application; one instance per server."""

    def __init__(
        self,
        backend: Backend,
        *,
        entrance: Callable[[], Entrance],
        refused: Counter[str],
        door: Door,
        large: LargeBodies,
        body_bytes_max: int,
    ) -> None:
        """Answer with `backend`.

        Args:
            backend: the services.
            entrance: asked for each request: allowed hosts may change while running.
            refused: where refusals before a decision are counted, by stage (D60).
            door: asked for each request that is not to an open endpoint.
            large: reads bodies that take long.
            body_bytes_max: the longest accepted body.
        """
        self._backend = backend
        self._entrance = entrance
        self._refused = refused
        self._door = door
        self._body_bytes_max = body_bytes_max
        self._large = large
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; never raises for anything a request can cause."""
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start" and scope.get("scheme") == "https":
                message = {**message, "headers": [*message["headers"], _HSTS]}
            await send(message)

        try:
            response = await self._answer(scope, receive)
            await response(scope, receive, tell)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            # Only a stop cancels a request, after it had its time: this is where its task ends.
            if started:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await to_response(self._stopped())(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        body: dict[str, Any] = {}
        try:
            answer = await self._through_stages(scope, receive, body)
        except ContractViolation as error:
            answer = refuse(DenialCode.CONTRACT_VIOLATION, str(error))
        except BodyTooLarge as error:
            answer = refuse_as(_TOO_LARGE, str(error), f"send {self._body_bytes_max} bytes or less")
        except StoreBusy as error:
            busy = DenialCode.OVERLOADED
            answer = refusal_of(
                deny(busy, error.reason, error.remedy, retry_after_ms=OVERLOAD_RETRY_MS)
            )
        except (StoreFailed, BodyUnread) as error:
            answer = refuse(DenialCode.TRANSPORT_FAILURE, error.reason, error.remedy)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, the client gets an answer
            answer = _internal(error)
        if isinstance(answer, Refusal):
            return to_response(answer, request_id=request_id_of(body))
        return answer

    async def _through_stages(
        self, scope: Scope, receive: Receive, body: dict[str, Any]
    ) -> Response | Refusal:
        """Take a request through every stage; the first that fails answers.

        Args:
            scope: the request's head.
            receive: gives the body.
            body: filled with the members of the body once they are known.
        """
        if scope["state"][SURPLUS]:
            return self._overloaded()
        if self.stopping:
            return self._stopped()
        request = _request(scope)
        host = self._host(request, scope["state"][TARGET])
        if isinstance(host, Refusal):
            return host
        match = find_route(request.method, request.path)
        if isinstance(match, Refusal):
            return match
        caller = self._caller(request, match)
        if isinstance(caller, Refusal):
            return caller
        refusal = self._profile(match) or self._form(request, host)
        if refusal is not None:
            return refusal
        if match.route.method == "POST":
            text = await read_body(receive, request.headers, bytes_max=self._body_bytes_max)
            body.update(await self._parse(text))
        asked = Asked(
            authenticated=caller,
            headers=request.headers,
            address=request.peer,
            holds=partial(self._door.holds, _presented(request)),
            path=match.path_values(),
            query=parse_query(request.query, match.route.query),
            body=body,
        )
        return await match.route.handler(asked, self._backend)

    async def _parse(self, text: bytes) -> dict[str, Any]:
        """Return the members of a body; one that takes long is read elsewhere."""
        if is_light(text):
            return parse_object(text, bytes_max=self._body_bytes_max)
        return await self._large.read(text)

    def _host(self, request: _Request, target: bytes) -> Authority | Refusal:
        """Stage 2: is the request for this server at all."""
        given = request.headers.getlist("host")
        entrance = self._entrance()
        port = HTTPS_PORT if entrance.is_secure else HTTP_PORT
        authority = parse_authority(given[0], default_port=port) if len(given) == 1 else None
        if authority is None or not target.startswith(b"/"):
            self._refused["malformed_host"] += 1
            return refuse(
                DenialCode.CONTRACT_VIOLATION,
                "the request has not exactly one well-formed Host, or its target is no path",
                "send one Host: NAME:PORT and a target that begins with /",
            )
        own = entrance.hosts
        here = structs.replace(own, ips=own.ips | {request.own_ip})
        if is_own_host(authority, here, entrance.allowed):
            return authority
        self._refused["host"] += 1
        return refuse(
            DenialCode.PERMISSION_DENIED,
            f"this server does not answer for Host {given[0]!r}",
            "use the address it listens on, or add the host to runtime.web.allowed_hosts",
        )

    def _caller(self, request: _Request, match: Match) -> Caller | Refusal | None:
        """Stage 4: who asks, and may they come through this door."""
        route = match.route
        if route.door is None:
            return None
        caller = self._door.admit(_presented(request))
        if isinstance(caller, Denial):
            return self._unknown(request, caller)
        if allows(caller.role, route.door):
            return caller
        self._refused["role"] += 1
        code = (
            DenialCode.ACL_DENIED_CFG_WRITE if route.config_write else DenialCode.PERMISSION_DENIED
        )
        return refuse(code, f"requires role {route.door}, caller has {caller.role}")

    def _profile(self, match: Match) -> Refusal | None:
        """Stage 5: does the profile have all it demands."""
        route = match.route
        if route.folds_profile or not route.path.startswith(_CLOUD_PLANE):
            return None
        preconditions = self._door.preconditions()
        denial = profile_denial(preconditions)
        if denial is None:
            return None
        self._refused["profile"] += 1
        members = {"profile": preconditions.profile, "unmet": preconditions.unmet}
        return structs.replace(refusal_of(denial), members=members)

    def _unknown(self, request: _Request, denial: Denial) -> Refusal:
        self._refused["auth"] += 1
        if request.peer:  # Else it is gone already, and nobody knows where it was.
            self._door.note_refused(request.peer)
        if denial.code is DenialCode.OVERLOADED:
            return Refusal(denial=denial, status=_TOO_MANY)
        headers = {"www-authenticate": "Bearer"}
        return Refusal(denial=denial, status=_UNAUTHENTICATED, headers=headers)

    def _form(self, request: _Request, host: Authority) -> Refusal | None:
        """Stages 6 and 7: the form of a request that changes something, and its page of origin."""
        kind = request.headers.get("content-type", "")
        if request.method == "POST" and not kind.lower().startswith("application/json"):
            self._refused["content_type"] += 1
            return refuse_as(
                _UNSUPPORTED_MEDIA,
                f"Content-Type is {kind!r}",
                "send Content-Type: application/json",
            )
        origins = request.headers.getlist("origin")
        if request.method not in ("POST", "DELETE") or not origins:
            return None
        if len(origins) == 1 and is_own_origin(
            origins[0], host, is_secure=self._entrance().is_secure
        ):
            return None
        self._refused["origin"] += 1
        return refuse(
            DenialCode.PERMISSION_DENIED,
            f"Origin {origins[0]!r} is not a page of this server",
            "send the request from a page of this server, or without Origin",
        )

    def _overloaded(self) -> Refusal:
        self._refused["connections"] += 1
        return refusal_of(
            deny(
                DenialCode.OVERLOADED,
                f"{self._backend.own} has too many open connections",
                retry_after_ms=OVERLOAD_RETRY_MS,
            )
        )

    def _stopped(self) -> Refusal:
        return refusal_of(
            deny(
                DenialCode.TRANSPORT_FAILURE,
                f"{self._backend.own} is stopping",
                "ask again with the same request_id when it has started",
                retry_after_ms=OVERLOAD_RETRY_MS,
            )
        )


def _request(scope: Scope) -> _Request:
    raw_path, _, query = scope["state"][TARGET].partition(b"?")
    client, server = scope.get("client"), scope.get("server")
    return _Request(
        method=scope["method"],
        headers=Headers(scope=scope),
        path=raw_path.decode("latin-1"),
        query=query,
        peer="" if client is None else client[0],
        own_ip="" if server is None else server[0],
    )


def _presented(request: _Request) -> Presented:
    return Presented(
        address=request.peer,
        is_loopback=is_loopback(request.peer),
        is_forwarded=_is_forwarded(request.headers),
        tokens=tokens_of(request.headers.raw),
    )


def _is_forwarded(headers: Headers) -> bool:
    return any(name == "forwarded" or name.startswith("x-forwarded-") for name in headers)


def _internal(error: Exception) -> Refusal:
    """Log a mistake of ours under an id, and return an answer that tells no more than the id."""
    error_id = f"err-{secrets.token_hex(8)}"
    text = "".join(traceback.format_exception(error))[-_TRACE_CHARACTERS_MAX:]
    _LOG.error("internal error %s in an HTTP request: %s", error_id, text)
    refusal = refuse(
        DenialCode.TRANSPORT_FAILURE,
        f"internal error {error_id}",
        "look for the error_id in the log of the runtime, and report it",
    )
    return structs.replace(refusal, status=_INTERNAL, members={"error_id": error_id})
