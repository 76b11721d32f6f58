"""Steps 5 to 7 of the Quickstart over real processes, and what a read leaves behind."""

from runtimes import Plant
from waiting import wait_until


def test_both_see_each_other_with_measured_links(here: Plant) -> None:
    first, second = here.pair()
    assert wait_until(
        lambda: (
            sum(e["latency_ms_p95"] is not None for e in first.state()["topology"]["edges"]) == 2
        ),
        within_s=15,
    ), first.state()
    state = first.state()
    assert state["context"]["connected_via"] == "runtime-a"
    assert [n["runtime_id"] for n in state["topology"]["nodes"]] == ["runtime-a", "runtime-b"]
    assert {(e["source"], e["target"]) for e in state["topology"]["edges"]} == {
        ("runtime-a", "runtime-b"),
        ("runtime-b", "runtime-a"),
    }
    assert all(e["state"] == "healthy" for e in state["topology"]["edges"])
    assert all(e["loss_pct"] == 0.0 for e in state["topology"]["edges"])
    assert state["topology"]["host_groups"] == [["runtime-a", "runtime-b"]]
    assert second.lifecycle("runtime-a") == "online"


def test_a_read_is_executed_and_recorded_at_both_ends(here: Plant) -> None:
    first, second = here.pair()
    body = first.body("status_read", ["runtime-b"])

    preflight = first.action("preflight", body)
    assert preflight["allowed"] is True
    assert "denial_code" not in preflight

    report = first.action("dispatch", body)
    assert report["ok"] is True, report
    result = report["results"][0]
    assert (result["runtime_id"], result["status"]) == ("runtime-b", "executed")
    assert result["response"]["result"]["plc_name"] == "runtime-b"
    assert result["response"]["result"]["program"] == "none"
    assert result["response"]["result"]["engine"] == "absent"
    for runtime in (first, second):
        found = runtime.cli("audit", "show", result["audit_id"])
        assert found.returncode == 0, found.stderr
        assert "executed" in found.stdout
        verified = runtime.cli("audit", "verify")
        assert verified.returncode == 0, verified.stderr
        assert verified.stdout.startswith("ok: ")
    again = first.action("dispatch", body)
    assert again["ok"] is True
    assert "replayed" not in again["results"][0]


def test_records_are_read_from_the_file_when_nothing_runs(here: Plant) -> None:
    first, second = here.pair()
    audit_id = first.action("dispatch", first.body("status_read", ["runtime-b"]))["results"][0][
        "audit_id"
    ]
    assert first.stop() == 0
    assert second.stop() == 0
    for runtime in (first, second):
        found = runtime.cli("audit", "show", audit_id)
        assert found.returncode == 0, found.stderr
        assert runtime.cli("audit", "verify").returncode == 0
    unknown = first.cli("audit", "show", "audit-nobody")
    assert unknown.returncode == 1
    assert "remedy" in unknown.stderr


def test_a_target_nobody_knows_is_denied_with_its_reason(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    report = first.action("dispatch", first.body("status_read", ["ghost", "runtime-a"]))
    assert report["ok"] is False
    by_target = {r["runtime_id"]: r for r in report["results"]}
    assert by_target["ghost"]["denial_code"] == "target_unreachable"
    assert by_target["runtime-a"]["status"] == "skipped"
    assert all(r["audit_id"] for r in report["results"])
    asked = first.body("status_read", ["ghost", "runtime-a"], on_denied="continue")
    report = first.action("dispatch", asked)
    assert [r["status"] for r in report["results"]] == ["denied", "executed"]


def test_a_wrong_mesh_token_gets_no_link(here: Plant) -> None:
    token = {"runtime.mesh.auth_token": '"the right token of this mesh, long enough"'}
    first = here.runtime("runtime-a", extra=token).start()
    second = here.runtime("runtime-b", connect=[first.mesh_port], extra=token).start()
    stranger = here.runtime(
        "stranger",
        connect=[first.mesh_port],
        extra={"runtime.mesh.auth_token": '"another token"'},
    ).start()
    assert wait_until(lambda: first.lifecycle("runtime-b") == "online", within_s=15)
    assert first.lifecycle("stranger") is None
    assert stranger.lifecycle("runtime-a") is None
    assert second.lifecycle("stranger") is None
    for runtime in (first, second, stranger):
        assert "token of this mesh" not in runtime.output()
