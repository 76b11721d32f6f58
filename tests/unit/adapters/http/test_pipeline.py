"""`adapters.http.pipeline`: the stages of contract 6.1, each at its place."""

import asyncio
import json
import logging
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from http_client import CLOUD, READ, Behind, Served, is_alive, serving, wait_for
from trust_runtime.adapters.http.hosts import OwnHosts
from trust_runtime.adapters.http.large_bodies import LargeBodies
from trust_runtime.adapters.http.pipeline import Entrance, Pipeline
from trust_runtime.adapters.http.table import ROUTES
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.policy import Caller, Profile, Role
from trust_runtime.contracts.strict_json import BODY_BYTES_MAX
from trust_runtime.core.preconditions import Preconditions

DISPATCH = f"{CLOUD}/actions/dispatch"
ENTRANCE = Entrance(
    hosts=OwnHosts(ips=frozenset({"127.0.0.1"}), names=frozenset({"localhost"}), port=80),
    allowed=(),
)


def scope_of(path: str, *, client: str = "127.0.0.1", **headers: str) -> dict[str, Any]:
    """Return the head of a GET as the connection hands it over."""
    sent = {"host": "localhost", **headers}
    return {
        "type": "http",
        "method": "GET",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (client, 1),
        "server": ("127.0.0.1", 80),
        "state": {"target": path.encode(), "surplus": False},
    }


async def answer_of(app: Pipeline, scope: dict[str, Any]) -> tuple[int, Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def app_of(behind: Behind, refused: Counter[str] | None = None) -> Pipeline:
    return Pipeline(
        behind.backend(),
        entrance=lambda: ENTRANCE,
        refused=Counter() if refused is None else refused,
        door=behind.door(),
        large=LargeBodies(bytes_max=100),
        body_bytes_max=100,
    )


def envelope(reply: Any) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json) >= {"ok", "denial_code", "error", "remedy"}
    assert reply.json["ok"] is False
    return reply.status, reply.json["denial_code"]


def head(*lines: str, target: str = "/healthz") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "Connection: close", "", ""]).encode()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/healthz"), ("GET", "/nope"), ("OPTIONS", "/healthz"), ("POST", DISPATCH)],
)
async def test_a_foreign_host_is_403_for_everything_and_reads_no_body(
    method: str, path: str
) -> None:
    async with serving() as served, served.connection() as (reader, writer):
        head = f"{method} {path} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode())
        text = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert text.startswith("HTTP/1.1 403 ")
        assert served.server.refused == {"host": 1}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "extra.example:77"]
)
async def test_own_hosts_are_answered(host: str) -> None:
    async with serving(allowed_hosts=("extra.example:77",)) as served:
        reply = await served.ask("GET", "/healthz", headers={"Host": host.format(port=served.port)})
    assert reply.status == 200


@pytest.mark.anyio
async def test_the_port_of_the_host_counts() -> None:
    async with serving() as served:
        for host in ("localhost", f"localhost:{served.port % 65_535 + 1}", "extra.example:1"):
            reply = await served.ask("GET", "/healthz", headers={"Host": host})
            assert envelope(reply) == (403, "permission_denied")
        assert served.server.refused == {"host": 3}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Host: {own}", "Host: {own}"],
        ["Host: {own}", "host: evil.example"],
        ["Host:"],
        ["Host: {own}/x"],
        ["Host: a@{own}"],
        ["Host: {own} x"],
        ["Host: \xff"],
    ],
)
async def test_a_missing_repeated_or_malformed_host_is_400(lines: list[str]) -> None:
    async with serving() as served:
        sent = [line.format(own=served.host) for line in lines]
        [reply] = await served.say(head(*sent))
    assert envelope(reply) == (400, "contract_violation")


@pytest.mark.anyio
async def test_a_target_that_is_no_path_is_400() -> None:
    async with serving() as served:
        for target in (f"http://{served.host}/healthz", "*", "http://evil.example/"):
            request = head(f"Host: {served.host}", target=target)
            [reply] = await served.say(request)
            assert envelope(reply) == (400, "contract_violation")
            assert (await served.say(request.replace(b"GET", b"OPTIONS")))[0].status == 400


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz?", 200),
        ("GET", "/healthz/", 404),
        ("GET", "/nope", 404),
        ("GET", "//healthz", 404),
        ("GET", "/health%7A", 404),
        ("GET", "/healthz#x", 404),
        ("OPTIONS", "/healthz", 405),
        ("DELETE", f"{CLOUD}/state", 405),
        ("GET", DISPATCH, 405),
        ("HEAD", DISPATCH, 405),
    ],
)
async def test_routing_is_by_method_and_raw_path(method: str, path: str, status: int) -> None:
    async with serving() as served:
        reply = await served.ask(method, path)
    assert reply.status == status
    if status == 405:
        assert reply.headers["allow"] == ("POST" if path == DISPATCH else "GET, HEAD")
    if status != 200 and method != "HEAD":
        assert envelope(reply) == (status, "contract_violation")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO"]
)
async def test_a_forwarded_request_is_401_except_at_open_endpoints(name: str) -> None:
    async with serving() as served:
        sent = {name: "for=10.0.0.1"}
        refused = await served.ask("GET", f"{CLOUD}/state", headers=sent)
        assert envelope(refused) == (401, "permission_denied")
        assert served.server.refused == {"auth": 1}
        assert served.behind.unknown == ["127.0.0.1"]
        assert (await served.ask("GET", "/healthz", headers=sent)).status == 200
        assert (await served.ask("GET", "/nope", headers=sent)).status == 404
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_tokens_are_ignored_in_local_mode() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/state", headers={"X-Trust-Token": "wrong"})
    assert reply.status == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("10.0.0.9", 401), ("", 401)])
