"""A real process at its HTTP edge: what it measures, what it documents, what it logs."""

import json
import signal
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtimes import Plant, Runtime
from waiting import wait_until

WAIT_S = 10.0


def text_of(runtime: Runtime, path: str) -> str:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{runtime.web_port}{path}", timeout=WAIT_S
    ) as got:
        text: str = got.read().decode()
        return text


def measured(runtime: Runtime) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text_of(runtime, "/metrics"))
        for sample in family.samples
    }


def log_file(runtime: Runtime) -> Path:
    return runtime.folder / ".trust" / "logs" / "runtime.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def read_status(runtime: Runtime, *targets: str) -> None:
    runtime.action("dispatch", runtime.body("status_read", targets or [runtime.id]))


def test_metrics_count_what_happened(here: Plant) -> None:
    first, second = here.pair()
    for _ in range(3):
        read_status(first, second.id)
    first.action("preflight", first.body("status_read", ["ghost"]))

    numbers = measured(first)
    assert numbers[("trust_cloud_peers", (("state", "online"),))] == 1
    read = (("action", "status_read"), ("decision", "allowed"), ("code", ""))
    assert numbers[("trust_cloud_decisions_total", read)] == 3
    ghost = (("action", "preflight"), ("decision", "denied"), ("code", "target_unreachable"))
    assert numbers[("trust_cloud_decisions_total", ghost)] == 1
    assert numbers[("trust_cloud_dispatch_seconds_count", ())] == 3
    assert 0 < numbers[("trust_cloud_dispatch_seconds_sum", ())] < 3 * WAIT_S
    assert numbers[("trust_cloud_audit_commit_seconds_count", ())] >= 4
    assert numbers[("trust_cloud_audit_records_total", ())] >= 5
    assert numbers[("trust_runtime_uptime_ms", ())] > 0
    assert measured(second)[("trust_cloud_decisions_total", read)] == 3

    rtt = ("trust_cloud_edge_rtt_ms", (("target", second.id), ("quantile", "0.95")))
    assert wait_until(lambda: rtt in measured(first), within_s=WAIT_S)
    assert measured(first)[rtt] > 0


def test_a_forwarded_request_is_recorded_once_a_second_with_the_count(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{runtime.web_port}/api/runtime-cloud/state",
        headers={"Forwarded": "for=10.0.0.9"},
    )
    for _ in range(20):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(asked, timeout=WAIT_S)  # noqa: S310 - http, to ourselves

    def records() -> list[dict[str, Any]]:
        _, page = runtime.get("/api/runtime-cloud/audit?actor=http://127.0.0.1")
        return [record for record in page["items"] if record["action_type"] == "auth.failed"]

    def told() -> int:
        return sum(record["count"] for record in records())

    assert wait_until(lambda: told() == 20, within_s=WAIT_S)
    found = records()
    assert len(found) < 20
    times = [record["timestamp_ns"] for record in found]
    assert all(newer - older > 900_000_000 for newer, older in pairwise(times))
    refused = measured(runtime)[("trust_cloud_http_refused_total", (("stage", "auth"),))]
    assert refused == 20


def test_a_moved_log_is_begun_anew_after_sighup(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    log, moved = log_file(runtime), log_file(runtime).with_name("moved.jsonl")
    log.rename(moved)
    read_status(runtime)
    assert not log.exists()
    before = len(lines(moved))

    runtime.signal(signal.SIGHUP)

    def begun_anew() -> bool:
        read_status(runtime)
        return any(line["event"] == "audit" for line in lines(log))

    assert wait_until(begun_anew, within_s=WAIT_S)
    assert runtime.get("/healthz") == (200, {"ok": True})
    assert len(lines(moved)) >= before


def test_a_log_on_a_full_disk_stops_nothing(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    runtime.stop()
    log_file(runtime).unlink()
    log_file(runtime).symlink_to("/dev/full")

    runtime.start()
    read_status(runtime)
    assert runtime.get("/healthz") == (200, {"ok": True})
    assert '"event":"audit"' in runtime.output()

    log_file(runtime).unlink()

    def written_again() -> bool:
        read_status(runtime)
        return bool(lines(log_file(runtime)))

    assert wait_until(written_again, within_s=WAIT_S)
    assert runtime.stop() == 0


def readers(runtime: Runtime) -> list[int]:
    """Return the processes that a runtime started, as Linux lists them."""
    assert runtime.process is not None
    pid = runtime.process.pid
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process still runs; one that ended may wait for somebody to ask how."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_process_that_reads_large_bodies_never_outlives_its_runtime(
    here: Plant, how: signal.Signals
) -> None:
    runtime = here.runtime("runtime-a").start()
    assert readers(runtime) == []
    heavy = runtime.body("cfg_apply", [runtime.id], payload={"patch": ["x"] * 5_000})
    status, answer = runtime.request("POST", "/api/runtime-cloud/actions/preflight", heavy)
    assert (status, answer["allowed"]) == (200, False)
    [reader] = readers(runtime)
    assert is_running(reader)
    if how is signal.SIGINT:
        assert runtime.stop() == 0
        assert "Traceback" not in runtime.output()
    else:
        runtime.kill()
    assert wait_until(lambda: not is_running(reader), within_s=WAIT_S)
