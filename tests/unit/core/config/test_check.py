from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config_samples import REQUIRED, changed, json_values, problems_with, settings_with
from trust_runtime.contracts.policy import AllowRule
from trust_runtime.contracts.presence import PresenceLimits
from trust_runtime.contracts.settings import Address, Settings
from trust_runtime.core.config.check import check_values
from trust_runtime.core.config.keys import KNOWN_PATHS, rule_of_path
from trust_runtime.core.config.later import LATER

TOKEN = "runtime.mesh.auth_token"  # noqa: S105 - its path
OPEN = {"runtime__mesh__enabled": True, "runtime__mesh__listen": "10.0.0.7:5200"}
REMOTE = {
    "runtime__web__listen": "0.0.0.0:80",
    "runtime__web__auth": "token",
    "runtime__control__auth_token": "t",
}
SECURE: dict[str, Any] = {
    "runtime__mesh__tls": True,
    "runtime__tls__mode": "self-managed",
    "runtime__tls__cert_path": "web.crt",
    "runtime__tls__key_path": "web.key",
}


def test_the_least_configuration_has_the_defaults_of_the_contract() -> None:
    found = settings_with()
    assert (found.runtime_id, found.site, found.profile) == ("runtime-a", "default-site", "dev")
    assert found.control_socket == "/tmp/a.sock"  # noqa: S108 - a value, not a file
    assert (found.log_level, found.mesh.enabled, found.mesh.role) == ("info", False, "peer")
    assert found.web.listen == Address(ip="127.0.0.1", port=8080)
    assert found.mesh.listen == Address(ip="127.0.0.1", port=5200)
    assert found.mesh.auth_token is None
    assert found.presence == PresenceLimits()
    assert found.allow_write == ()


@pytest.mark.parametrize(
    ("values", "runtime_id"),
    [
        ({}, "runtime-a"),
        ({"runtime__cloud__site": "site-b"}, "site-b/runtime-a"),
        ({"runtime__cloud__site": "default-site"}, "runtime-a"),
        ({"runtime__discovery__service_name": "site-c/x"}, "site-c/runtime-a"),
        ({"runtime__discovery__service_name": "just a name"}, "runtime-a"),
        (
            {"runtime__discovery__service_name": "? ?/x", "runtime__cloud__site": "site-b"},
            "site-b/runtime-a",
        ),
    ],
)
def test_the_id_is_made_of_name_and_site(values: dict[str, Any], runtime_id: str) -> None:
    assert settings_with(**values).runtime_id == runtime_id


def test_values_become_settings() -> None:
    found = settings_with(
        runtime__mesh__connect=["plc-2:5200", "tcp/[::1]:5200"],
        **{TOKEN: " "},
        runtime__discovery__host_group=" Cell-1 ",
        runtime__web__allowed_hosts=["PLC.example:8080"],
        runtime__cloud__site="site-b",
        runtime__cloud__wan__allow_write=[
            {"action": "cfg_apply", "target": "runtime-a", "from": "default-site/runtime-z"}
        ],
    )
    assert found.mesh.connect == ("tcp/plc-2:5200", "tcp/[::1]:5200")
    assert found.mesh.auth_token is None
    assert found.discovery.host_group == "cell-1"
    assert found.web.allowed_hosts == ("plc.example:8080",)
    assert found.allow_write == (
        AllowRule(action="cfg_apply", target="site-b/runtime-a", origin="default-site/runtime-z"),
    )
    assert settings_with(runtime__discovery__host_group=" ").discovery.host_group is None
    assert settings_with(**{TOKEN: "t"}).mesh.auth_token is not None


@pytest.mark.parametrize("path", list(REQUIRED))
def test_a_missing_key_is_named(path: str) -> None:
    values = {**REQUIRED}
    del values[path]
    problems = check_values(values)
    assert isinstance(problems, tuple)
    assert [(p.path, p.value) for p in problems] == [(path, "nothing")]