async def test_a_peer_that_is_not_this_machine_is_401(peer: str, status: int) -> None:
    refused: Counter[str] = Counter()
    behind = Behind()
    app = app_of(behind, refused)
    found, body = await answer_of(app, scope_of(f"{CLOUD}/state", client=peer))
    assert found == status
    assert behind.unknown == (["10.0.0.9"] if peer == "10.0.0.9" else [])
    assert refused["auth"] == (1 if status == 401 else 0)
    assert (await answer_of(app, scope_of("/healthz", client=peer)))[0] == 200
    if status == 401:
        assert body["denial_code"] == "permission_denied"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "role", "code"),
    [
        (f"{CLOUD}/config/desired", Role.OPERATOR, "acl_denied_cfg_write"),
        (f"{CLOUD}/config/desired", Role.ENGINEER, None),
        (DISPATCH, Role.VIEWER, None),
    ],
)
async def test_a_door_asks_for_its_role(path: str, role: Role, code: str | None) -> None:
    caller = Caller(identity="token://x", role=role)
    scope = {**scope_of(path), "method": "POST"}
    status, body = await answer_of(app_of(Behind(admit=lambda _presented: caller)), scope)
    if code is None:
        assert status == 415, "past the door, the next stage answers"
    else:
        assert (status, body["denial_code"]) == (403, code)
        assert "requires role engineer" in body["error"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        (" text/json", 415),
        ("", 415),
    ],
)
async def test_a_post_is_json(kind: str, status: int) -> None:
    async with serving() as served:
        reply = await served.ask("POST", DISPATCH, READ, headers={"Content-Type": kind})
    assert reply.status == status
    if status == 415:
        assert envelope(reply) == (415, "contract_violation")
        assert served.behind.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://{own}", 200),
        (" HTTP://{own}/ ", 200),
        ("null", 403),
        ("http://evil.example", 403),
        ("https://{own}", 403),
        ("", 403),
    ],
)
async def test_a_write_comes_from_a_page_of_this_server(origin: str, status: int) -> None:
    async with serving() as served:
        sent = {"Origin": origin.format(own=served.host)}
        reply = await served.ask("POST", DISPATCH, READ, headers=sent)
        assert reply.status == status
        assert (await served.ask("GET", f"{CLOUD}/state", headers=sent)).status == 200
        assert served.server.refused == ({} if status == 200 else {"origin": 1})


@pytest.mark.anyio
async def test_two_origins_are_none_of_ours() -> None:
    async with serving() as served:
        own = f"http://{served.host}"
        sent = {"Origin": f"{own}\r\nOrigin: {own}"}
        assert (await served.ask("POST", DISPATCH, READ, headers=sent)).status == 403


@pytest.mark.anyio
async def test_the_first_failing_stage_answers() -> None:
    """Each request fails at its stage and at every later one."""
    bad = {"Content-Type": "text/plain", "Origin": "null"}
    async with serving() as served:

        async def status(path: str, body: object = b"{", **headers: str) -> int:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return (await served.ask("POST", path, body, headers=sent)).status

        forwarded = {"Forwarded": "for=x"}
        assert await status("/nope?x=1", Host="evil.example", **forwarded, **bad) == 403
        assert await status("/nope?x=1", **forwarded, **bad) == 404
        assert await status("/healthz?x=1", **forwarded, **bad) == 405
        assert await status(f"{DISPATCH}?x=1", **forwarded, **bad) == 401
        assert await status(f"{DISPATCH}?x=1", **bad) == 415
        assert await status(f"{DISPATCH}?x=1", Origin="null") == 403
        assert await status(f"{DISPATCH}?x=1", b" " * (BODY_BYTES_MAX + 1)) == 413
        assert await status(f"{DISPATCH}?x=1") == 400
        assert served.behind.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", "valid JSON"),
        (b"[]", "a JSON object"),
        (b'{"a":1,"a":2}', "a second member"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":18446744073709551616}', "64 bits"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "32 levels"),
        (b'{"a":1e999}', "64-bit float"),
    ],
)
async def test_a_body_is_strict_json(text: bytes, named: str) -> None:
    async with serving() as served:
        reply = await served.ask("POST", DISPATCH, text)
    assert envelope(reply) == (400, "contract_violation")
    assert named in reply.json["error"]
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_depth_32_is_accepted() -> None:
    deep: Any = "x"
    for _ in range(31):
        deep = [deep]
    async with serving() as served:
        reply = await served.ask("POST", DISPATCH, {**READ, "payload": deep})
    assert reply.status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413)])
