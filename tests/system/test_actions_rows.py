"""What became of a dispatch can be asked for later; the truth replaces what was not known (6.9)."""

import signal
import threading
from functools import partial
from typing import Any

from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until

PATCH = {"params": {"log.level": "debug"}}
ROUNDS = 4


def row(runtime: Runtime, request_id: str) -> dict[str, Any]:
    status, answer = runtime.get(f"/api/runtime-cloud/actions/{request_id}")
    assert status == 200, answer
    result: dict[str, Any] = answer
    return result


def has_row(runtime: Runtime, request_id: str) -> bool:
    return runtime.get(f"/api/runtime-cloud/actions/{request_id}")[0] == 200


def result(runtime: Runtime, request_id: str) -> dict[str, Any]:
    [found] = row(runtime, request_id)["report"]["results"]
    one: dict[str, Any] = found
    return one


def level(runtime: Runtime) -> Any:
    status, document = runtime.get("/api/runtime-cloud/config")
    assert status == 200, document
    return document["effective"]["log.level"]


def test_a_row_shows_the_answer_and_survives_a_restart(here: Plant) -> None:
    first, _ = here.pair()
    body = first.body("cfg_apply", ["runtime-b"], payload=PATCH)
    report = first.action("dispatch", body)
    shown = row(first, body["request_id"])
    assert shown["state"] == "done"
    assert shown["report"] == report
    assert shown["actor"] == body["actor"]
    assert shown["created_at_ns"] <= shown["finished_at_ns"]
    read = first.body("status_read", ["runtime-b"])
    first.action("dispatch", read)
    assert result(first, read["request_id"])["status"] == "executed"
    first.kill()
    first.start()
    assert row(first, body["request_id"]) == shown
    for unknown in (read["request_id"], "never-seen"):
        status, answer = first.get(f"/api/runtime-cloud/actions/{unknown}")
        assert (status, answer["denial_code"]) == (404, "peer_not_available")


def test_a_local_write_has_a_row_too(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    body = first.body("cfg_apply", ["runtime-a"], payload=PATCH)
    report = first.action("dispatch", body)
    assert row(first, body["request_id"])["report"] == report


def test_a_write_that_timed_out_becomes_what_it_was(here: Plant) -> None:
    first, second = here.pair()
    # The target stands still: the question waits there, and its deadline passes.
    second.signal(signal.SIGSTOP)
    body = first.body("cfg_apply", ["runtime-b"], payload=PATCH, query_budget_ms=300)
    answer = first.action("dispatch", body)["results"][0]
    assert answer["status"] == "timeout", answer
    until_lifecycle(first, "runtime-b", "stale")
    second.signal(signal.SIGCONT)
    until_lifecycle(first, "runtime-b", "online")
    asked = body["request_id"]
    until_settled(first, asked)
    # Execution never starts after the deadline, and that is the truth about it.
    assert level(second) == "info"
    assert result(first, asked)["status"] == "timeout"


def test_killing_the_target_in_the_middle_converges_to_the_truth(here: Plant) -> None:
    first, second = here.pair()
    for number in range(ROUNDS):
        wanted = ("debug", "warn")[number % 2]
        body = first.body(
            "cfg_apply",
            ["runtime-b"],
            payload={"params": {"log.level": wanted}},
            query_budget_ms=400,
        )
        asked = body["request_id"]
        before = level(second)
        answers: list[dict[str, Any]] = []
        asking = threading.Thread(target=ask, args=(first, body, answers))
        asking.start()
        # The row is there before anything is sent; the kill then falls where it falls.
        assert wait_until(partial(has_row, first, asked), within_s=5)
        second.kill()
        asking.join()
        assert len(answers[0]["results"]) == 1
        second.start()
        until_lifecycle(first, "runtime-b", "online")
        until_settled(first, asked)
        shown = result(first, asked)
        # What the row says is what happened.
        assert level(second) == (wanted if shown["status"] == "executed" else before), shown
        assert shown["ok"] is (shown["status"] == "executed")


def test_an_origin_that_died_goes_on_asking(here: Plant) -> None:
    first, second = here.pair()
    second.signal(signal.SIGSTOP)
    body = first.body("cfg_apply", ["runtime-b"], payload=PATCH, query_budget_ms=9_000)
    asking = threading.Thread(target=lambda: ask_in_vain(first, body))
    asking.start()
    asked = body["request_id"]
    assert wait_until(partial(has_row, first, asked), within_s=5)
    assert row(first, asked)["state"] == "running"
    assert "status" not in result(first, asked)
    first.kill()
    asking.join()
    second.signal(signal.SIGCONT)
    first.start()
    until_lifecycle(first, "runtime-b", "online")
    until_settled(first, asked)
    done = result(first, asked)["status"] == "executed"
    assert level(second) == ("debug" if done else "info")


def ask(runtime: Runtime, body: dict[str, Any], answers: list[dict[str, Any]]) -> None:
    answers.append(runtime.action("dispatch", body))


def ask_in_vain(runtime: Runtime, body: dict[str, Any]) -> None:
    try:
        runtime.action("dispatch", body)
    except OSError:
        return


def until_settled(runtime: Runtime, request_id: str) -> None:
    """Wait until the row says what the target's ledger says, or that it has nothing of it."""

    def settled() -> bool:
        shown = result(runtime, request_id)
        reason = shown.get("denial_reason", "")
        return shown.get("status") == "executed" or "too late" in reason

    assert wait_until(settled, within_s=40), result(runtime, request_id)