@pytest.mark.parametrize(
    ("values", "path", "said"),
    [
        pytest.param({"bundle__version": 2}, "bundle.version", "1", id="another bundle"),
        pytest.param(
            {"runtime__log__levle": "x"}, "runtime.log.levle", "'runtime.log.level'", id="misspelt"
        ),
        pytest.param({"runtime__webb": {}}, "runtime.webb", "'runtime.web'", id="misspelt table"),
        pytest.param({"runtime__web": 5}, "runtime.web", "a table", id="a table that is none"),
        pytest.param(
            {"runtime__observability": {"x": 1}},
            "runtime.observability",
            "not part of this contract",
            id="section of another contract",
        ),
        pytest.param(
            {"historian": {}}, "historian", "not part of this contract", id="the same on top"
        ),
        pytest.param(
            {"runtime__cloud__profile": "prod"}, "runtime.cloud.profile", '"dev"', id="no profile"
        ),
        pytest.param(
            {"runtime__control__mode": "debug"},
            "runtime.control.mode",
            "not in this version",
            id="debug mode",
        ),
        pytest.param(
            {"runtime__control__endpoint": "tcp://127.0.0.1:5"},
            "runtime.control.endpoint",
            "not in this version",
            id="control over tcp",
        ),
        pytest.param(
            {"runtime__web__listen": "0.0.0.0:80"},
            "runtime.web.auth",
            'set runtime.web.auth = "token"',
            id="web beyond loopback without tokens",
        ),
        pytest.param(
            {**REMOTE, "runtime__tls__require_remote": True},
            "runtime.web.tls",
            "require_remote",
            id="web without the TLS asked for",
        ),
        pytest.param(
            {"runtime__web__auth": "token", "runtime__control__auth_token": " "},
            "runtime.control.auth_token",
            "openssl rand -hex 32",
            id="web tokens without a token",
        ),
        pytest.param({"runtime__web__auth": "none"}, "runtime.web.auth", '"local"', id="no auth"),
        pytest.param(
            {"runtime__mesh__role": "router"},
            "runtime.mesh.role",
            "not in this version",
            id="router",
        ),
        pytest.param(
            {"runtime__mesh__tls": True}, "runtime.tls.mode", "self-managed", id="mesh TLS alone"
        ),
        pytest.param(
            {"runtime__mesh__connect": ["quic/a:1"]},
            "runtime.mesh.connect",
            "not in this version",
            id="a QUIC locator",
        ),
        pytest.param(
            {"runtime__mesh__connect": ["b:1", "tls/a:1"]},
            "runtime.mesh.connect[1]",
            "tcp/HOST:PORT",
            id="a TLS locator without TLS",
        ),
        pytest.param(
            {**SECURE, "runtime__mesh__connect": ["tcp/a:1"]},
            "runtime.mesh.connect[0]",
            "tls/HOST:PORT",
            id="a plain locator with TLS",
        ),
        pytest.param(
            {**SECURE, "runtime__tls__cert_path": " "},
            "runtime.tls.cert_path",
            "a path",
            id="a blank path",
        ),
        pytest.param(
            {"runtime__tls__mode": "self_managed", "runtime__tls__key_path": "k"},
            "runtime.tls.cert_path",
            "self_managed",
            id="TLS without a certificate",
        ),
        pytest.param(
            {**SECURE, "runtime__tls__mode": "provisioned"},
            "runtime.tls.ca_path",
            "provisioned",
            id="provisioned without a CA",
        ),
        pytest.param(
            {"runtime__mesh__zenohd_version": "1.8.0"},
            "runtime.mesh.zenohd_version",
            "1.7.x",
            id="another Zenoh line",
        ),
        pytest.param(
            {"runtime__discovery__service_name": "a b/x"},
            "runtime.discovery.service_name",
            "runtime.cloud.site",
            id="site part of the service name",
        ),
        pytest.param(
            {"resource__name": "x" * 100, "runtime__cloud__site": "y" * 28},
            "resource.name",
            "runtime.cloud.site",
            id="id of 129 characters",
        ),
        pytest.param(
            {"runtime__cloud__presence__partition_after_ms": 2_000},
            "runtime.cloud.presence.partition_after_ms",
            "stale_after_ms",
            id="partitioned as soon as stale",
        ),
        pytest.param(OPEN, "runtime.mesh.auth_token", "10.0.0.7:5200", id="open mesh"),
        pytest.param(
            {**OPEN, "runtime__mesh__auth_token": "  "},
            "runtime.mesh.auth_token",
            "allow_open",
            id="open mesh with a blank token",
        ),
        pytest.param(
            {**OPEN, "runtime__mesh__auth_token": "t", "runtime__tls__require_remote": True},
            "runtime.mesh.tls",
            "require_remote",
            id="mesh without the TLS asked for",
        ),
        pytest.param(
            {"runtime__mesh__enabled": True, "runtime__mesh__role": "client"},
            "runtime.mesh.connect",
            "client",
            id="client without a router",
        ),
        pytest.param(
            {"runtime__cloud__wan__allow_write": [{"action": "x", "target": "*"}]},
            "runtime.cloud.wan.allow_write[0].action",
            "cfg_apply",
            id="a rule",
        ),
    ],
)
def test_one_problem_names_its_key_and_what_is_allowed(
    values: dict[str, Any], path: str, said: str
) -> None:
    (problem,) = problems_with(**values)
    assert problem.path == path
    assert said in f"{problem.allowed} {problem.message}"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({**OPEN, "runtime__mesh__auth_token": "t"}, id="with a token"),
        pytest.param({**OPEN, "runtime__mesh__allow_open": True}, id="open on purpose"),
        pytest.param({**OPEN, "runtime__mesh__enabled": False}, id="mesh off"),
        pytest.param(
            {**OPEN, "runtime__mesh__role": "client", "runtime__mesh__connect": ["r:1"]},
            id="a client does not listen",
        ),
        pytest.param(
            {"runtime__cloud__presence__partition_after_ms": 2_001}, id="just after stale"
        ),
        pytest.param(
            {"resource__name": "x" * 99, "runtime__cloud__site": "y" * 28}, id="id of 128"
        ),
        pytest.param({"runtime__tls__require_remote": True}, id="nothing is remote"),
        pytest.param(REMOTE, id="web beyond loopback with tokens"),
        pytest.param(
            {**OPEN, **SECURE, "runtime__tls__require_remote": True}, id="TLS asks who comes"
        ),
        pytest.param({**SECURE, "runtime__mesh__connect": ["tls/a:1", "b:2"]}, id="TLS locators"),
    ],
)
def test_what_is_accepted_at_the_edge(values: dict[str, Any]) -> None:
    assert problems_with(**values) == ()


