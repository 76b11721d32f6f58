"""Two sites over real processes: what the example pack's payloads are answered (contract 16.5)."""

import json
from pathlib import Path
from typing import Any

from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until

PACK = Path(__file__).parents[2] / "examples" / "runtime_cloud"
FAR = "site-b/runtime-b"
# As `runtime-b-site-b-dev.toml` has it.
LET_IN = f'[{{ action = "cfg_apply", target = "{FAR}", from = "default-site/runtime-a" }}]'


def body(name: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PACK / name).read_bytes())
    return found | changes


def verdict(answer: dict[str, Any]) -> tuple[bool, str | None, str, str | None]:
    """Return whether, the code, how the target looks, and which check denies first."""
    (decision,) = answer["decisions"]
    denying = [c["check"] for c in decision["checks"] if c["outcome"] == "deny"]
    first = denying[0] if denying else None
    return answer["allowed"], answer.get("denial_code"), decision["target_state"], first


def ask(runtime: Runtime, name: str) -> tuple[bool, str | None, str, str | None]:
    return verdict(runtime.action("preflight", body(f"preflight-cross-site-{name}.json")))


def post_rules(runtime: Runtime, rules: list[dict[str, str]] | None, request_id: str) -> None:
    sent = body("config-allow-site-b.json", request_id=request_id)
    if rules is not None:
        sent["desired"]["runtime_cloud.wan.allow_write"] = rules
    status, answer = runtime.request("POST", "/api/runtime-cloud/config/desired", sent)
    assert (status, answer["ok"], answer["changed"]) == (200, True, True), answer
    assert answer["status"]["state"] == "in_sync"


DENIED = (False, "permission_denied")


def test_a_site_lets_in_and_out_what_its_rules_say(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    far = here.runtime(
        "runtime-b",
        site="site-b",
        connect=[first.mesh_port],
        extra={"runtime.cloud.wan.allow_write": LET_IN},
    )
    for name in ("deny", "allow"):
        assert ask(first, name) == (*DENIED, "unknown", "cross_site")
    post_rules(first, None, "rule-1")
    assert ask(first, "allow") == (False, "target_unreachable", "unknown", "reachable")
    post_rules(first, [], "rule-2")
    assert ask(first, "allow") == (*DENIED, "unknown", "cross_site")

    far.start()
    until_lifecycle(first, FAR, "online")
    assert ask(first, "deny") == (*DENIED, "reachable", "cross_site")
    post_rules(first, None, "rule-3")
    assert ask(first, "allow") == (True, None, "reachable", None)

    sent = body("preflight-cross-site-allow.json", dry_run=False)
    report = first.action("dispatch", sent)
    assert report["ok"], report
    status, config = far.get("/api/runtime-cloud/config")
    assert (status, config["reported"]) == (200, {"log.level": "debug"})
    query = f"/api/runtime-cloud/audit?request_id={sent['request_id']}&limit=1000"
    for runtime in (first, far):
        _, found = runtime.get(query)
        assert [r["target"] for r in found["items"] if r.get("outcome") == "executed"] == [FAR]

    post_rules(first, [], "rule-4")
    assert ask(first, "allow") == (*DENIED, "reachable", "cross_site")
    far.kill()
    until_lifecycle(first, FAR, "stale")
    assert ask(first, "deny") == (*DENIED, "stale", "cross_site")


def test_doing_what_would_allow_it_allows_it(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    far = here.runtime("runtime-b", site="site-b", connect=[first.mesh_port]).start()
    for one, other in ((first, far), (far, first)):
        until_lifecycle(one, other.id, "online")
    sent = body("preflight-cross-site-deny.json", dry_run=False)
    told = first.action("preflight", sent)["would_allow"]
    assert told["possible"]
    by_id = {"runtime-a": first, FAR: far}
    for number, change in enumerate(told["changes"]):
        assert (change["kind"], change["role"]) == ("rule", "admin")
        post_rules(by_id[change["at"]], [change["rule"]], f"change-{number}")
    assert [change["at"] for change in told["changes"]] == ["runtime-a", FAR]
    # The target tells its new rule in a beacon; until then the last word counts.
    assert wait_until(lambda: first.action("preflight", sent)["allowed"], within_s=10)
    assert first.action("dispatch", sent)["ok"]
