"""What the fleet shows and answers while processes die, freeze, leave and come back."""

import signal
from functools import partial

import pytest

from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until


def read(origin: Runtime, target: str, **members: object) -> dict[str, object]:
    report = origin.action("dispatch", origin.body("status_read", [target], **members))
    assert len(report["results"]) == 1
    result: dict[str, object] = report["results"][0]
    return result


def test_a_killed_runtime_is_stale_and_denied_at_once(here: Plant) -> None:
    first, second = here.pair()
    second.kill()
    until_lifecycle(first, "runtime-b", "stale")
    result = read(first, "runtime-b")
    assert (result["status"], result["denial_code"]) == ("denied", "stale_data")


@pytest.mark.parametrize("dead", ["runtime-a", "runtime-b"])
def test_whoever_died_is_online_again_after_its_restart(here: Plant, dead: str) -> None:
    pair = {runtime.id: runtime for runtime in here.pair()}
    other = next(name for name in pair if name != dead)
    pair[dead].kill()
    until_lifecycle(pair[other], dead, "stale")
    pair[dead].start()
    until_lifecycle(pair[other], dead, "online")
    until_lifecycle(pair[dead], other, "online")
    assert read(pair[other], dead)["ok"] is True
    assert read(pair[dead], other)["ok"] is True


def test_a_frozen_runtime_costs_its_own_deadline_only(here: Plant) -> None:
    first, second = here.pair()
    second.signal(signal.SIGSTOP)
    body = first.body("status_read", ["runtime-a", "runtime-b"], query_budget_ms=300)
    report = first.action("dispatch", body)
    by_target = {r["runtime_id"]: r for r in report["results"]}
    assert by_target["runtime-a"]["status"] == "executed"
    assert by_target["runtime-b"]["status"] == "timeout"
    until_lifecycle(first, "runtime-b", "stale")
    second.signal(signal.SIGCONT)
    until_lifecycle(first, "runtime-b", "online")


def test_a_frozen_target_runs_nothing_late(here: Plant) -> None:
    first, second = here.pair()
    second.signal(signal.SIGSTOP)
    body = first.body(
        "cfg_apply",
        ["runtime-b"],
        payload={"params": {"log.level": "debug"}},
        query_budget_ms=300,
    )
    assert first.action("dispatch", body)["results"][0]["status"] == "timeout"
    second.signal(signal.SIGCONT)
    until_lifecycle(first, "runtime-b", "online")
    # The late message, if it arrives at all, is refused and recorded; nothing is written.
    assert read(first, "runtime-b")["ok"] is True
    status, view = second.get("/api/runtime-cloud/config")
    assert (status, view["meta"]["desired_revision"]) == (200, 0)


def test_a_budget_of_zero_sends_nothing(here: Plant) -> None:
    first, second = here.pair()
    assert read(first, "runtime-b", query_budget_ms=0)["status"] == "timeout"
    listed = second.cli("audit", "list", "--actor", "spiffe://trust/default-site/tester")
    assert (listed.returncode, listed.stdout) == (0, "no record\n"), listed.stderr


def test_a_stopped_runtime_is_offline(here: Plant) -> None:
    first, second = here.pair()
    assert second.stop() == 0, second.output()
    until_lifecycle(first, "runtime-b", "offline")
    result = read(first, "runtime-b")
    assert (result["status"], result["denial_code"]) == ("denied", "target_unreachable")
    assert first.stop() == 0, first.output()
    first.start()
    assert first.lifecycle("runtime-b") == "offline"


def test_a_peer_not_there_after_a_restart_is_stale_not_forgotten(here: Plant) -> None:
    first, second = here.pair()
    second.kill()
    first.kill()
    first.start()
    assert first.lifecycle("runtime-b") == "stale"


def test_two_processes_of_one_id_are_noticed_and_refused(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    second = here.runtime("runtime-b", connect=[first.mesh_port]).start()
    until_lifecycle(first, "runtime-b", "online")
    twin = here.runtime(
        "runtime-b", connect=[first.mesh_port, second.mesh_port], folder_name="twin"
    ).start()

    def trust() -> str | None:
        nodes = {n["runtime_id"]: n for n in first.state()["topology"]["nodes"]}
        reason: str | None = nodes["runtime-b"].get("trust_reason")
        return reason

    assert wait_until(lambda: trust() == "duplicate_instance", within_s=15), first.state()
    body = first.body("cfg_apply", ["runtime-b"], payload={"params": {"log.level": "debug"}})
    report = first.action("dispatch", body)
    assert report["denial_code"] == "permission_denied"
    assert "duplicate_instance" in report["denial_reason"]
    assert read(first, "runtime-b")["denial_code"] == "permission_denied"

    def knows_itself(runtime: Runtime) -> bool:
        nodes = {n["runtime_id"]: n for n in runtime.state()["topology"]["nodes"]}
        return bool(nodes["runtime-b"].get("trust_reason") == "duplicate_instance")

    assert wait_until(lambda: knows_itself(second) and knows_itself(twin), within_s=15)
    twin.kill()
    assert wait_until(lambda: trust() != "duplicate_instance", within_s=15)


def test_a_changed_key_is_untrusted_until_the_operator_pins_it(here: Plant) -> None:
    first, second = here.pair()
    assert second.stop() == 0
    until_lifecycle(first, "runtime-b", "offline")
    for name in ("runtime.key", "runtime.crt"):
        (second.folder / ".trust" / "identity" / name).unlink()
    second.start()
    until_lifecycle(first, "runtime-b", "online")
    body = first.body("cfg_apply", ["runtime-b"], payload={"params": {"log.level": "debug"}})
    report = first.action("dispatch", body)
    assert report["denial_code"] == "permission_denied"
    assert "identity_changed" in report["denial_reason"]
    assert read(first, "runtime-b")["ok"] is True
    certificate = str(second.folder / ".trust" / "identity" / "runtime.crt")
    pinned = first.cli("pki", "import-bundle", "--pin", "runtime-b", certificate)
    assert pinned.returncode == 0, pinned.stderr
    assert "trusted" in first.cli("pki", "show").stdout

    def allowed() -> bool:
        again = {**body, "request_id": f"{body['request_id']}-again"}
        return bool(first.action("preflight", again)["allowed"])

    assert wait_until(allowed, within_s=5)


def test_ten_runtimes_see_ten_and_answer_ten(here: Plant) -> None:
    first = here.runtime("runtime-0").start()
    others = [
        here.runtime(f"runtime-{n}", connect=[first.mesh_port]).start(wait=False)
        for n in range(1, 10)
    ]
    fleet = [first, *others]
    for runtime in fleet:
        assert wait_until(runtime.is_ready, within_s=60), runtime.output()

    def sees_all(runtime: Runtime) -> bool:
        nodes = runtime.state()["topology"]["nodes"]
        return [n["lifecycle_state"] for n in nodes] == 10 * ["online"]

    for runtime in fleet:
        assert wait_until(partial(sees_all, runtime), within_s=30), runtime.state()
    body = first.body("status_read", [r.id for r in fleet], query_budget_ms=10_000)
    report = first.action("dispatch", body)
    assert report["ok"] is True, report
    assert sorted(r["runtime_id"] for r in report["results"]) == sorted(r.id for r in fleet)
