"""The configuration of one runtime through another: written, lost, read back, rolled back."""

import json
import signal
from pathlib import Path
from typing import Any

from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until

CLOUD = "/api/runtime-cloud"
AT_B = "?target=runtime-b"
CANARY = "canary-0123456789-0123456789-0123456789"
ERIK = "spiffe://trust/default-site/erik"


def config(runtime: Runtime, query: str = "") -> dict[str, Any]:
    status, document = runtime.get(f"{CLOUD}/config{query}")
    assert status == 200, document
    result: dict[str, Any] = document
    return result


def history(runtime: Runtime, query: str = "") -> list[dict[str, Any]]:
    status, document = runtime.get(f"{CLOUD}/config/history{query}")
    assert status == 200, document
    items: list[dict[str, Any]] = document["items"]
    return items


def write(runtime: Runtime, desired: dict[str, Any], **more: Any) -> tuple[int, Any]:
    headers = more.pop("headers", None)
    body = {"api_version": "1.0", "actor": ERIK, "desired": desired, **more}
    return runtime.request("POST", f"{CLOUD}/config/desired{AT_B}", body, headers=headers)


def roll_back(runtime: Runtime, revision: int, **more: Any) -> tuple[int, Any]:
    body = {"api_version": "1.0", "actor": ERIK, "revision": revision, **more}
    return runtime.request("POST", f"{CLOUD}/config/rollback{AT_B}", body)


def audited(runtime: Runtime, audit_id: str) -> list[tuple[str, str, str | None]]:
    status, answer = runtime.get(f"{CLOUD}/audit/{audit_id}")
    assert status == 200, answer
    return [
        (r["action_type"], r["phase"], r.get("outcome"))
        for r in answer["records"]
        if r["held_by"] == runtime.id
    ]


def test_a_write_elsewhere_is_decided_kept_and_recorded_at_both_ends(here: Plant) -> None:
    first, second = here.pair()
    status, answer = write(first, {"log.level": "debug"}, expected_revision=0, request_id="w-1")
    assert (status, answer["ok"], answer["changed"]) == (200, True, True), answer
    assert answer["meta"]["desired_revision"] == 1
    assert answer["meta"]["last_writer"] == ERIK
    assert answer["status"]["state"] == "in_sync"
    for runtime in (first, second):
        assert audited(runtime, answer["audit_id"]) == [
            ("config.write", "decision", None),
            ("config.write", "outcome", "executed"),
        ]
    assert config(first, AT_B) == config(second)
    assert config(first)["desired"] == {}
    status, again = write(first, {"log.level": "debug"}, expected_revision=0, request_id="w-1")
    assert (status, again["replayed"], again["audit_id"]) == (200, True, answer["audit_id"])
    # It is in force after a restart of its owner, and still known as the same request.
    second.kill()
    second.start()
    until_lifecycle(first, "runtime-b", "online")
    assert config(first, AT_B)["reported"] == {"log.level": "debug"}
    status, again = write(first, {"log.level": "debug"}, expected_revision=0, request_id="w-1")
    assert (status, again["replayed"]) == (200, True)


def test_whoever_loses_is_shown_the_truth_and_changes_nothing(here: Plant) -> None:
    first, second = here.pair()
    assert write(first, {"log.level": "debug"})[0] == 200
    before = config(second)
    for more, status in (
        ({"expected_revision": 0}, 409),
        ({"expected_etag": "sha256:0"}, 409),
        ({"headers": {"If-Match": '"sha256:0"'}}, 412),
    ):
        said, answer = write(first, {"log.level": "warn"}, **more)
        assert (said, answer["denial_code"]) == (status, "revision_conflict")
        assert answer["required_action"] == "rebase_required"
        for part in ("desired", "reported", "meta", "status"):
            assert answer[part] == before[part]
    said, answer = write(first, {"log.level": "warn"}, expected_revision=0)
    assert "changed since then: log.level" in answer["error"]
    assert config(second) == before
    for desired, named in (
        ({"log.levle": "debug"}, "log.level"),
        ({"log.level": "loud"}, "loud"),
        ({"resource.name": "x"}, "runtime.toml"),
    ):
        said, answer = write(first, desired)
        assert (said, answer["denial_code"]) == (400, "contract_violation"), answer
        assert named in answer["error"]
    assert config(second) == before
    for runtime in (first, second):
        assert runtime.cli("audit", "verify").returncode == 0


