"""Writes across sites: both ends' rules, every road, every spelling (S12, S13)."""

import os
import random
from collections import Counter
from typing import Any, Final

from trust_runtime.gates.cases import Bench
from trust_runtime.gates.security.mesh import signed_by_origin
from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import CLOUD, Answer, until
from trust_runtime.gates.security.world import World, preflight, set_rules

WRITES_NAME: Final = "TRUST_SECURITY_WRITES"
SEED_NAME: Final = "TRUST_SECURITY_SEED"
_WRITES: Final = 400
_LETTERS: Final = ("debug", "info", "trace")
ROADS: Final = ("cfg_apply", "cmd_invoke", "desired", "rollback", "io", "proxy", "proxy_config")


def send(node: Node, road: str, target: str) -> Answer:
    """Send one write on a road to a target, in whatever spelling."""
    head = {"api_version": "1.0", "actor": f"spiffe://trust/{node.site}/tester"}
    query = "".join(f"%{byte:02X}" for byte in target.encode())
    level = {"log.level": "trace"}
    proxied: dict[str, dict[str, Any]] = {
        "proxy": {"type": "shutdown", "params": {"confirm": True}},
        "proxy_config": {"type": "config.set", "params": {"params": level}},
    }
    if road == "cfg_apply":
        return node.dispatch("cfg_apply", [target], payload={"params": level})
    if road == "cmd_invoke":
        payload = {"command": "shutdown", "params": {"confirm": True}}
        return node.dispatch("cmd_invoke", [target], payload=payload)
    if road == "desired":
        body: dict[str, Any] = {**head, "desired": level}
        return node.ask("POST", f"{CLOUD}/config/desired?target={query}", body)
    if road == "rollback":
        body = {**head, "revision": 1}
        return node.ask("POST", f"{CLOUD}/config/rollback?target={query}", body)
    if road == "io":
        body = {**head, "target_runtime": target, "driver": "simulated"}
        return node.ask("POST", f"{CLOUD}/io/config", body)
    body = {**head, "target_runtime": target, "control_request": proxied[road]}
    return node.ask("POST", f"{CLOUD}/control/proxy", body)


def allowlist_matrix(world: World, bench: Bench) -> None:
    """S12: the table of rules and what each lets out, on every road, equals the model."""
    first, far = world.wan
    set_rules(far, ("*", far.id, first.id))
    table = {
        "no rule": ((), False),
        "exact": ((("cfg_apply", far.id, "*"),), True),
        "prefix": ((("cfg_apply", "site-b/*", "*"),), True),
        "suffix": ((("cfg_apply", "*/runtime-b", "*"),), True),
        "any": ((("*", "*", "*"),), True),
        "wrong action": ((("cmd_invoke", far.id, "*"),), False),
        "another target": ((("cfg_apply", "site-b/runtime", "*"),), False),
        "longer target": ((("cfg_apply", far.id + "b", "*"),), False),
        "another origin": ((("cfg_apply", far.id, "site-a/runtime-z"),), False),
        "another site": ((("cfg_apply", "site-bb/*", "*"),), False),
    }
    for name, (rules, wanted) in table.items():
        set_rules(first, *rules)
        found = preflight(first, "cfg_apply", far.id, payload={"params": {"log.level": "info"}})
        bench.say(f"{name}: {found.get('allowed')} {found.get('denial_code')}")
        bench.demand(found.get("allowed") is wanted, f"{name}: {found}")
        if not wanted:
            before = far.revision()
            for road in ("cfg_apply", "desired", "rollback", "io", "proxy_config"):
                answer = send(first, road, far.id)
                bench.demand(_is_refused(answer), f"{name}, {road}: {answer.text[:300]}")
            bench.demand(far.revision() == before, f"{name}: something was written")
    for bad in ("site-*/runtime-b", "**", "a*b", ""):
        done = first.desired(
            {"runtime_cloud.wan.allow_write": [{"action": "*", "target": bad, "from": "*"}]}
        )
        bench.demand(done.json.get("ok") is not True, f"pattern {bad!r} is taken")
    set_rules(first)
    body = first.body("cfg_apply", ["site-b/nobody"], payload={"params": {"log.level": "info"}})
    down = first.ask("POST", f"{CLOUD}/actions/preflight", body).json
    bench.demand(down["denial_code"] == "permission_denied", f"a target that is down: {down}")


def allowlist_both_ends(world: World, bench: Bench) -> None:
    """The origin's rule and the target's rule are each needed, and both together are enough."""
    first, far = world.wan
    payload = {"params": {"log.level": "debug"}}
    for out, come_in in ((False, False), (True, False), (False, True), (True, True)):
        set_rules(first, *((("cfg_apply", far.id, "*"),) if out else ()))
        set_rules(far, *((("cfg_apply", far.id, first.id),) if come_in else ()))
        if out and come_in:
            until(
                lambda: bool(preflight(first, "cfg_apply", far.id, payload=payload)["allowed"]),
                within_s=10,
                otherwise=lambda: "the rule of the target is not heard",
            )
        before = far.revision()
        done = first.dispatch("cfg_apply", [far.id], payload=payload)
        bench.say(f"out {out}, in {come_in}: {done.text[:300]}")
        bench.demand(done.json.get("ok") is (out and come_in), f"{out} {come_in}: {done.text}")
        if not (out and come_in):
            bench.demand(far.revision() == before, f"{out} {come_in}: something was written")


