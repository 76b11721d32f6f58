"""Verbs and I/O configuration of any runtime through one, over real processes (6.15, 6.16)."""

from typing import Any

from runtimes import Plant, Runtime

PROXY = "/api/runtime-cloud/control/proxy"
IO = "/api/runtime-cloud/io/config"
ACTOR = "spiffe://trust/default-site/anna"


def proxied(runtime: Runtime, target: str, verb: str, **control: Any) -> tuple[int, Any]:
    body = {
        "api_version": "1.0",
        "actor": ACTOR,
        "target_runtime": target,
        "control_request": {"type": verb, **control},
    }
    return runtime.request("POST", PROXY, body)


def test_a_verb_runs_where_it_is_meant(here: Plant) -> None:
    first, second = here.pair()
    status, reply = proxied(first, "runtime-b", "status", request_id="p-1")
    assert (status, reply["ok"], reply["id"], reply["request_id"]) == (200, True, 1, "p-1")
    assert reply["result"]["runtime_id"] == "runtime-b"
    assert reply["result"]["io_restart_required"] is False
    for runtime in (first, second):
        status, found = runtime.get(f"/api/runtime-cloud/audit/{reply['audit_id']}")
        assert status == 200, found
        [record] = [r for r in found["records"] if r["held_by"] == runtime.id]
        assert (record["action_type"], record["verb"]) == ("status_read", "status")
    patch = {"log.level": "debug"}
    status, reply = proxied(first, "runtime-b", "config.set", params=patch, request_id="p-2")
    assert (status, reply["ok"]) == (200, True), reply
    status, again = proxied(first, "runtime-b", "config.set", params=patch, request_id="p-2")
    assert (status, again["audit_id"]) == (200, reply["audit_id"])
    status, row = first.get("/api/runtime-cloud/actions/p-2")
    assert (status, row["action_type"]) == (200, "cfg_apply")
    status, reply = proxied(first, "runtime-b", "config.get", params={"keys": ["log.level"]})
    assert (status, reply["result"]) == (200, {"log.level": "debug"})


def test_what_is_refused_says_how(here: Plant) -> None:
    first, _ = here.pair()
    assert proxied(first, "runtime-b", "config.set", request_id="p-1", params={})[0] == 200
    other = {"request_id": "p-1", "params": {"log.level": "warn"}}
    for expected, code, target, verb, control in (
        (400, "contract_violation", "runtime-b", "statuss", {}),
        (400, "contract_violation", "runtime-b", "audit.list", {}),
        (400, "contract_violation", "a/b/c", "status", {}),
        (403, "contract_violation", "runtime-b", "shutdown", {}),
        (403, "not_configured", "runtime-b", "io.read", {}),
        (403, "target_unreachable", "ghost", "status", {}),
        (409, "conflict", "runtime-b", "config.set", other),
    ):
        status, answer = proxied(first, target, verb, **control)
        assert (status, answer["denial_code"]) == (expected, code), answer
        assert ("preflight" in answer) is (expected == 403)


def test_direct_control_of_the_connected_runtime(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    status, reply = first.request("POST", "/api/control", {"id": 9, "type": "health"})
    assert (status, reply["id"], reply["ok"]) == (200, 9, True)
    status, answer = first.request("POST", "/api/control", {"type": "health", "auth": "x"})
    assert (status, answer["denial_code"]) == (400, "contract_violation")
    body = {"type": "shutdown", "params": {"confirm": True}}
    status, reply = first.request("POST", "/api/control", body)
    assert (status, reply["result"]) == (200, {"stopping": True})
    assert first.process is not None
    assert first.process.wait(10) == 0


def test_io_is_written_from_afar_and_in_force_after_a_restart(here: Plant) -> None:
    first, second = here.pair()
    status, before = first.get(f"{IO}?target=runtime-b")
    assert (status, before["driver"], before["source"]) == (200, "loopback", "project")
    write = {
        "api_version": "1.0",
        "actor": ACTOR,
        "target_runtime": "runtime-b",
        "drivers": [{"name": "simulated"}],
        "safe_state": [{"address": "%QX0.0", "value": "FALSE"}],
        "expected_etag": before["etag"],
        "request_id": "io-1",
    }
    status, saved = first.request("POST", IO, write)
    assert (status, saved["message"]) == (200, "I/O config saved; restart needed"), saved
    status, again = first.request("POST", IO, write)
    assert (status, again["replayed"], again["etag"]) == (200, True, saved["etag"])
    status, stale = first.request("POST", IO, {**write, "request_id": "io-2"})
    assert (status, stale["denial_code"]) == (409, "revision_conflict")
    status, wrong = first.request(
        "POST",
        IO,
        {**write, "request_id": "io-3", "expected_etag": None, "drivers": [{"name": "gpio"}]},
    )
    assert (status, wrong["denial_code"]) == (400, "contract_violation")
    assert "not in this version" in wrong["error"]
    assert (second.folder / "io.toml.previous").read_text()
    assert proxied(first, "runtime-b", "status")[1]["result"]["io_restart_required"] is True
    assert second.stop() == 0
    second.start()
    status, shown = second.get(IO)
    assert (status, shown["driver"], shown["etag"]) == (200, "simulated", saved["etag"])
    status, reply = second.request("POST", "/api/control", {"type": "status"})
    assert reply["result"]["io_restart_required"] is False