@pytest.mark.parametrize("path", sorted(LATER))
def test_what_is_not_built_is_refused_by_name(path: str) -> None:
    (problem,) = problems_with(**{path: "something that needs it"})
    assert (problem.path, problem.message) == (path, "not in this version")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("runtime.retain.mode", "none"),
        ("runtime.retain.save_interval_ms", 1_000),
        ("runtime.watchdog.enabled", False),
        ("runtime.watchdog.timeout_ms", 5_000),
        ("runtime.watchdog.action", "halt"),
        ("runtime.fault.policy", "safe_halt"),
        ("runtime.fault.policy", "halt"),
        ("runtime.execution_backend", "auto"),
        ("runtime.mesh.publish", []),
        ("runtime.mesh.subscribe", {}),
        ("runtime.mesh.plugin_versions", {}),
        ("runtime.ha.group_id", " "),
        ("runtime.audit.retain_days", 365),
        ("runtime.cloud.links.transports", []),
        ("resource.tasks", []),
        ("runtime.tls.mode", "disabled"),
        ("runtime.control.auth_token", ""),
    ],
)
def test_a_template_value_asks_nothing_of_what_is_not_built(path: str, value: object) -> None:
    assert problems_with(**{path: value}) == ()


def test_everything_wrong_is_told_at_once_in_order() -> None:
    found = problems_with(
        runtime__log__level="loud",
        bundle__version=2,
        runtime__zzz=1,
        **OPEN,
    )
    assert [problem.path for problem in found] == [
        *("bundle.version", "runtime.log.level"),
        *("runtime.mesh.auth_token", "runtime.zzz"),
    ]


@pytest.mark.parametrize("path", ["runtime.mesh.auth_token", "runtime.control.auth_token"])
def test_no_secret_is_in_a_problem(path: str) -> None:
    (problem,) = problems_with(**{path: "canary\n"})
    assert problem.value == "<redacted>"
    assert "canary" not in str(problem)


def test_the_value_of_an_unknown_key_stays_unsaid() -> None:
    assert "canary" not in str(problems_with(**{"runtime.mesh.auth_tokn": "canary"}))


paths = st.sampled_from(KNOWN_PATHS) | st.text("abc.\"'[]", max_size=8)


@settings(max_examples=300)
@given(values=st.dictionaries(paths, json_values, max_size=6))
def test_any_values_give_settings_or_problems_that_name_them(values: dict[str, Any]) -> None:
    found = check_values({**REQUIRED, **values})
    if isinstance(found, Settings):
        assert set(values) <= set(KNOWN_PATHS)
        return
    assert found
    for problem in found:
        named = problem.path.partition("[")[0]
        given_paths = {path.partition("[")[0] for path in values}
        cross = {"resource.name", "runtime.mesh.auth_token", "runtime.mesh.connect"}
        cross |= {"runtime.control.auth_token", "runtime.web.auth", "runtime.web.tls"}
        cross |= {f"runtime.tls.{name}" for name in ("mode", "cert_path", "key_path", "ca_path")}
        assert named in given_paths | cross | {"runtime.cloud.presence.partition_after_ms"}
        assert problem.allowed
        assert problem.value


@given(st.permutations([*REQUIRED, "runtime.x", "runtime.log.level", "runtime.cloud.site"]))
def test_the_order_of_the_values_makes_no_difference(order: list[str]) -> None:
    values = changed(runtime__x=1, runtime__log__level=1, runtime__cloud__site="?")
    assert check_values({path: values[path] for path in order}) == check_values(values)


@settings(max_examples=200)
@given(path=st.sampled_from(KNOWN_PATHS), value=json_values)
def test_a_value_that_does_not_fit_is_refused_by_name(path: str, value: object) -> None:
    rule = rule_of_path(path)
    assert rule is not None
    found = check_values({**REQUIRED, path: value})
    if not rule.accepts(value):
        assert isinstance(found, tuple)
        assert path in [problem.path for problem in found]


def test_with_tls_every_locator_says_so() -> None:
    settings = settings_with(**SECURE, runtime__mesh__connect=["a:1", "tls/b:2"])
    assert settings.mesh.connect == ("tls/a:1", "tls/b:2")
    assert settings.mesh.tls is True
    assert settings.mesh.verify_names is True
    assert settings_with(runtime__mesh__connect=["a:1"]).mesh.connect == ("tcp/a:1",)


def test_an_alias_of_the_tls_mode_has_one_name_afterwards() -> None:
    settings = settings_with(**{**SECURE, "runtime__tls__mode": "self_managed"})
    assert (settings.tls.mode, settings.tls.ca_path) == ("self-managed", None)
