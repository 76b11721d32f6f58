"""What keeps a runtime from starting, and what it says of it."""

import socket
from pathlib import Path

from runtimes import Plant, Runtime
from waiting import wait_until


def refused(runtime: Runtime, code: int) -> str:
    runtime.start(wait=False)
    assert runtime.process is not None
    assert runtime.process.wait(20) == code, runtime.output()
    output = runtime.output()
    assert "Traceback" not in output
    assert "remedy: " in output
    return output


def test_a_web_port_in_use_names_it_and_a_free_one(here: Plant) -> None:
    runtime = here.runtime("runtime-a")
    with socket.create_server(("127.0.0.1", runtime.web_port)):
        output = refused(runtime, 1)
    assert f"127.0.0.1:{runtime.web_port}" in output


def test_a_mesh_port_in_use_names_it(here: Plant) -> None:
    runtime = here.runtime("runtime-a")
    with socket.create_server(("127.0.0.1", runtime.mesh_port)):
        output = refused(runtime, 1)
    assert f"127.0.0.1:{runtime.mesh_port}" in output


def test_a_second_process_on_one_project_names_the_first(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    assert first.process is not None
    second = first.cli("play")
    assert second.returncode == 1
    assert str(first.process.pid) in second.stderr


def test_all_errors_of_the_configuration_come_at_once(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra={"runtime.log.levle": '"debug"'})
    text = (runtime.folder / "runtime.toml").read_text()
    (runtime.folder / "runtime.toml").write_text(
        text.replace("runtime.mesh.enabled = true", 'runtime.mesh.enabled = "yes"')
    )
    output = refused(runtime, 10)
    assert "runtime.toml:7: runtime.mesh.enabled" in output
    assert "runtime.log.levle" in output
    assert "level" in output


def test_what_is_not_built_stops_the_start(here: Plant) -> None:
    runtime = here.runtime("runtime-a", extra={"runtime.ha.group_id": '"line-1"'})
    output = refused(runtime, 10)
    assert "runtime.ha.group_id" in output
    assert "not in this version" in output


def test_a_key_others_can_read_is_refused(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    assert runtime.stop() == 0
    key = runtime.folder / ".trust" / "identity" / "runtime.key"
    key.chmod(0o644)
    output = refused(runtime, 10)
    assert "runtime.key" in output
    assert "chmod" in output


def test_a_damaged_key_is_refused_and_kept(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    assert runtime.stop() == 0
    key = runtime.folder / ".trust" / "identity" / "runtime.key"
    key.write_bytes(b"garbage")
    output = refused(runtime, 10)
    assert "runtime.key" in output
    assert key.read_bytes() == b"garbage"


def test_garbage_in_the_configuration_has_a_place(here: Plant) -> None:
    runtime = here.runtime("runtime-a")
    (runtime.folder / "runtime.toml").write_bytes(b'\xff\xfe bundle = "')
    output = refused(runtime, 10)
    assert "runtime.toml" in output


def test_a_plain_file_is_no_project(tmp_path: Path, here: Plant) -> None:
    plain = tmp_path / "plain"
    plain.write_text("hello")
    runtime = here.runtime("runtime-a")
    runtime.folder = plain
    answer = runtime.cli("play")
    assert answer.returncode == 1
    assert "plain" in answer.stderr
    assert plain.read_text() == "hello"


def test_a_first_play_creates_a_project_and_a_second_changes_no_file(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    assert runtime.stop() == 0, runtime.output()
    created = {"runtime.toml", "io.toml", "src", ".gitignore", ".trust"}
    assert created <= {path.name for path in runtime.folder.iterdir()}
    sources = [p for p in runtime.folder.rglob("*") if p.is_file() and ".trust" not in p.parts]
    before = {path: path.read_bytes() for path in sources if path.name != "out.log"}
    runtime.start()
    assert runtime.stop() == 0
    assert {path: path.read_bytes() for path in before} == before


def test_a_damaged_state_file_is_refused_kept_and_repaired_by_command(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    done = runtime.action("dispatch", runtime.body("status_read", ["runtime-a"]))
    audit_id = done["results"][0]["audit_id"]
    assert runtime.stop() == 0
    state = runtime.folder / ".trust" / "state.db"
    healthy = state.read_bytes()
    at = healthy.index(audit_id.encode()) + 10
    damaged = healthy[:at] + bytes([healthy[at] ^ 1]) + healthy[at + 1 :]
    state.write_bytes(damaged)
    verified = runtime.cli("audit", "verify")
    assert verified.returncode == 1
    assert "record " in verified.stderr

    runtime.start(wait=False)
    until_answers(runtime)
    status, ready = runtime.get("/readyz")
    assert (status, ready["denial_code"]) == (503, "transport_failure")
    report = runtime.action("dispatch", runtime.body("status_read", ["runtime-a"]))
    assert report["denial_code"] == "transport_failure"
    assert "audit_id" not in report["results"][0]
    assert "--reset-state" in str(report["preflight"])
    status, answer = runtime.request(
        "POST",
        "/api/runtime-cloud/config/desired",
        {"api_version": "1.0", "actor": "local://x", "desired": {}},
    )
    assert (status, answer["denial_code"]) == (503, "transport_failure")
    assert runtime.stop() == 0
    assert state.read_bytes() == damaged

    runtime.start_as_service("--reset-state")
    assert runtime.cli("audit", "verify").returncode == 0
    listed = runtime.cli("audit", "list").stdout
    assert "state.reset" in listed
    assert any(p.name.startswith("state.db.damaged-") for p in state.parent.iterdir())


def until_answers(runtime: Runtime) -> None:
    def answers() -> bool:
        try:
            return runtime.get("/healthz")[0] == 200
        except OSError:
            return False

    assert wait_until(answers, within_s=20), runtime.output()
