"""HTTP: who is let in, from where, in which form, and what the answers carry (S01-S08, S24)."""

import json
from collections.abc import Mapping
from typing import Final

from trust_runtime.gates.cases import Bench
from trust_runtime.gates.security.probing import CLOUD, LOOPBACK
from trust_runtime.gates.security.requests import (
    DESIRED,
    documented,
    is_same,
    raw_status,
    requests_of,
)
from trust_runtime.gates.security.world import World, preflight

STATE: Final = f"{CLOUD}/state"
_TOKENLESS: Final = {"/healthz", "/readyz", "/api/openapi.json", "/api/docs", "/api/pair/claim"}


def dev_state_ok(world: World, bench: Bench) -> None:
    """State answers with context and topology."""
    first, second = world.dev
    found = first.ask("GET", STATE)
    bench.demand(found.status == 200, f"state answers {found.status}")
    bench.demand(found.json["context"]["connected_via"] == first.id, "context names another")
    ids = {one["runtime_id"] for one in found.json["topology"]["nodes"]}
    bench.demand({first.id, second.id} <= ids, f"topology shows {sorted(ids)}")


def non_loopback_local_auth(world: World, bench: Bench) -> None:
    """S02: without tokens a listener beyond loopback is a configuration error, a proxy is 401."""
    open_one = world.node("runtime-a", settings={"runtime.web.listen": "0.0.0.0:18999"})
    for command in ("validate", "run"):
        ran = open_one.cli(command)
        said = ran.stdout + ran.stderr
        bench.demand(ran.returncode == 10, f"{command} exits {ran.returncode}: {said}")
        bench.demand("runtime.web.auth" in said, f"the key is not named: {said}")
    for name in ("forwarded", "x-forwarded-for", "x-forwarded-host"):
        found = world.dev[0].ask("GET", STATE, headers={name: "10.0.0.9"})
        bench.demand(found.status == 401, f"{name} answers {found.status}")


def unmet_everywhere(world: World, bench: Bench) -> None:
    """S03: every endpoint of the cloud plane says what is missing, and the process runs."""
    for node in (world.bare_plant, world.bare_wan):
        for method, path, body in requests_of(node):
            if not path.startswith((CLOUD, "/api/control")):
                continue
            found = node.ask(method, path, body)
            decides = ("preflight", "dispatch", "io/config", "control/proxy")
            wanted = (503, 200, 403) if path.endswith(decides) else (503,)
            bench.say(f"{method} {path}: {found.status} {found.code}")
            bench.demand(
                found.status in wanted and found.code == "not_configured",
                f"{node.id} {method} {path}: {found.status} {found.text[:200]}",
            )
            bench.demand("runtime.web.auth" in found.text, f"{path} does not name the key")
        bench.demand(node.ask("GET", "/healthz").status == 200, "it does not live")


def refuses_local_auth(profile: str, world: World, bench: Bench) -> None:
    """State 503, preflight 200 and denied, both naming the key."""
    node = world.bare_plant if profile == "plant" else world.bare_wan
    found = node.ask("GET", STATE)
    seen = (found.status, found.code, found.json.get("profile"))
    bench.demand(seen == (503, "not_configured", profile), f"state: {seen}")
    bench.demand("runtime.web.auth='token'" in found.json["unmet"], found.text)
    decision = preflight(node, "status_read", node.id)
    bench.demand(decision["denial_code"] == "not_configured", json.dumps(decision))
    bench.demand("runtime.web.auth='token'" in decision["denial_reason"], json.dumps(decision))


def refuses_without(profile: str, world: World, bench: Bench, *, key: str) -> None:
    """One thing is missing, and that one is named."""
    options = {key: False}
    node = world.secured(profile, "runtime-a", settings=options)
    node.secure = key != "runtime.web.tls"
    found = node.start().ask("GET", STATE)
    node.kill()
    bench.demand(found.code == "not_configured", found.text)
    bench.demand(found.json["unmet"] == [f"{key}=true"], f"unmet: {found.json.get('unmet')}")


