"""The project folder, the audit log, the verbs, and the code itself (S23, S30, S31, S33, S34)."""

import ast
import importlib.metadata
import re
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trust_runtime.gates.cases import Bench, CaseFailed
from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import CLOUD, until
from trust_runtime.gates.security.world import World, preflight

FLOORS: Final = {
    "zeroconf": (0, 149, 17),
    "starlette": (1, 3, 1),
    "eclipse-zenoh": (1, 7, 2),
    "cryptography": (46, 0, 0),
}
_CONFIG: Final = 10
_FORBIDDEN_CALLS: Final = {"eval", "exec", "compile", "__import__"}
_FORBIDDEN_NAMES: Final = {"CERT_NONE", "_create_unverified_context"}
_FORBIDDEN_MODULES: Final = {"pickle", "marshal", "shelve", "yaml"}


def works(profile: str, world: World, bench: Bench) -> None:
    """State, a read and a write between two real processes over TLS."""
    first, second = world.plant if profile == "plant" else world.wan
    if profile == "wan":
        _open_both(first, second)
    bench.demand(first.secure, "the web does not speak TLS")
    context = first.ask("GET", f"{CLOUD}/state").json["context"]
    bench.demand(context["identity"] == "token://static-admin", f"{context}")
    for action, payload in (("status_read", {}), ("cfg_apply", {"params": {"log.level": "debug"}})):
        done = first.dispatch(action, [second.id], payload=payload)
        bench.say(done.text)
        bench.demand(done.json.get("ok") is True, f"{action}: {done.text}")
    result = first.dispatch("status_read", [second.id]).json["results"][0]
    mesh = result["response"]["result"]["mesh"]
    bench.demand(mesh["tls"] is True, f"the mesh says {mesh}")
    if profile == "wan":
        for node in (first, second):
            node.desired({"runtime_cloud.wan.allow_write": []})


def _open_both(first: Node, second: Node) -> None:
    rule = {"runtime_cloud.wan.allow_write": [{"action": "*", "target": "*", "from": "*"}]}
    for node in (first, second):
        node.desired(rule)
    until(
        lambda: bool(
            preflight(
                first, "cfg_apply", second.id, payload={"params": {"log.level": "debug"}}
            ).get("allowed")
        ),
        within_s=10,
        otherwise=lambda: "rules at both ends allow nothing",
    )


def changed_key_dev(world: World, bench: Bench) -> None:
    """A runtime with another key is untrusted, writes are refused both ways, `--pin` restores."""
    first = world.node("runtime-k", site="site-k").start()
    second = world.node("runtime-l", site="site-k", connect=[first.mesh_port]).start()
    first.until_online(second)
    second.until_online(first)
    second.kill()
    shutil.rmtree(second.identity)
    second.start()

    def trust() -> str:
        return str(first.nodes()[second.id].get("trust_state"))

    until(lambda: trust() == "untrusted", within_s=20, otherwise=trust)
    payload = {"params": {"log.level": "debug"}}
    for node, other in ((first, second), (second, first)):
        before = other.revision()
        done = node.dispatch("cfg_apply", [other.id], payload=payload)
        bench.say(done.text)
        bench.demand(done.json.get("ok") is False, f"{node.id} wrote: {done.text}")
        bench.demand(other.revision() == before, f"{node.id} wrote")
    certificate = str(second.identity / "runtime.crt")
    pinned = first.cli("pki", "import-bundle", "--pin", second.id, certificate)
    bench.demand(pinned.returncode == 0, f"--pin: {pinned.stderr}")
    until(lambda: trust() == "trusted", within_s=20, otherwise=trust)
    until(
        lambda: bool(first.dispatch("cfg_apply", [second.id], payload=payload).json.get("ok")),
        within_s=20,
        otherwise=first.output,
    )
    first.kill()
    second.kill()


