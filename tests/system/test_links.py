"""Link preferences over real processes: shown in the state of all, kept over restarts (6.13)."""

from typing import Any

from runtimes import Plant, Runtime
from waiting import wait_until

LINKS = "/api/runtime-cloud/links"


def channels(observer: Runtime, source: str, target: str) -> list[str]:
    return [
        edge["channel_type"]
        for edge in observer.state()["topology"]["edges"]
        if (edge["source"], edge["target"]) == (source, target)
    ]


def until_channels(observer: Runtime, expected: list[str], *, within_s: float = 15.0) -> None:
    shown = wait_until(
        lambda: channels(observer, "runtime-a", "runtime-b") == expected, within_s=within_s
    )
    assert shown, observer.state()["topology"]["edges"]


def prefer(runtime: Runtime, transport: str, **changes: Any) -> tuple[int, Any]:
    body = {
        "api_version": "1.0",
        "actor": "spiffe://trust/default-site/anna",
        "source": "runtime-a",
        "target": "runtime-b",
        "transport": transport,
        **changes,
    }
    return runtime.request("POST", f"{LINKS}/transport", body)


def test_a_preference_is_shown_here_and_at_the_other_end(here: Plant) -> None:
    first, second = here.pair()
    until_channels(first, ["mesh_t2_ops"])
    status, answer = prefer(first, "mesh")
    assert status == 200, answer
    for observer in (first, second):
        until_channels(observer, ["mesh_t1_fast"])
    status, answer = prefer(first, "realtime")
    assert status == 200, answer
    for observer in (first, second):
        until_channels(observer, ["mesh_t2_ops", "t0_hard_rt"])
    [realtime] = [
        edge for edge in second.state()["topology"]["edges"] if edge["channel_type"] == "t0_hard_rt"
    ]
    assert (realtime["state"], realtime["latency_ms_p95"]) == ("degraded", None)
    status, _ = prefer(first, "opcua")
    assert status == 200
    until_channels(second, ["federation_bridge"])
    [bridge] = [e for e in first.state()["topology"]["edges"] if e["source"] == "runtime-a"]
    assert (bridge["latency_ms_p95"], bridge["loss_pct"]) == (None, None)


def test_preferences_survive_and_are_removed(here: Plant) -> None:
    first, _ = here.pair()
    _, made = prefer(first, "discovery")
    first.kill()
    first.start()
    status, listed = first.get(LINKS)
    assert (status, listed["items"]) == (200, [made["preference"]])
    status, records = first.get(f"/api/runtime-cloud/audit/{made['audit_id']}")
    assert status == 200
    assert [record["action_type"] for record in records["records"]] == ["link.set"] * 2
    query = "?source=runtime-a&target=runtime-b"
    status, gone = first.request("DELETE", LINKS + query)
    assert (status, gone["removed"]) == (200, made["preference"])
    assert first.request("DELETE", LINKS + query)[0] == 404
    assert first.get(LINKS)[1]["items"] == []
    until_channels(first, ["mesh_t2_ops"])


def test_refusals_have_their_statuses(here: Plant) -> None:
    first, _ = here.pair()
    far = here.runtime(
        "runtime-c",
        connect=[first.mesh_port],
        extra={
            "runtime.discovery.host_group": '"elsewhere"',
        },
    ).start()
    assert wait_until(lambda: first.lifecycle(far.id) == "online", within_s=15)
    for expected, transport, changes in (
        (400, "mesh", {"api_version": "2.0"}),
        (400, "mesh", {"target": " "}),
        (400, "carrier-pigeon", {}),
        (403, "mesh", {"source": "runtime-b", "target": "runtime-a"}),
        (400, "realtime", {"target": "runtime-c"}),
        (400, "mesh", {"actor": ""}),
    ):
        status, answer = prefer(first, transport, **changes)
        assert status == expected, answer
    assert "same host" in prefer(first, "realtime", target="runtime-c")[1]["error"]
    assert first.get(LINKS)[1]["items"] == []


def test_the_configuration_asks_for_links_too(here: Plant) -> None:
    entry = '[{source = "runtime-a", target = "runtime-b", transport = "mesh"}]'
    first = here.runtime("runtime-a", extra={"runtime.cloud.links.transports": entry}).start()
    second = here.runtime("runtime-b", connect=[first.mesh_port]).start()
    until_channels(second, ["mesh_t1_fast"])
    [shown] = first.get(LINKS)[1]["items"]
    assert (shown["origin"], shown["actor"]) == ("config", "config")
    query = "?source=runtime-a&target=runtime-b"
    assert first.request("DELETE", LINKS + query)[0] == 409
    patch: dict[str, Any] = {"params": {"runtime_cloud.links.transports": []}}
    report = first.action("dispatch", first.body("cfg_apply", ["runtime-a"], payload=patch))
    assert report["ok"], report
    until_channels(second, ["mesh_t2_ops"])
    assert first.get(LINKS)[1]["items"] == []
