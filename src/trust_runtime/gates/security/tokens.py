"""Tokens, pairing, and that nothing secret leaves (S16, S18-S22)."""

import json
import math
import os
import statistics
import time
from pathlib import Path
from typing import Final

from trust_runtime.gates.cases import Bench
from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import CLOUD, LOOPBACK, until
from trust_runtime.gates.security.world import World, preflight

STATE: Final = f"{CLOUD}/state"
SAMPLES_NAME: Final = "TRUST_SECURITY_TIMING_SAMPLES"
_SAMPLES: Final = 1_000
_T_MAX: Final = 4.5
_MAY_HOLD: Final = {"runtime.toml", "state.db", "state.db-wal", "state.db-shm"}


def actor_scope(world: World, bench: Bench) -> None:
    """S16: an actor of another site, or none at all, is refused on every road."""
    for node in (world.plant[0], world.wan[0]):
        before = node.revision()
        for actor in (
            "spiffe://trust/site-z/anna",
            "spiffe://trust/site-a-2/anna",
            "spiffe://trust/default-site/anna",
            "",
        ):
            for action, payload in (
                ("status_read", {}),
                ("cfg_apply", {"params": {"log.level": "debug"}}),
            ):
                found = preflight(node, action, node.id, actor=actor, payload=payload)
                bench.demand(found.get("allowed") is not True, f"{actor!r} may {action}")
                body = node.body(action, [node.id], actor=actor, payload=payload)
                done = node.ask("POST", f"{CLOUD}/actions/dispatch", body)
                bench.demand(done.json.get("ok") is not True, f"{actor!r} does {action}")
            body = {"api_version": "1.0", "actor": actor}
            for path, more in (
                ("config/desired", {"desired": {"log.level": "debug"}}),
                ("config/rollback", {"revision": 0}),
                ("io/config", {"target_runtime": node.id, "driver": "loopback"}),
                (
                    "control/proxy",
                    {"target_runtime": node.id, "control_request": {"type": "status"}},
                ),
            ):
                done = node.ask("POST", f"{CLOUD}/{path}", {**body, **more})
                bench.say(f"{actor!r} {path}: {done.status} {done.code}")
                bench.demand(
                    done.status in (400, 403) and done.json.get("ok") is False,
                    f"{actor!r} at {path}: {done.status} {done.text[:200]}",
                )
        bench.demand(node.revision() == before, "the configuration changed")
        found = preflight(node, "status_read", node.id)
        bench.demand(found["allowed"], f"an actor of the own site is refused: {found}")


def token_roads(world: World, bench: Bench) -> None:
    """A token in a query, a cookie, or beside another one opens nothing."""
    node, token = world.plant[0], world.token
    bearer = {"authorization": f"Bearer {token}"}
    bench.demand(_status(node, None, **bearer) == 200, "a bearer is refused")
    for name, headers in {
        "cookie": {"cookie": f"X-Trust-Token={token}"},
        "two": {"x-trust-token": token, "authorization": "Bearer canary-other"},
        "basic": {"authorization": f"Basic {token}"},
        "prefix": {"x-trust-token": token[:-1]},
        "longer": {"x-trust-token": token + "0"},
        "upper": {"x-trust-token": token.upper()},
    }.items():
        bench.demand(_status(node, None, **headers) in (401, 429), f"{name} opens the door")
    found = node.ask("GET", f"{STATE}?token={token}&x-trust-token={token}", token=None)
    bench.demand(found.status in (401, 429), f"a query opens the door: {found.status}")


def placeholder_refused(world: World, bench: Bench) -> None:
    """A placeholder admits nobody, and a profile does not count it as a token."""
    text = "REPLACE_WITH_LONG_RANDOM_TOKEN"
    node = world.secured("plant", "runtime-a", settings={"runtime.control.auth_token": text})
    node.start()
    bench.demand(_status(node, text) == 401, "the placeholder opens the door")
    bench.demand(_status(node, "") == 401, "an empty token opens the door")
    told = node.cli("ctl", "status", "--json").stdout
    bench.demand(text not in node.output() + told, "the placeholder is shown")
    bench.demand(node.ask("GET", "/readyz").status == 503, "it is ready")
    node.kill()