def target_decides(world: World, bench: Bench) -> None:
    """S12: an origin that lets everything out is refused by the target itself."""
    first, far = world.wan
    set_rules(first, ("*", "*", "*"))
    set_rules(far)
    before = far.revision()
    found = signed_by_origin(world, {"log.level": "error"})
    bench.say(f"{found!r}")
    bench.demand(found is not None, "the target does not answer")
    bench.demand(found is not None and b"permission_denied" in found, f"{found!r}")
    bench.demand(far.revision() == before, "the target wrote without a rule of its own")
    set_rules(first)


def rule_removed(world: World, bench: Bench) -> None:
    """S13: with the rule gone the next decision denies, at the end where it was."""
    first, far = world.wan
    for owner in (first, far):
        set_rules(first, ("*", "*", "*"))
        set_rules(far, ("*", "*", "*"))
        until(
            lambda: bool(preflight(first, "cfg_apply", far.id, payload=_set("debug"))["allowed"]),
            within_s=10,
            otherwise=lambda: "rules at both ends allow nothing",
        )
        set_rules(owner)
        before = far.revision()
        done = first.dispatch("cfg_apply", [far.id], payload=_set("trace"))
        bench.demand(_is_refused(done), f"rule of {owner.id} gone: {done.text}")
        bench.demand(far.revision() == before, f"rule of {owner.id} gone: written")
    set_rules(first)
    set_rules(far)


def generated_writes(world: World, bench: Bench) -> None:
    """So many writes without a rule, on every road, in every spelling: none comes through."""
    first, far = world.wan
    count = int(os.environ.get(WRITES_NAME) or _WRITES)
    seed = int(os.environ.get(SEED_NAME) or 1)
    rng = random.Random(seed)  # noqa: S311 - no secret: a seed makes a run
    # The target lets everything in: it is the origin's missing rule that has to stop them.
    set_rules(far, ("*", "*", "*"))
    set_rules(first, ("*", "site-bb/*", "*"), ("status_read", "*", "*"), ("*", "site-a/*", "*"))
    before, digest = far.revision(), far.ask("GET", f"{CLOUD}/io/config").json["etag"]
    counts: Counter[str] = Counter()
    for number in range(count):
        road, target = ROADS[number % len(ROADS)], _spelled(rng, far.id)
        answer = send(first, road, target)
        counts[f"{road} {answer.status}"] += 1
        said = f"seed {seed}, write {number}, {road} to {target!r}: {answer.text[:300]}"
        bench.demand(_is_refused(answer), said)
        bench.demand(answer.status < 500, said)
    bench.say(f"{count} writes, seed {seed}: {dict(sorted(counts.items()))}")
    bench.demand(far.revision() == before, "the configuration of the target changed")
    after = far.ask("GET", f"{CLOUD}/io/config").json["etag"]
    bench.demand(after == digest, "the I/O configuration of the target changed")
    bench.demand(far.ask("GET", "/healthz").status == 200, "the target was stopped")
    set_rules(first)
    set_rules(far)


def _set(level: str) -> dict[str, Any]:
    return {"params": {"log.level": level}}


def _is_refused(answer: Answer) -> bool:
    found = answer.json
    if not isinstance(found, dict) or found.get("ok") is not False:
        return False
    return all(one.get("status") != "executed" for one in found.get("results", ()))


def _spelled(rng: random.Random, runtime: str) -> str:
    """Return some text that means, nearly means, or looks like a runtime of another site."""
    if rng.random() < 0.4:
        return runtime
    site, _, name = runtime.partition("/")
    return rng.choice(
        (
            *(runtime.upper(), runtime.title(), runtime.swapcase(), f"{site.title()}/{name}"),
            *(f"{runtime}/", f"/{runtime}", runtime.replace("/", "//"), f"./{runtime}"),
            *(f" {runtime}", f"{runtime} ", f"{runtime}\n", f"\ufeff{runtime}", f"{runtime}\x00"),
            *(f"{runtime}\u200b", runtime.replace("/", "\u2215"), runtime.replace("/", "%2F")),
            *(f"site-a/../{runtime}", f"default-site/{runtime}", f"spiffe://trust/{runtime}"),
            *(runtime.replace("/", "\\"), f"{site}/*", "*", f"{runtime}#x", f"{runtime}?x=1"),
            *(runtime.replace("e", "\u0435"), f"{runtime}e\u0301", name, f"{site}*", "", "/"),
        )
    )