def test_history_and_rollback_keep_secrets_and_show_none(here: Plant) -> None:
    first, second = here.pair()
    told = [
        write(first, {"log.level": "debug", "discovery.host_group": "cell-1"}),
        write(first, {"mesh.auth_token": CANARY}),
        write(first, {"log.level": "warn", "mesh.auth_token": None}),
        write(first, {"mesh.auth_token": CANARY}, expected_revision=0),
        write(first, {"mesh.auth_token": [CANARY]}),
        roll_back(first, 2, expected_revision=3),
    ]
    assert [status for status, _ in told] == [200, 200, 200, 409, 400, 200]
    assert told[-1][1]["meta"]["desired_revision"] == 4
    items = history(first, AT_B)
    assert items == history(second)
    assert [(i["revision"], i["kind"]) for i in items] == [
        (4, "rollback"),
        (3, "write"),
        (2, "write"),
        (1, "write"),
    ]
    assert items[0]["patch"] == {"log.level": "debug", "mesh.auth_token": "<redacted>"}
    assert [i["revision"] for i in history(first, f"{AT_B}&limit=2&before=4")] == [3, 2]
    view = config(second)
    assert view["desired"] == {
        "log.level": "debug",
        "discovery.host_group": "cell-1",
        "mesh.auth_token": "<redacted>",
    }
    said, answer = roll_back(first, 9)
    assert (said, answer["denial_code"]) == (400, "contract_violation"), answer
    said, answer = roll_back(first, 1, expected_revision=1)
    assert (said, answer["denial_code"]) == (409, "revision_conflict")
    for shown in (told, items, view, answer, first.state(), second.state()):
        assert CANARY not in repr(shown)
    for runtime in (first, second):
        assert CANARY not in repr(runtime.get(f"{CLOUD}/audit?limit=1000"))
        assert CANARY not in repr(runtime.get(f"{CLOUD}/timeline?limit=1000"))
        assert CANARY not in runtime.output()
        assert runtime.stop() == 0
    found = [path for path in files_of(first, second) if CANARY.encode() in path.read_bytes()]
    kept = {second.folder / ".trust" / name for name in ("state.db", "state.db-wal")}
    assert found
    assert set(found) <= kept


def files_of(*runtimes: Runtime) -> list[Path]:
    return [path for runtime in runtimes for path in runtime.folder.rglob("*") if path.is_file()]


def test_a_target_that_cannot_answer_is_told_as_what_it_is(here: Plant) -> None:
    # With a lease longer than an answer may take, the link to a frozen process stands.
    first, second = here.pair(extra={"runtime.cloud.presence.lease_ms": "10000"})
    said, answer = first.get(f"{CLOUD}/config?target=ghost")
    assert (said, answer["denial_code"]) == (403, "target_unreachable")
    assert answer["denial_reason"] == answer["error"]
    assert answer["preflight"]["acting_on"] == ["ghost"]
    assert answer["remedy"]
    said, answer = first.get(f"{CLOUD}/config?target=")
    assert (said, answer["denial_code"]) == (400, "contract_violation")
    said, answer = first.request(
        "POST",
        f"{CLOUD}/config/desired?target=site-b/oven",
        {"api_version": "1.0", "actor": ERIK, "desired": {"log.level": "warn"}},
    )
    assert (said, answer["denial_code"]) == (403, "permission_denied")
    assert "cross-site write action" in answer["error"]

    second.signal(signal.SIGSTOP)
    # Online still by its last beacon, it is asked, and does not answer.
    said, answer = write(first, {"log.level": "warn"}, request_id="frozen")
    assert (said, answer["denial_code"]) == (504, "timeout"), answer
    until_lifecycle(first, "runtime-b", "stale")
    said, answer = write(first, {"log.level": "error"})
    assert (said, answer["denial_code"]) == (403, "stale_data")
    assert answer["preflight"]["decisions"][0]["target_state"] == "stale"
    second.signal(signal.SIGCONT)
    until_lifecycle(first, "runtime-b", "online")
    # What reached it after its deadline was not executed; nor does it run now.
    assert config(first, AT_B)["meta"]["desired_revision"] == 0

    second.kill()
    seen: list[int] = []

    def is_known_dead() -> bool:
        seen.append(write(first, {"log.level": "warn"})[0])
        return seen[-1] == 403

    # Until its death is noticed there is no route; from then on it is not asked any more.
    assert wait_until(is_known_dead, within_s=15), seen
    assert set(seen[:-1]) <= {503}
    said, answer = first.get(f"{CLOUD}/config{AT_B}")
    assert (said, answer["denial_code"]) == (403, "stale_data")


def test_the_command_line_compares_revisions_and_runtimes(here: Plant) -> None:
    first, _ = here.pair()
    for level in ("debug", "warn"):
        assert write(first, {"log.level": level})[0] == 200
    of_b = ("config", "diff", "--target", "runtime-b", "--json", "--against")
    same = first.cli(*of_b, "2")
    assert (same.returncode, json.loads(same.stdout)["differences"]) == (0, [])
    older = first.cli(*of_b, "1")
    assert older.returncode == 1, older
    assert json.loads(older.stdout)["differences"] == [
        {"key": "log.level", "values": {"revision 1": "debug", "revision 2": "warn"}}
    ]
    later = first.cli(*of_b, "3")
    assert later.returncode == 1
    assert "1..2, of which the newest 1000 are kept" in later.stderr
    other = first.cli(*of_b, "runtime-a")
    assert other.returncode == 1, other
    assert {
        "key": "log.level",
        "values": {"runtime-a": "info", "runtime-b": "warn"},
    } in json.loads(other.stdout)["differences"]