def file_modes(world: World, bench: Bench) -> None:
    """S23: keys and state are for their owner alone, and looser ones keep it from starting."""
    for node in (*world.dev, *world.plant):
        for path in (node.folder / ".trust").rglob("*"):
            mode = stat.S_IMODE(path.lstat().st_mode)
            private = path.suffix == ".key" or path.name.startswith("state.db")
            private = private or path.name in {"identity", "c.sock"}
            bench.demand(not (private and mode & 0o077), f"{path.name} has mode {mode:04o}")
        mode = stat.S_IMODE((node.folder / "c.sock").stat().st_mode)
        bench.demand(not mode & 0o077, f"c.sock has mode {mode:04o}")
        bench.demand((node.identity / "runtime.key").is_file(), "there is no key: nothing is seen")
    spoiled = world.secured("plant", "runtime-m")
    for path in (spoiled.identity / "runtime.key", spoiled.folder / ".trust"):
        kept = stat.S_IMODE(path.stat().st_mode)
        path.chmod(kept | 0o044)
        try:
            ran = spoiled.cli("run")
        except subprocess.TimeoutExpired as ran_on:
            raise CaseFailed(f"{path.name} is open to others, and it runs") from ran_on
        finally:
            path.chmod(kept)
        said = ran.stdout + ran.stderr
        bench.demand(ran.returncode == _CONFIG, f"{path.name} looser: exit {ran.returncode} {said}")
        bench.demand("chmod" in said, f"no remedy is said: {said}")