async def test_a_body_of_exactly_a_mebibyte_is_accepted(
    *, chunked: bool, extra: int, status: int
) -> None:
    text = json.dumps(READ).encode().ljust(BODY_BYTES_MAX + extra)
    async with serving() as served, served.connection() as (reader, writer):
        head = served.post(DISPATCH, length=len(text)).decode()
        if chunked:
            head = head.replace(f"Content-Length: {len(text)}", "Transfer-Encoding: chunked")
            pieces = [text[at : at + 60_000] for at in range(0, len(text), 60_000)]
            text = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            text += b"0\r\n\r\n"
        writer.write(head.encode() + text)
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
    assert int(answer.split()[1]) == status


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path", ["/healthz?x=1", f"{CLOUD}/state?at=1", f"{CLOUD}/audit?limit=1&limit=1"]
)
async def test_unknown_and_repeated_parameters_are_named(path: str) -> None:
    async with serving() as served:
        reply = await served.ask("GET", path)
    assert envelope(reply) == (400, "contract_violation")
    assert "query." in reply.json["error"]


@pytest.mark.anyio
async def test_a_part_of_a_path_that_is_no_text_is_400() -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/audit/%ff")
    assert envelope(reply) == (400, "contract_violation")


@pytest.mark.anyio
async def test_a_mistake_of_ours_is_500_with_an_id_that_the_log_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(Behind(fault=ValueError("inner secret"))) as served:
        with caplog.at_level(logging.ERROR):
            reply = await served.ask("POST", DISPATCH, READ)
    assert envelope(reply) == (500, "transport_failure")
    assert reply.json["request_id"] == "r-1"
    assert b"inner secret" not in reply.raw
    [line] = [r.getMessage() for r in caplog.records]
    assert reply.json["error_id"] in line
    assert "inner secret" in line


@pytest.mark.anyio
async def test_requests_do_not_wait_for_each_other() -> None:
    behind = Behind(hold=asyncio.Event())
    async with serving(behind) as served:
        assert behind.hold is not None
        slow = asyncio.ensure_future(served.ask("POST", DISPATCH, READ))
        for _ in range(3):
            assert (await served.ask("GET", "/healthz")).status == 200
        assert not slow.done()
        behind.hold.set()
        assert (await slow).status == 200


@pytest.mark.anyio
async def test_while_stopping_everything_is_503() -> None:
    app = app_of(Behind())
    app.stopping = True
    for path in ("/healthz", f"{CLOUD}/state", "/nope"):
        status, body = await answer_of(app, scope_of(path))
        assert (status, body["denial_code"]) == (503, "transport_failure")
        assert "stopping" in body["error"]


