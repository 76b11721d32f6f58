"""Writes over real processes: once, durable, in force again after a restart."""

import signal
from typing import Any

from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until

PATCH = {"params": {"log.level": "debug"}}


def config(runtime: Runtime) -> dict[str, Any]:
    status, document = runtime.get("/api/runtime-cloud/config")
    assert status == 200, document
    result: dict[str, Any] = document
    return result


def test_a_local_write_is_in_force_at_once_and_after_a_restart(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    report = first.action("dispatch", first.body("cfg_apply", ["runtime-a"], payload=PATCH))
    assert report["ok"] is True, report
    result = report["results"][0]
    assert result["audit_id"]
    assert result["response"]["result"]["state"] == "in_sync"
    view = config(first)
    assert view["reported"] == {"log.level": "debug"}
    first.kill()
    first.start()
    view = config(first)
    assert view["reported"] == {"log.level": "debug"}
    assert view["meta"]["reported_revision"] == 1
    assert view["sources"]["log.level"] == "desired"


def test_a_write_runs_once_per_request_id(here: Plant) -> None:
    first, second = here.pair()
    body = first.body("cfg_apply", ["runtime-b"], payload=PATCH)
    done = first.action("dispatch", body)["results"][0]
    assert done["status"] == "executed", done
    again = first.action("dispatch", body)["results"][0]
    assert again["replayed"] is True
    assert again["audit_id"] == done["audit_id"]
    assert config(second)["meta"]["desired_revision"] == 1
    other = {**body, "payload": {"params": {"log.level": "info"}}}
    clash = first.action("dispatch", other)["results"][0]
    assert (clash["status"], clash["denial_code"]) == ("denied", "conflict")
    assert config(second)["reported"] == {"log.level": "debug"}
    second.kill()
    second.start()
    until_lifecycle(first, "runtime-b", "online")
    assert first.action("dispatch", body)["results"][0]["replayed"] is True
    assert config(second)["meta"]["desired_revision"] == 1


def test_restart_keys_wait_and_say_so(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    payload = {"params": {"discovery.host_group": "cell-1", "log.level": "debug"}}
    report = first.action("dispatch", first.body("cfg_apply", ["runtime-a"], payload=payload))
    result = report["results"][0]["response"]["result"]
    assert result["restart_required"] == ["discovery.host_group"]
    status = config(first)["status"]
    assert status["state"] == "pending"
    assert status["required_action"] == "restart_required"
    assert first.stop() == 0
    first.start()
    assert config(first)["status"]["state"] == "in_sync"
    assert first.state()["topology"]["nodes"][0]["host_group"] == "cell-1"


def test_a_revision_that_cannot_start_is_left_out_and_named(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    blocker = here.runtime("blocker").start()
    payload = {"params": {"web.listen": f"127.0.0.1:{blocker.web_port}"}}
    report = first.action("dispatch", first.body("cfg_apply", ["runtime-a"], payload=payload))
    assert report["ok"] is True, report
    assert first.stop() == 0
    first.start(wait=False)
    assert first.process is not None
    assert first.process.wait(20) == 1
    first.start()
    status = config(first)["status"]
    assert status["state"] == "blocked"
    assert status["blocked_reason"] == "start_failed"


def test_desired_writes_compare_revision_and_etag(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    write = {
        "api_version": "1.0",
        "actor": "spiffe://trust/default-site/erik",
        "expected_revision": 0,
        "desired": {"log.level": "debug"},
    }
    path = "/api/runtime-cloud/config/desired"
    status, answer = first.request("POST", path, write)
    assert (status, answer["changed"]) == (200, True), answer
    status, answer = first.request("POST", path, write)
    assert (status, answer["denial_code"]) == (409, "revision_conflict")
    assert answer["meta"]["desired_revision"] == 1
    assert answer["desired"] == {"log.level": "debug"}
    del write["expected_revision"]
    etag = answer["meta"]["desired_etag"]
    headers = {"If-Match": '"sha256:0"'}
    status, answer = first.request("POST", path, write, headers=headers)
    assert (status, answer["denial_code"]) == (412, "revision_conflict")
    status, answer = first.request("POST", path, write, headers={"If-Match": f'"{etag}"'})
    assert (status, answer["changed"]) == (200, False), answer
    status, answer = first.request(
        "POST", path, {**write, "desired": {"log.level": None}}, headers={}
    )
    assert (status, answer["changed"]) == (200, True)
    assert wait_until(lambda: config(first)["reported"] == {}, within_s=5)
    assert config(first)["effective"]["log.level"] == "info"


def test_unknown_and_file_only_keys_change_nothing(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    before = config(first)
    for params, said in (
        ({"log.levle": "debug"}, "log.level"),
        ({"log.level": "loud"}, "log.level"),
        ({"resource.name": "x"}, "runtime.toml"),
        ({"runtime_cloud.profile": "plant"}, "plant needs"),
    ):
        body = first.body("cfg_apply", ["runtime-a"], payload={"params": params})
        report = first.action("dispatch", body)
        assert report["denial_code"] == "contract_violation", report
        assert said in report["denial_reason"]
    assert config(first)["meta"] == before["meta"]


def test_a_secret_is_never_shown(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    secret = "canary-0123456789-0123456789-0123456789"  # noqa: S105 - the canary of this test
    body = first.body("cfg_apply", ["runtime-a"], payload={"params": {"mesh.auth_token": secret}})
    report = first.action("dispatch", body)
    assert report["ok"] is True, report
    shown = [str(report), str(config(first)), str(first.state()), first.output()]
    shown.append(first.cli("audit", "list", "--json").stdout)
    assert all(secret not in text for text in shown)
    assert config(first)["desired"] == {"mesh.auth_token": "<redacted>"}


def test_shutdown_stops_the_target_in_order(here: Plant) -> None:
    first, second = here.pair()
    body = first.body("cmd_invoke", ["runtime-b"], payload={"command": "shutdown"})
    assert first.action("dispatch", body)["denial_code"] == "contract_violation"
    payload = {"command": "shutdown", "params": {"confirm": True}}
    report = first.action("dispatch", first.body("cmd_invoke", ["runtime-b"], payload=payload))
    assert report["ok"] is True, report
    assert second.process is not None
    assert second.process.wait(10) == 0, second.output()
    until_lifecycle(first, "runtime-b", "offline")
    second.process = None
    found = second.cli("audit", "show", report["results"][0]["audit_id"])
    assert "outcome         executed" in found.stdout


def test_what_is_not_built_is_refused_with_its_reason(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    payload = {"command": "restart", "params": {"mode": "warm"}}
    report = first.action("dispatch", first.body("cmd_invoke", ["runtime-a"], payload=payload))
    assert report["denial_code"] == "not_configured"
    assert "not in this version" in report["denial_reason"]


def test_acknowledged_writes_survive_kill_9(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    for round_number in range(5):
        level = ("debug", "warn")[round_number % 2]
        body = first.body("cfg_apply", ["runtime-a"], payload={"params": {"log.level": level}})
        done = first.action("dispatch", body)["results"][0]
        assert done["ok"] is True, done
        first.signal(signal.SIGKILL)
        first.kill()
        first.start()
        view = config(first)
        assert view["meta"]["desired_revision"] == round_number + 1
        assert view["reported"] == {"log.level": level}
        assert first.action("dispatch", body)["results"][0]["replayed"] is True
        assert first.cli("audit", "verify").returncode == 0