def openapi_walk(world: World, bench: Bench) -> None:
    """S04: without a token each documented endpoint is 401, but the five open ones."""
    node = world.plant[0]
    asked = 0
    for method, path, body in requests_of(node):
        is_open = path in _TOKENLESS
        found = node.ask(method, path, body, token=None)
        wrong = node.ask(method, path, body, token="canary-wrong" + "0" * 32)
        bench.say(f"{method} {path}: {found.status}, {wrong.status}")
        asked += 1
        if is_open:
            bench.demand(found.status != 401, f"{path} asks for a token")
            continue
        for one in (found, wrong):
            bench.demand(one.status in (401, 429), f"{method} {path}: {one.status} {one.text[:99]}")
    bench.demand(asked > 20, f"only {asked} endpoints are documented")


def role_matrix(world: World, bench: Bench) -> None:
    """S04: every documented endpoint refuses a role below the least it documents."""
    node = world.plant[0]
    ranks = {"viewer": 0, "operator": 1, "engineer": 2, "admin": 3}
    needed = {
        f"POST {DESIRED}": "engineer",
        f"POST {CLOUD}/config/rollback": "engineer",
        f"DELETE {CLOUD}/links": "engineer",
        f"POST {CLOUD}/links/transport": "engineer",
        f"POST {CLOUD}/io/config": "engineer",
        "POST /api/pair/start": "admin",
        "GET /api/pairings": "admin",
        "DELETE /api/pairings/{token_id}": "admin",
    }
    in_document = {f"{method} {path}" for method, path in documented(node)}
    bench.demand(needed.keys() <= in_document, f"not built: {needed.keys() - in_document}")
    for method, path, body in requests_of(node):
        name = next((n for n in needed if is_same(n, method, path)), None)
        least = "viewer" if name is None else needed[name]
        for role, token in world.role_tokens.items():
            if method == "DELETE" and path.startswith("/api/pairings") and role == "admin":
                continue
            found = node.ask(method, path, body, token=token)
            refused = found.status == 403
            bench.say(f"{role} {method} {path}: {found.status}")
            if ranks[role] < ranks[least]:
                bench.demand(refused, f"{role} at {method} {path}: {found.status}")
            elif path not in _TOKENLESS:
                bench.demand(found.status != 401, f"{role} is nobody at {path}")
    _verb_matrix(world, bench)


def _verb_matrix(world: World, bench: Bench) -> None:
    """A viewer writes nothing by any action or verb."""
    node = world.plant[0]
    viewer = world.role_tokens["viewer"]
    before = node.revision()
    for action, payload in (
        ("cfg_apply", {"params": {"log.level": "debug"}}),
        ("cmd_invoke", {"command": "shutdown", "params": {"confirm": True}}),
        ("cmd_invoke", {"command": "restart", "params": {"mode": "cold"}}),
    ):
        body = node.body(action, [node.id], payload=payload)
        found = node.ask("POST", f"{CLOUD}/actions/dispatch", body, token=viewer)
        bench.demand(found.json.get("ok") is False, f"a viewer does {action}: {found.text}")
    for verb, params in (
        ("config.set", {"params": {"log.level": "debug"}}),
        ("shutdown", {"confirm": True}),
        ("pair.start", {"owner": "x", "role": "admin"}),
        ("audit.accept", {"runtime_id": node.id}),
    ):
        found = node.ask("POST", "/api/control", {"type": verb, "params": params}, token=viewer)
        bench.demand(found.json.get("ok") is not True, f"a viewer does {verb}: {found.text}")
    bench.demand(node.revision() == before, "a viewer changed the configuration")


def dns_rebinding(world: World, bench: Bench) -> None:
    """S05: requests for another Host reach no endpoint, whatever they ask for."""
    for node in (world.dev[0], world.plant[0]):
        port = node.web_port
        foreign = (
            *(f"evil.test:{port}", "evil.test", f"127.0.0.1.evil.test:{port}", "169.254.169.254"),
            *(f"localhost:{port + 1}", f"LOCALHOST.:{port}", f"0.0.0.0:{port}", f"[::2]:{port}"),
        )
        for host in foreign:
            for path in (STATE, "/metrics", "/healthz", f"{CLOUD}/events", "/nothing"):
                found = node.ask("GET", path, headers={"host": host})
                bench.say(f"{host} {path}: {found.status}")
                bench.demand(found.status == 403, f"Host {host} {path}: {found.status}")
        for host in (
            *("", f"a@127.0.0.1:{port}", f"127.0.0.1:{port}/x", f"127.0.0.1:{port} evil.test"),
            *("127.0.0.1:99999", f"127.0.0.1%00:{port}"),
        ):
            status = raw_status(node, f"GET {STATE} HTTP/1.1\r\nHost: {host}\r\n")
            bench.demand(status in (400, 403), f"Host {host!r}: {status}")
        for head in (
            f"GET {STATE} HTTP/1.1\r\n",
            f"GET {STATE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.test\r\n",
            f"GET http://evil.test{STATE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n",
        ):
            status = raw_status(node, head)
            bench.demand(status == 400, f"{head!r}: {status}")