def audit_chain(world: World, bench: Bench) -> None:
    """S30: denials are recorded, the log verifies, and an edited or cut copy does not."""
    first, second = world.plant
    body = first.body("cfg_apply", [second.id], actor="spiffe://trust/site-z/eve", payload={})
    first.ask("POST", f"{CLOUD}/actions/dispatch", body)
    asked = f"{CLOUD}/audit?request_id={body['request_id']}"
    found = first.ask("GET", asked).json["items"]
    bench.demand(any(one["decision"] == "denied" for one in found), f"no record: {found}")
    good = first.cli("audit", "verify", "--json")
    bench.demand(good.returncode == 0, f"audit verify: {good.stdout}{good.stderr}")
    database = next((first.folder / ".trust").rglob("state.db"))
    for name, statement in (
        ("edited", "UPDATE {t} SET {c} = replace({c}, '/eve', '/eva') WHERE {c} LIKE '%/eve%'"),
        ("deleted", "DELETE FROM {t} WHERE rowid = (SELECT max(rowid) - 1 FROM {t})"),
    ):
        copy = world.folder / f"audit-{name}"
        shutil.copytree(first.folder, copy, ignore=shutil.ignore_patterns("c.sock", "*.lock"))
        # Else the copy's command would ask the process of the original.
        settings = copy / "runtime.toml"
        settings.write_text(settings.read_text().replace(str(first.folder), str(copy)))
        with sqlite3.connect(copy / database.relative_to(first.folder)) as db:
            for (trigger,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                db.execute(f'DROP TRIGGER "{trigger}"')
            table, column = _audit_column(db)
            changed = db.execute(statement.format(t=table, c=column)).rowcount
        db.close()
        bench.demand(changed > 0, f"{name}: nothing was changed, the check sees nothing")
        ran = Node.cli_at(copy, "audit", "verify", "--json")
        bench.say(f"{name}: {ran.returncode} {ran.stdout}{ran.stderr}")
        bench.demand(ran.returncode == 1, f"{name}: audit verify exits {ran.returncode}")


def _audit_column(db: sqlite3.Connection) -> tuple[str, str]:
    """Return table and column of the records."""
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    table = next(name for name in tables if name.startswith("audit"))
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    column = next(c for c in ("decision", "record", "content", "body", "json") if c in columns)
    return table, column


def dangerous_verbs(world: World, bench: Bench) -> None:
    """S31: unknown verbs are contract violations, dangerous ones want a word, debug is refused."""
    node = world.plant[0]
    head = {"api_version": "1.0", "actor": "spiffe://trust/site-a/tester"}

    def asked(verb: str, params: dict[str, object]) -> list[tuple[bool, str | None]]:
        request = {"type": verb, "params": params}
        found = [node.ask("POST", "/api/control", request)]
        proxied = {**head, "target_runtime": node.id, "control_request": request}
        found.append(node.ask("POST", f"{CLOUD}/control/proxy", proxied))
        payload = {"command": verb, "params": params}
        found.append(node.dispatch("cmd_invoke", [node.id], payload=payload))
        bench.say(f"{verb}: {[one.text[:200] for one in found]}")
        return [(one.json.get("ok") is True, one.code) for one in found]

    for verb in ("nothing", "status; shutdown", "__class__", "exec", "os.system", "Shutdown"):
        for done, code in asked(verb, {}):
            bench.demand(not done and code == "contract_violation", f"{verb}: {done} {code}")
    for verb, params in (
        ("shutdown", {}),
        ("shutdown", {"confirm": "yes"}),
        ("eval", {"expression": "1"}),
        ("var.force", {"name": "x", "value": 1}),
        ("breakpoints.set", {"source": "x", "lines": [1]}),
    ):
        for done, code in asked(verb, dict(params)):
            bench.demand(not done and code is not None, f"{verb} {params}: {done} {code}")
    smuggled = node.dispatch(
        "cmd_invoke",
        [node.id],
        payload={"command": "config.set", "params": {"params": {"log.level": "trace"}}},
    )
    bench.demand(smuggled.code == "contract_violation", f"config.set: {smuggled.text}")
    bench.demand(node.ask("GET", "/healthz").status == 200, "a dangerous verb ran")
    lowered = node.desired({"runtime_cloud.profile": "dev"})
    bench.demand(lowered.json.get("ok") is not True, "the profile was lowered from afar")


def dependency_floors(_world: World, bench: Bench) -> None:
    """S33: what is installed is as new as what is known to be sound, and is locked."""
    for name, floor in FLOORS.items():
        text = importlib.metadata.version(name)
        found = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
        bench.say(f"{name} {text}, at least {floor}")
        bench.demand(found >= floor, f"{name} {text} is older than {floor}")
    lock = _root() / "uv.lock"
    bench.demand(lock.is_file(), "uv.lock is missing")
    text = lock.read_text()
    bench.demand(text.count("sha256:") > len(FLOORS), "uv.lock has no digests")


def static_code(_world: World, bench: Bench) -> None:
    """S34: no way to run a text, no shell, no unverified TLS, no `==` between secrets."""
    seen = 0
    for path in sorted((_root() / "src" / "trust_runtime").rglob("*.py")):
        if "gates" in path.parts:
            continue  # It plays the attacker.
        tree = ast.parse(path.read_text())
        seen += 1
        for line, what in _findings(tree):
            bench.demand(None, f"{path.relative_to(_root())}:{line}: {what}")
    bench.demand(seen > 100, f"only {seen} files were read")


def _findings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _bad_call(node)
        elif isinstance(node, ast.Import):
            bad = (one for one in node.names if one.name.split(".")[0] in _FORBIDDEN_MODULES)
            yield from ((node.lineno, f"import {one.name}") for one in bad)
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in _FORBIDDEN_MODULES:
                yield node.lineno, f"from {node.module}"
        elif isinstance(node, ast.Attribute) and node.attr in _FORBIDDEN_NAMES:
            yield node.lineno, node.attr


def _bad_call(node: ast.Call) -> Iterator[tuple[int, str]]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in _FORBIDDEN_CALLS:
        yield node.lineno, f"{name}()"
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if (keyword.arg == "shell" and value is True) or (
            keyword.arg == "verify" and value is False
        ):
            yield node.lineno, f"{keyword.arg}={value!r}"


def _root() -> Path:
    return Path(__file__).resolve().parents[4]
