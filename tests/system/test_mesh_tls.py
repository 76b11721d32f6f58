"""A fleet whose mesh speaks TLS: certificates of the site, and what everybody is told of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from certificates import Pair, install, make_authority, make_leaf
from runtimes import Plant, Runtime, until_lifecycle
from waiting import wait_until

SITE = "site-a"
AUTHORITY = make_authority(SITE)
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