def origin(world: World, bench: Bench) -> None:
    """S06: no page of elsewhere writes anything, and none is told that it may."""
    for node in (world.dev[0], world.plant[0]):
        before = node.revision()
        body = {
            "api_version": "1.0",
            "actor": f"spiffe://trust/{node.site}/page",
            "desired": {"log.level": "trace"},
        }
        text = json.dumps(body)
        own = f"{'https' if node.secure else 'http'}://{LOOPBACK}:{node.web_port}"
        pages: tuple[tuple[str, Mapping[str, str], int], ...] = (
            ("foreign", {"origin": "http://evil.test"}, 403),
            ("null", {"origin": "null"}, 403),
            ("other port", {"origin": f"http://{LOOPBACK}:1"}, 403),
            ("suffix", {"origin": own + ".evil.test"}, 403),
            ("userinfo", {"origin": own.replace("//", "//evil.test@")}, 403),
            ("text", {"content-type": "text/plain"}, 415),
            ("form", {"content-type": "application/x-www-form-urlencoded"}, 415),
            ("multipart", {"content-type": "multipart/form-data; boundary=x"}, 415),
            ("no type", {"content-type": ""}, 415),
            ("both", {"content-type": "text/plain", "origin": "http://evil.test"}, 415),
        )
        for name, headers, wanted in pages:
            found = node.ask("POST", DESIRED, text, headers=headers)
            bench.demand(found.status == wanted, f"{name}: {found.status} {found.text[:200]}")
            cors = [one for one in found.headers if one.startswith("access-control-")]
            bench.demand(not cors, f"{name}: {cors}")
        asked = node.ask(
            "OPTIONS",
            DESIRED,
            headers={"origin": "http://evil.test", "access-control-request-method": "POST"},
        )
        bench.demand(asked.status == 405, f"a CORS preflight is answered {asked.status}")
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "origin": "http://evil.test"}
        found = node.ask("GET", STATE, headers=upgrade)
        bench.demand(found.status != 101, "a WebSocket of elsewhere is opened")
        bench.demand(node.revision() == before, "a page of elsewhere wrote")
        done = node.ask("POST", DESIRED, body | {"desired": {}}, headers={"origin": own})
        bench.demand(done.status != 403, f"the own page is refused: {done.text}")


def answer_headers(world: World, bench: Bench) -> None:
    """S07: headers that keep an answer from being framed, guessed, kept or run."""
    for node in (world.dev[0], world.plant[0]):
        for path in (STATE, "/api/docs", "/nothing", "/healthz"):
            found = node.ask("GET", path).headers
            policy = found.get("content-security-policy", "")
            bench.say(f"{path}: {dict(found)}")
            bench.demand("unsafe-eval" not in policy, f"{path}: {policy}")
            bench.demand(found.get("x-content-type-options") == "nosniff", f"{path}: no nosniff")
            bench.demand("server" not in found, f"{path}: Server: {found.get('server')}")
            secured = "strict-transport-security" in found
            bench.demand(secured is node.secure, f"{path}: HSTS {secured}, HTTPS {node.secure}")
            bench.demand("frame-ancestors 'none'" in policy, f"{path}: CSP is {policy!r}")
            bench.demand("unsafe-inline" not in policy, f"{path}: {policy}")
            bench.demand(found.get("referrer-policy") == "no-referrer", f"{path}: Referrer-Policy")
            bench.demand(
                found.get("cross-origin-opener-policy") == "same-origin", f"{path}: no COOP"
            )
        kept = node.ask("GET", STATE).headers.get("cache-control", "")
        bench.demand("no-store" in kept, f"state: Cache-Control {kept!r}")