@pytest.mark.anyio
async def test_a_stop_ends_a_stream_well(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of(Behind())
    sent: list[Any] = []

    async def for_ever() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def answer(*_: object) -> StreamingResponse:
        return StreamingResponse(for_ever())

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    monkeypatch.setattr(app, "_answer", answer)
    task = asyncio.ensure_future(app(scope_of("/healthz"), receive, send))
    await wait_for(lambda: len(sent) == 2)
    task.cancel()
    await task
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def reader_of(served: Served) -> int | None:
    return served.server.reader_pid


def is_being_read(served: Served) -> bool:
    return served.server._large._turn.locked()


@pytest.mark.anyio
async def test_nobody_waits_for_a_body_that_takes_long() -> None:
    heavy = {**READ, "payload": [{"n": number} for number in range(10_000)]}
    async with serving() as served:
        assert (await served.ask("POST", DISPATCH, READ)).status == 200
        assert reader_of(served) is None
        assert (await served.ask("POST", DISPATCH, heavy)).status == 200
        reader = reader_of(served)
        assert reader is not None
        os.kill(reader, signal.SIGSTOP)
        late = [asyncio.ensure_future(served.ask("POST", DISPATCH, heavy)) for _ in range(3)]
        await wait_for(lambda: is_being_read(served))
        assert (await served.ask("GET", "/healthz")).status == 200
        assert (await served.ask("POST", DISPATCH, READ)).status == 200
        assert not any(one.done() for one in late)
        os.kill(reader, signal.SIGCONT)
        assert [(await one).status for one in late] == [200, 200, 200]
        assert reader_of(served) == reader
    assert not is_alive(reader)


@pytest.mark.anyio
async def test_a_body_that_takes_long_is_refused_as_any_other() -> None:
    async with serving() as served:
        reply = await served.ask("POST", DISPATCH, b'{"a":[' + b"1," * 20_000 + b"NaN]}")
        assert envelope(reply) == (400, "contract_violation")
        assert reply.json["error"].startswith("$.a[20000]: got 'NaN'")


@pytest.mark.anyio
async def test_a_body_whose_reader_was_killed_is_503_and_the_next_one_is_read() -> None:
    heavy = {**READ, "payload": ["x"] * 10_000}
    async with serving() as served:
        assert (await served.ask("POST", DISPATCH, heavy)).status == 200
        reader = reader_of(served)
        assert reader is not None
        os.kill(reader, signal.SIGSTOP)
        late = asyncio.ensure_future(served.ask("POST", DISPATCH, heavy))
        await wait_for(lambda: is_being_read(served))
        os.kill(reader, signal.SIGKILL)
        assert envelope(await late) == (503, "transport_failure")
        assert served.behind.asked[1:] == []
        assert (await served.ask("POST", DISPATCH, heavy)).status == 200


@pytest.mark.anyio
async def test_a_stop_does_not_wait_for_a_reader_that_stands_still() -> None:
    heavy = {**READ, "payload": ["x"] * 10_000}
    async with serving(grace_s=0.05) as served:
        assert (await served.ask("POST", DISPATCH, heavy)).status == 200
        reader = reader_of(served)
        assert reader is not None
        os.kill(reader, signal.SIGSTOP)
        late = asyncio.ensure_future(served.ask("POST", DISPATCH, heavy))
        await wait_for(lambda: is_being_read(served))
    assert envelope(await late) == (503, "transport_failure")
    assert not is_alive(reader)


LACKING = Preconditions(profile=Profile.PLANT, unmet=("runtime.web.auth='token'", "identity"))
OUTSIDE = {"/healthz", "/readyz", "/metrics", "/api/openapi.json", "/api/docs"}
FOLDED = {
    ("POST", f"{CLOUD}/actions/preflight"),
    ("POST", f"{CLOUD}/actions/dispatch"),
    ("POST", f"{CLOUD}/io/config"),  # The GET of the own one takes no decision to fold it into.
    ("POST", f"{CLOUD}/control/proxy"),
}


@pytest.mark.anyio
async def test_every_cloud_endpoint_says_what_the_profile_lacks() -> None:
    behind = Behind(preconditions=LACKING)
    behind.fault = ContractViolation("$", "asked", "the endpoint was reached")
    asked = 0
    async with serving(behind) as served:
        for route in ROUTES:
            path = route.path.replace("{", "").replace("}", "")
            body: dict[str, Any] | None = {} if route.method == "POST" else None
            reply = await served.ask(route.method, path, body)
            is_open = route.path in OUTSIDE or route.path.startswith("/api/pair")
            before = is_open or (route.method, route.path) in FOLDED
            asked += not before
            if before:
                assert (reply.status, b"not_configured" in reply.raw) != (503, True), path
                continue
            assert envelope(reply) == (503, "not_configured"), path
            assert reply.json["profile"] == "plant"
            assert reply.json["unmet"] == ["runtime.web.auth='token'", "identity"]
            assert "runtime.web.auth='token'" in reply.json["error"]
            assert "openssl rand -hex 32" in reply.json["remedy"]
        assert served.server.refused == {"profile": asked}
    assert asked > 10


@pytest.mark.anyio
async def test_who_may_not_come_in_learns_nothing_of_the_profile() -> None:
    nobody = deny(DenialCode.PERMISSION_DENIED, "no")
    behind = Behind(preconditions=LACKING, admit=lambda _presented: nobody)
    async with serving(behind) as served:
        reply = await served.ask("GET", f"{CLOUD}/state")
        assert envelope(reply) == (401, "permission_denied")
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.anyio
async def test_too_many_guesses_are_429_with_when_to_ask_again() -> None:
    late = deny(DenialCode.OVERLOADED, "too many", retry_after_ms=1_500)
    async with serving(Behind(admit=lambda _presented: late)) as served:
        reply = await served.ask("GET", f"{CLOUD}/state")
        assert envelope(reply) == (429, "overloaded")
        assert reply.headers["retry-after"] == "2"
        assert served.behind.unknown == ["127.0.0.1"]