def tokens_at_rest(world: World, bench: Bench) -> None:
    """S18: only digests are kept; a revoked token stays so after kill -9."""
    node = world.secured("plant", "runtime-t", settings={"runtime.mesh.enabled": False}).start()
    kept, ended = world.pair(node, "anna", "viewer"), world.pair(node, "ben", "viewer")
    for token in (kept, ended):
        bench.demand(_status(node, token) == 200, "a paired token opens nothing")
        bench.demand(len(token) >= 43, f"a token of {len(token)} characters holds no 256 bits")
    page = node.ask("GET", "/api/pairings")
    bench.demand(kept not in page.text and ended not in page.text, "the list shows a token")
    ids = {one["owner"]: one["token_id"] for one in page.json["items"]}
    gone = node.ask("DELETE", f"/api/pairings/{ids['ben']}")
    bench.demand(gone.status == 200, gone.text)
    node.kill()
    for path in sorted(node.folder.rglob("*")):
        held = path.is_file() and any(t.encode() in path.read_bytes() for t in (kept, ended))
        bench.demand(not held, f"{path.name} holds a token")
    node.start()
    bench.demand(_status(node, ended) == 401, "a revoked token lives after kill -9")
    bench.demand(_status(node, kept) == 200, "the other one died")
    node.kill()


def token_guessing(world: World, bench: Bench) -> None:
    """S19: ten wrong tokens of one address close the door to its wrong ones, not to right ones."""
    node = world.plant[1]
    found = [_status(node, f"canary-guess-{number:040}") for number in range(20)]
    bench.say(f"{found}")
    bench.demand(found[-1] == 429, f"20 guesses are answered {found}")
    answer = node.ask("GET", STATE, token="canary-guess")  # noqa: S106 - none
    bench.demand("retry-after" in answer.headers, "no Retry-After")
    bench.demand(_status(node, world.token) == 200, "the right token is locked out")
    node.source = "127.0.0.2"
    try:
        other = _status(node, "canary-guess-from-elsewhere")
    finally:
        node.source = LOOPBACK
    bench.demand(other == 401, f"another address is answered {other}")


def pairing_guessing(world: World, bench: Bench) -> None:
    """S19: five wrong codes end the code that waits; an address may claim five times a minute."""
    node = world.plant[1]
    started = node.ask("POST", "/api/pair/start", {"owner": "carla", "role": "viewer"}).json
    bench.demand(len(started.get("code", "")) >= 13, f"code: {started}")
    found = []
    for number in range(6):
        code = f"AAAA-AAAA-AAAA{'ABCDEF'[number]}"
        found.append(node.ask("POST", "/api/pair/claim", {"code": code}, token=None).status)
    bench.demand(200 not in found and found[-1] == 429, f"wrong codes: {found}")
    node.source = "127.0.0.3"
    try:
        late = node.ask("POST", "/api/pair/claim", {"code": started["code"]}, token=None)
    finally:
        node.source = LOOPBACK
    bench.demand(late.status != 200, "five wrong codes did not end the right one")
    world.secrets.append(started["code"])


def timing(world: World, bench: Bench) -> None:
    """S20: how long a refusal takes tells nothing of how much of a token was right."""
    node = world.plant[1]
    kinds = {
        "unknown": "z" * len(world.token),
        "wrong tail": world.token[:-1] + ("0" if world.token[-1] != "0" else "1"),
        "wrong head": "z" + world.token[1:],
    }
    node.source = "127.0.0.4"  # Those who guessed before may not claim.
    try:
        kinds["revoked"] = world.pair(node, "dora", "viewer")
    finally:
        node.source = LOOPBACK
    ids = {one["owner"]: one["token_id"] for one in node.ask("GET", "/api/pairings").json["items"]}
    gone = node.ask("DELETE", f"/api/pairings/{ids['dora']}")
    bench.demand(gone.status == 200, gone.text)
    count = int(os.environ.get(SAMPLES_NAME) or _SAMPLES)
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    connection = node.open()
    try:
        for _ in range(count):
            for name, token in kinds.items():
                start_s = time.perf_counter()
                connection.request("GET", STATE, headers={"x-trust-token": token})
                connection.getresponse().read()
                taken[name].append(time.perf_counter() - start_s)
    finally:
        connection.close()
    names = sorted(kinds)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            t = _welch(taken[first], taken[second])
            bench.say(f"{first} against {second}: t = {t:.2f} of {count} samples each")
            bench.demand(abs(t) < _T_MAX, f"{first} and {second} differ: t = {t:.2f}")


