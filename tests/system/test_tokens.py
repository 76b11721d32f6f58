"""Token authentication at real processes: who gets in, and that no token is ever seen."""

import json
from pathlib import Path
from typing import Any

import pytest

from runtimes import Plant, Runtime
from waiting import wait_until

WAIT_S = 10.0
TOKEN = "canary-7f3a9c51d2e84b60a1f5c3e9d8b7a6f4"  # noqa: S105 - looked for everywhere
WRONG = "canary-wrong-4b60a1f5c3e9d8b7"
STATE = "/api/runtime-cloud/state"
EXTRA = {
    "runtime.web.auth": '"token"',
    "runtime.control.auth_token": json.dumps(TOKEN),
}


def status_of(runtime: Runtime, path: str = STATE, **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return runtime.request("GET", path, headers=names)[0]


def test_a_token_opens_the_door_and_nothing_else_does(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra=EXTRA).start()
    assert status_of(runtime, X_Trust_Token=TOKEN) == 200
    assert status_of(runtime, Authorization=f"Bearer {TOKEN}") == 200
    assert status_of(runtime, X_Trust_Token=TOKEN, Authorization=f"Bearer {TOKEN}") == 200
    assert status_of(runtime, X_Trust_Token=TOKEN, X_Forwarded_For="10.0.0.9") == 200
    assert status_of(runtime) == 401
    assert status_of(runtime, f"{STATE}?token={TOKEN}&X-Trust-Token={TOKEN}") == 401
    assert status_of(runtime, Cookie=f"X-Trust-Token={TOKEN}") == 401
    assert status_of(runtime, X_Trust_Token=WRONG) == 401
    assert status_of(runtime, X_Trust_Token=TOKEN, Authorization=f"Bearer {WRONG}") == 401
    assert status_of(runtime, "/healthz") == 200
    _, document = runtime.request("GET", STATE, headers={"X-Trust-Token": TOKEN})
    assert document["context"]["identity"] == "token://static-admin"


def test_an_actor_of_another_site_is_refused_on_every_road(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra=EXTRA).start()
    token = {"X-Trust-Token": TOKEN}
    body = runtime.body("status_read", [runtime.id], actor="spiffe://trust/site-b/anna")
    _, decision = runtime.request(
        "POST", "/api/runtime-cloud/actions/preflight", body, headers=token
    )
    assert (decision["allowed"], decision["denial_code"]) == (False, "permission_denied")
    write = {
        "api_version": "1.0",
        "actor": "spiffe://trust/site-b/anna",
        "desired": {"log.level": "debug"},
    }
    status, answer = runtime.request(
        "POST", "/api/runtime-cloud/config/desired", write, headers=token
    )
    assert (status, answer["denial_code"]) == (403, "permission_denied")


def everything(runtime: Runtime) -> dict[str, bytes]:
    """Return all files of a project but those that may hold secrets."""
    kept = {"runtime.toml", "state.db", "state.db-wal", "state.db-shm"}
    files = [path for path in runtime.folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files if path.name not in kept}


def test_no_token_is_in_anything_a_session_produces(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra=EXTRA).start()
    token = {"X-Trust-Token": TOKEN}
    new = "canary-new-2b8f0e6d4c1a9573bf60d2e8a7c41953"
    answers: list[Any] = []

    def ask(method: str, path: str, body: object = None, **headers: str) -> None:
        answers.append(runtime.request(method, path, body, headers={**token, **headers}))

    ask("POST", "/api/runtime-cloud/config/desired", desired({"log.level": "trace"}))
    ask("POST", "/api/runtime-cloud/config/desired", desired({"control.auth_token": [new]}))
    ask("POST", "/api/runtime-cloud/config/desired", desired({"control.auth_token": None}))
    ask("POST", "/api/runtime-cloud/config/desired", desired({"control.auth_token": new}))
    answers.append(runtime.request("GET", STATE, headers={"X-Trust-Token": WRONG}))
    in_force = wait_until(lambda: status_of(runtime, X_Trust_Token=new) == 200, within_s=WAIT_S)
    assert in_force, "a new token counts without a restart"
    assert status_of(runtime, X_Trust_Token=TOKEN) == 401, "and the former one no more"
    token["X-Trust-Token"] = new
    for path in ("state", "config", "config/history", "timeline", "audit", "links", "io/config"):
        ask("GET", f"/api/runtime-cloud/{path}")
    ask("GET", f"/api/runtime-cloud/state?token={new}")
    ask("POST", "/api/control", {"type": "config.get"})
    ask("POST", "/api/runtime-cloud/actions/dispatch", runtime.body("status_read", [runtime.id]))
    shown = [runtime.cli(*words).stdout for words in (["ctl", "config-get"], ["validate"])]
    assert runtime.stop() == 0

    produced = {**everything(runtime), "answers": json.dumps(answers).encode()}
    produced |= {f"command {place}": text.encode() for place, text in enumerate(shown)}
    assert any(path.endswith("runtime.jsonl") for path in produced), "the log was looked at"
    for secret in (TOKEN, WRONG, new):
        assert [name for name, text in produced.items() if secret.encode() in text] == []


def desired(patch: dict[str, Any]) -> dict[str, Any]:
    return {"api_version": "1.0", "actor": "local://tester", "desired": patch}


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"runtime.web.listen": '"0.0.0.0:18999"'}, 'set runtime.web.auth = "token"'),
        ({"runtime.web.auth": '"token"'}, "openssl rand -hex 32"),
    ],
)
def test_an_open_door_is_a_configuration_error(
    here: Plant, extra: dict[str, str], said: str
) -> None:
    runtime = here.runtime("runtime-a")
    text = (runtime.folder / "runtime.toml").read_text()
    kept = [line for line in text.splitlines() if line.split(" ")[0] not in extra]
    more = [f"{key} = {value}" for key, value in extra.items()]
    (runtime.folder / "runtime.toml").write_text("\n".join([*kept, *more]) + "\n")
    for command in ("validate", "run"):
        done = runtime.cli(command)
        assert done.returncode == 10
        assert said in done.stdout + done.stderr


