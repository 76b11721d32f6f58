"""`adapters.http.table`: the endpoints of this version, and nothing else."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_client import CLOUD
from trust_runtime.adapters.http.errors import Refusal
from trust_runtime.adapters.http.table import ROUTES, Match, find_route
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.policy import Role

VIEWER, ENGINEER, ADMIN = Role.VIEWER, Role.ENGINEER, Role.ADMIN

CONTRACT = {
    ("GET", f"{CLOUD}/state"): VIEWER,
    ("GET", f"{CLOUD}/fleet/matrix"): VIEWER,
    ("POST", f"{CLOUD}/actions/preflight"): VIEWER,
    ("POST", f"{CLOUD}/actions/dispatch"): VIEWER,
    ("GET", f"{CLOUD}/actions/{{request_id}}"): VIEWER,
    ("GET", f"{CLOUD}/config"): VIEWER,
    ("POST", f"{CLOUD}/config/desired"): ENGINEER,
    ("GET", f"{CLOUD}/config/history"): VIEWER,
    ("POST", f"{CLOUD}/config/rollback"): ENGINEER,
    ("GET", f"{CLOUD}/links"): VIEWER,
    ("DELETE", f"{CLOUD}/links"): ENGINEER,
    ("POST", f"{CLOUD}/links/transport"): ENGINEER,
    ("GET", f"{CLOUD}/rollouts"): VIEWER,
    ("POST", f"{CLOUD}/rollouts"): ENGINEER,
    ("GET", f"{CLOUD}/rollouts/{{id}}"): VIEWER,
    ("POST", f"{CLOUD}/rollouts/{{id}}/{{action}}"): ENGINEER,
    ("GET", f"{CLOUD}/io/config"): VIEWER,
    ("POST", f"{CLOUD}/io/config"): ENGINEER,
    ("POST", f"{CLOUD}/control/proxy"): VIEWER,
    ("GET", f"{CLOUD}/events"): VIEWER,
    ("GET", f"{CLOUD}/timeline"): VIEWER,
    ("GET", f"{CLOUD}/audit"): VIEWER,
    ("GET", f"{CLOUD}/audit/{{audit_id}}"): VIEWER,
    ("GET", f"{CLOUD}/security/posture"): ADMIN,
    ("POST", "/api/deploy"): ADMIN,
    ("POST", "/api/deploy/rollback"): ADMIN,
    ("POST", "/api/control"): VIEWER,
    ("GET", "/api/discovery"): VIEWER,
    ("POST", "/api/pair/start"): ADMIN,
    ("POST", "/api/pair/claim"): None,
    ("GET", "/api/pairings"): ADMIN,
    ("DELETE", "/api/pairings/{token_id}"): ADMIN,
    ("GET", "/metrics"): VIEWER,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/api/openapi.json"): None,
    ("GET", "/api/docs"): None,
}
"""Every endpoint of contract 6.5 and its door; what is not built is not in the table."""

CONFIG_WRITES = {f"{CLOUD}/config/desired", f"{CLOUD}/config/rollback", f"{CLOUD}/io/config"}
PATHS = [(route.method, re.sub(r"{\w+}", "part-1", route.path)) for route in ROUTES]


def methods_at(path: str) -> set[str]:
    """Return the methods of a path, as the table of paths has them."""
    given = {method for method, other in PATHS if other == path}
    return given | {"HEAD"} if "GET" in given else given


def test_the_rows_are_those_of_the_contract() -> None:
    rows = {(route.method, route.path): route for route in ROUTES}
    assert len(rows) == len(ROUTES)
    for name, route in rows.items():
        assert name in CONTRACT, name
        assert route.door == CONTRACT[name], name
        is_config_write = route.method == "POST" and route.path in CONFIG_WRITES
        assert route.config_write is is_config_write, name


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_row_is_found_by_its_method(method: str, path: str) -> None:
    found = find_route(method, path)
    assert isinstance(found, Match)
    assert (found.route.method, re.sub(r"{\w+}", "part-1", found.route.path)) == (method, path)
    head = find_route("HEAD", path)
    assert isinstance(head, Match) is ("GET" in methods_at(path))


@pytest.mark.parametrize("path", sorted({path for _, path in PATHS}))
def test_another_method_is_405_and_says_which(path: str) -> None:
    possible = methods_at(path)
    for other in {"OPTIONS", "PUT", "DELETE", "TRACE", "get", "POST", "GET"} - possible:
        refusal = find_route(other, path)
        assert isinstance(refusal, Refusal)
        assert refusal.status == 405
        assert refusal.headers == {"allow": ", ".join(sorted(possible))}


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "//healthz", "/healthz/", "/Healthz", "/health%7A", "/healthz/x", "healthz"),
        *(f"{CLOUD}/audit/", f"{CLOUD}/audit/a/b", f"{CLOUD}//audit", f"{CLOUD}/./state"),
        f"{CLOUD}/audit/{{audit_id}}/",
        *(f"{CLOUD}/events/", f"{CLOUD}/topology/devices", "/metrics/", "/api/docs.js", "/api"),
    ],
)
def test_every_other_path_is_404(path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        refusal = find_route(method, path)
        assert isinstance(refusal, Refusal)
        assert refusal.status == 404


def test_a_part_is_decoded_after_it_was_routed() -> None:
    found = find_route("GET", f"{CLOUD}/audit/a%2Fb")
    assert isinstance(found, Match)
    assert found.path_values() == {"audit_id": "a/b"}
    broken = find_route("GET", f"{CLOUD}/audit/%ff")
    assert isinstance(broken, Match)
    with pytest.raises(ContractViolation):
        broken.path_values()


def test_a_long_path_is_shown_in_part() -> None:
    refusal = find_route("GET", "/" + "x" * 10_000)
    assert isinstance(refusal, Refusal)
    assert len(refusal.denial.reason) < 300


@given(st.text(max_size=30).map(lambda text: "/" + text))
@settings(max_examples=80)
def test_any_path_is_found_or_refused(path: str) -> None:
    found = find_route("GET", path)
    assert isinstance(found, Match) is (path in {"/healthz", "/readyz"})


@pytest.mark.parametrize("path", [f"{CLOUD}/actions/preflight", f"{CLOUD}/actions/dispatch"])
def test_a_path_without_names_goes_before_one_with_names(path: str) -> None:
    refusal = find_route("GET", path)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.headers) == (405, {"allow": "POST"})
    assert isinstance(find_route("GET", path.replace("/p", "/%70").replace("/d", "/%64")), Match)
