"""A fleet whose mesh speaks TLS: certificates of the site, and what everybody is told of it."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from certificates import Pair, federate, install, make_authority, make_leaf
from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until

SITE = "site-a"
AUTHORITY = make_authority(SITE)
SITE_B = make_authority("site-b")
TLS = {
    "runtime.mesh.tls": "true",
    "runtime.tls.mode": '"self-managed"',
    "runtime.tls.cert_path": '".trust/identity/runtime.crt"',
    "runtime.tls.key_path": '".trust/identity/runtime.key"',
}


def member(here: Plant, name: str, *, leaf: Pair | None = None, **more: Any) -> Runtime:
    """Return a runtime of the site with an identity, not started."""
    extra: Mapping[str, str] = TLS
    runtime = here.runtime(name, site=SITE, extra=dict(extra), **more)
    install(runtime.folder, leaf or make_leaf(AUTHORITY, f"{SITE}/{name}"), AUTHORITY)
    return runtime


def own_node(runtime: Runtime) -> dict[str, object]:
    nodes = runtime.state()["topology"]["nodes"]
    found: dict[str, object] = next(n for n in nodes if n["runtime_id"] == runtime.id)
    return found


def test_two_runtimes_find_each_other_over_tls(here: Plant) -> None:
    first = member(here, "runtime-a").start()
    second = member(here, "runtime-b", connect=[first.mesh_port]).start()
    until_lifecycle(first, second.id, "online")
    until_lifecycle(second, first.id, "online")
    report = first.action("dispatch", first.body("status_read", [second.id]))
    assert report["ok"] is True, report
    assert report["results"][0]["response"]["result"]["mesh"]["tls"] is True
    second.kill()
    until_lifecycle(first, second.id, "stale")
    second.start()
    until_lifecycle(first, second.id, "online")


def test_two_runtimes_find_each_other_by_mdns_over_tls(here: Plant) -> None:
    first = member(here, "runtime-a", discovery=True).start()
    second = member(here, "runtime-b", discovery=True).start()
    until_lifecycle(first, second.id, "online")
    until_lifecycle(second, first.id, "online")


def test_without_a_certificate_of_a_ca_the_mesh_stays_shut_and_says_why(here: Plant) -> None:
    runtime = here.runtime("runtime-a", site=SITE, extra=dict(TLS)).start(wait=False)
    said = f"{Path('.trust/identity/ca.pem')} is missing"
    assert wait_until(lambda: said in runtime.output(), within_s=20), runtime.output()
    assert wait_until(lambda: _degraded(runtime, said), within_s=20)


def _degraded(runtime: Runtime, said: str) -> bool:
    try:
        node = own_node(runtime)
    except OSError:  # Not listening yet.
        return False
    reasons = node.get("health_reasons") or []
    assert isinstance(reasons, list)
    return any(said in reason for reason in reasons)


def said(runtime: Runtime, *words: str) -> bool:
    """Whether one line of the log says all of that."""
    return any(all(word in line for word in words) for line in runtime.output().splitlines())


def events(runtime: Runtime) -> list[str]:
    return [
        event["summary"] for event in runtime.state()["timeline"] if event["category"] == "security"
    ]


def is_told(runtime: Runtime, text: str) -> bool:
    return any(text in summary for summary in events(runtime))


def until_told(runtime: Runtime, side: str, fault: str) -> None:
    """Wait until log and timeline name that side of a link, and the log why."""
    assert wait_until(lambda: said(runtime, fault, side), within_s=15), runtime.output()
    assert wait_until(lambda: is_told(runtime, side), within_s=15), events(runtime)


OTHER_AUTHORITY = make_authority(SITE)
WRONG: dict[str, tuple[Pair, Pair, str]] = {
    "expired": (
        make_leaf(AUTHORITY, f"{SITE}/runtime-b", starts_in_s=-90, ends_in_s=-60),
        AUTHORITY,
        "certificate_expired",
    ),
    "of another CA": (make_leaf(OTHER_AUTHORITY, f"{SITE}/runtime-b"), AUTHORITY, "unknown_ca"),
    "believing another CA": (
        make_leaf(AUTHORITY, f"{SITE}/runtime-b"),
        OTHER_AUTHORITY,
        "unknown_ca",
    ),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_a_wrong_certificate_gets_no_link_and_both_logs_say_why(here: Plant, wrong: str) -> None:
    leaf, believes, fault = WRONG[wrong]
    first = member(here, "runtime-a").start()
    second = here.runtime("runtime-b", site=SITE, extra=dict(TLS), connect=[first.mesh_port])
    install(second.folder, leaf, believes)
    second.start()
    for runtime, side in ((first, "stranger"), (second, f"127.0.0.1:{first.mesh_port}")):
        until_told(runtime, side, fault)
    assert wait_until(lambda: _degraded(second, str(first.mesh_port)), within_s=15)
    assert not _degraded(first, "mesh")  # Whoever knocks makes nobody unhealthy.
    assert first.lifecycle(second.id) is None


def test_another_token_gets_no_link_and_no_log_shows_it(here: Plant) -> None:
    tokens = ("canary-of-the-first", "canary-of-the-second")
    extra = {**TLS, "runtime.mesh.auth_token": f'"{tokens[0]}"'}
    first = here.runtime("runtime-a", site=SITE, extra=extra)
    second = here.runtime(
        "runtime-b",
        site=SITE,
        extra={**TLS, "runtime.mesh.auth_token": f'"{tokens[1]}"'},
        connect=[first.mesh_port],
    )
    for runtime in (first, second):
        install(runtime.folder, make_leaf(AUTHORITY, runtime.id), AUTHORITY)
        runtime.start()
    assert wait_until(lambda: said(first, "wrong_token", "stranger"), within_s=15), first.output()
    assert wait_until(lambda: said(second, str(first.mesh_port), "mesh token"), within_s=15)
    assert first.lifecycle(second.id) is None
    for runtime in (first, second):
        for token in tokens:
            assert token not in runtime.output()
            assert token not in str(runtime.state())


def test_a_plain_runtime_is_refused_by_name(here: Plant) -> None:
    first = member(here, "runtime-a").start()
    second = here.runtime("runtime-b", site=SITE, connect=[first.mesh_port]).start()
    assert wait_until(lambda: said(first, "not_tls"), within_s=15), first.output()
    assert first.lifecycle(second.id) is None


def test_new_files_are_noticed_and_taken_on_sighup(here: Plant) -> None:
    first = member(here, "runtime-a").start()
    second = here.runtime("runtime-b", site="site-b", extra=dict(TLS), connect=[first.mesh_port])
    install(second.folder, make_leaf(SITE_B, second.id), SITE_B)
    federate(second.folder, SITE, AUTHORITY)
    second.start()
    assert wait_until(lambda: said(first, "unknown_ca"), within_s=15), first.output()
    federate(first.folder, "site-b", SITE_B)
    assert wait_until(lambda: reopen_required(first), within_s=15)
    assert first.lifecycle(second.id) is None
    first.signal(signal.SIGHUP)
    until_lifecycle(first, second.id, "online")
    assert not reopen_required(first)
    # A file that cannot be used does not end a mesh that runs.
    (first.folder / ".trust/identity/ca.pem").write_text("nonsense")
    assert wait_until(lambda: reopen_required(first), within_s=15)
    first.signal(signal.SIGHUP)
    assert wait_until(lambda: said(first, "no usable CA"), within_s=15)
    assert first.lifecycle(second.id) == "online"


def reopen_required(runtime: Runtime) -> bool:
    done = runtime.cli("ctl", "status", "--json")
    assert done.returncode == 0, done.stderr
    mesh = json.loads(done.stdout)["result"]["mesh"]
    return bool(mesh["reopen_required"])


def test_a_certificate_renewed_after_its_end_is_taken_without_a_word(here: Plant) -> None:
    first = member(here, "runtime-a").start()
    short = make_leaf(AUTHORITY, f"{SITE}/runtime-b", ends_in_s=8)
    second = member(here, "runtime-b", leaf=short, connect=[first.mesh_port]).start()
    until_lifecycle(first, second.id, "online")
    until_lifecycle(first, second.id, "stale", within_s=20)
    install(second.folder, make_leaf(AUTHORITY, second.id, key=short.key), AUTHORITY)
    until_lifecycle(first, second.id, "online", within_s=30)
    until_lifecycle(second, first.id, "online")