def test_a_placeholder_admits_nobody_and_the_start_says_how_to_make_a_token(
    here: Plant,
) -> None:
    placeholder = "REPLACE_WITH_LONG_RANDOM_TOKEN"
    extra = {**EXTRA, "runtime.control.auth_token": json.dumps(placeholder)}
    runtime = here.runtime("runtime-a", extra=extra).start()
    assert status_of(runtime, X_Trust_Token=placeholder) == 401
    assert status_of(runtime, X_Trust_Token="") == 401
    log = Path(runtime.folder / ".trust" / "logs" / "runtime.jsonl").read_text()
    assert "openssl rand -hex 32" in log
    assert placeholder not in log


def claim(runtime: Runtime, *words: str) -> dict[str, Any]:
    """Pair somebody over the command line and return the answer of the claim."""
    started = runtime.cli("pair", "start", *words, "--token", TOKEN, "--json")
    assert started.returncode == 0, started.stderr
    code = json.loads(started.stdout)["code"]
    done = runtime.cli("pair", "claim", "--code", code, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_paired_token_has_its_role_and_ends_for_ever(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra=EXTRA).start()
    anna = claim(runtime, "anna", "--role", "operator")
    ben = claim(runtime, "ben", "--role", "viewer")
    sent = {"X-Trust-Token": anna["token"]}
    _, document = runtime.request("GET", STATE, headers=sent)
    assert document["context"]["identity"] == "token://anna"
    status, answer = runtime.request(
        "POST", "/api/runtime-cloud/config/desired", desired({"log.level": "debug"}), headers=sent
    )
    assert (status, answer["denial_code"]) == (403, "acl_denied_cfg_write")
    assert runtime.request("GET", "/api/pairings", headers=sent)[0] == 403

    listed = runtime.cli("pair", "list", "--token", TOKEN, "--json")
    owners = {one["owner"]: one["enabled"] for one in json.loads(listed.stdout)["items"]}
    assert owners == {"anna": True, "ben": True}
    revoked = runtime.cli("pair", "revoke", anna["token_id"], "--token", TOKEN)
    assert revoked.returncode == 0, revoked.stderr
    assert status_of(runtime, **{"X-Trust-Token": anna["token"]}) == 401
    runtime.kill()
    runtime.start()
    assert status_of(runtime, **{"X-Trust-Token": anna["token"]}) == 401
    assert status_of(runtime, **{"X-Trust-Token": ben["token"]}) == 200

    sent = {"X-Trust-Token": TOKEN}
    _, page = runtime.request("GET", "/api/runtime-cloud/audit?limit=100", headers=sent)
    kinds = {(one["action_type"], one["decision"]) for one in page["items"]}
    assert {(f"pair.{verb}", "allowed") for verb in ("start", "claim", "list", "revoke")} <= kinds
    assert runtime.stop() == 0
    files = [path for path in runtime.folder.rglob("*") if path.is_file()]
    for secret in (anna["token"], ben["token"]):
        held = [str(path) for path in files if secret.encode() in path.read_bytes()]
        assert held == [], "only the digest of a token is kept, also in the state file"


def test_a_claimed_token_goes_into_a_private_file(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra=EXTRA).start()
    started = runtime.cli("pair", "start", "anna", "--role", "viewer", "--token", TOKEN, "--json")
    file = runtime.folder / "anna.token"
    code = json.loads(started.stdout)["code"]
    done = runtime.cli("pair", "claim", "--code", code, "--out", str(file))
    assert done.returncode == 0, done.stderr
    token = file.read_text().strip()
    assert token not in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert status_of(runtime, **{"X-Trust-Token": token}) == 200
    again = runtime.cli("pair", "claim", "--code", "AAAA-AAAA-AAAAA", "--out", str(file))
    assert again.returncode == 2, "a file that is there is not written over"
    other = runtime.folder / "other.token"
    wrong = runtime.cli("pair", "claim", "--code", "AAAA-AAAA-AAAAA", "--out", str(other))
    assert (wrong.returncode, other.exists()) == (1, False)