def secrets_never_leave(world: World, bench: Bench) -> None:
    """S21: no secret in answers, logs, audit, metrics, command lines or files made for others."""
    for node in (*world.plant, *world.wan):
        for name in ("state", "config", "config/history", "timeline", "audit", "links"):
            node.ask("GET", f"{CLOUD}/{name}")
        node.ask("GET", "/metrics")
        node.ask("GET", "/api/openapi.json")
        node.ask("POST", "/api/control", {"type": "config.get"})
        node.ask("GET", f"{STATE}?token={world.token}")
        node.ask("GET", STATE, token=world.token + "x")
        shown = node.cli("ctl", "config-get").stdout + node.cli("validate").stdout
        places = {f"command of {node.id}": shown, "what was printed": node.output()}
        places["/proc"] = Path(f"/proc/{node.pid}/cmdline").read_text()
        given_out = {answer.json.get("token") for answer in node.answers if _is_map(answer.json)}
        for answer in node.answers:
            if not (_is_map(answer.json) and answer.json.get("token") in given_out - {None}):
                places.setdefault("answers", "")
                places["answers"] += answer.text + json.dumps(dict(answer.headers))
        for path in node.folder.rglob("*"):
            if path.is_file() and path.name not in _MAY_HOLD:
                places[str(path)] = path.read_text(errors="replace")
        bench.demand(len(places) > 5, f"only {sorted(places)} were looked at")
        key = (node.identity / "runtime.key").read_text().splitlines()[1]
        for secret in (*world.secrets, key):
            held = [name for name, text in places.items() if secret in text]
            held = [name for name in held if not (secret == key and name.endswith("runtime.key"))]
            codes = [name for name in held if name != "answers"]
            bench.demand(not (codes or (held and secret.startswith("canary"))), f"{held} hold one")


def redaction(world: World, bench: Bench) -> None:
    """S22: a secret key is written and never shown, not even by a conflict."""
    node = world.secured("plant", "runtime-r", settings={"runtime.mesh.enabled": False}).start()
    new = f"canary-{os.urandom(20).hex()}"
    world.secrets.append(new)
    done = node.desired({"control.auth_token": new})
    bench.demand(done.json.get("ok"), f"a new token is not taken: {done.text}")
    former, node.token = node.token, new
    until(lambda: _status(node, new) == 200, within_s=10, otherwise=node.output)
    bench.demand(_status(node, former) == 401, "the former token is good still")
    found = [
        done,
        node.ask("GET", f"{CLOUD}/config"),
        node.ask("GET", f"{CLOUD}/config/history"),
        node.ask("GET", f"{CLOUD}/config/history?revision=1"),
        node.ask("GET", f"{CLOUD}/timeline"),
        node.ask("GET", f"{CLOUD}/audit"),
        node.ask("POST", "/api/control", {"type": "config.get"}),
        node.ask(
            "POST",
            f"{CLOUD}/config/desired",
            {
                "api_version": "1.0",
                "actor": "spiffe://trust/site-a/tester",
                "desired": {"control.auth_token": "x" * 40},
                "expected_revision": 0,
            },
        ),
    ]
    bench.say(f"{[one.status for one in found]}")
    bench.demand(found[-1].status in (409, 412), f"no conflict: {found[-1].text}")
    bench.demand("control.auth_token" in found[1].text, "the key itself is not shown")
    for one in found:
        bench.demand(new not in one.text, f"shown: {one.text[:300]}")
    node.kill()


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _status(node: Node, token: str | None, **headers: str) -> int:
    return node.ask("GET", STATE, token=token or None, headers=headers).status


def _welch(first: list[float], second: list[float]) -> float:
    """Return Welch's t of two samples, without the slowest tenth: noise of the machine."""
    a, b = (sorted(one)[: len(one) * 9 // 10] for one in (first, second))
    spread = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))
    return (statistics.fmean(a) - statistics.fmean(b)) / spread
