from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.codec import digest, to_plain
from trust_runtime.contracts.config import KeyEffect
from trust_runtime.contracts.policy import Role
from trust_runtime.core.config.keys import (
    CONFIG_SCHEMA_DIGEST,
    KEYS,
    KNOWN_PATHS,
    is_table,
    key_of_path,
    path_of_key,
    rule_of_path,
    spec_of_key,
    spec_of_path,
)
from trust_runtime.core.config.later import LATER


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("runtime.log.level", "log.level"),
        ("runtime.cloud.wan.allow_write", "runtime_cloud.wan.allow_write"),
        ("bundle.version", "bundle.version"),
        ("resource.name", "resource.name"),
    ],
)
def test_a_config_key_is_its_toml_path_in_short(path: str, key: str) -> None:
    assert key_of_path(path) == key
    assert path_of_key(key) == path
    spec = spec_of_key(key)
    assert spec is not None
    assert spec is spec_of_path(path)


@given(st.text("abc._", min_size=1, max_size=12))
def test_every_key_has_one_path(key: str) -> None:
    assert key_of_path(path_of_key(key)) == key


@pytest.mark.parametrize(
    ("key", "effect", "role", "secret"),
    [
        ("resource.name", KeyEffect.FILE, Role.ADMIN, False),
        ("control.endpoint", KeyEffect.FILE, Role.ADMIN, False),
        ("control.auth_token", KeyEffect.LIVE, Role.ADMIN, True),
        ("log.level", KeyEffect.LIVE, Role.ENGINEER, False),
        ("web.listen", KeyEffect.RESTART, Role.ADMIN, False),
        ("web.allowed_hosts", KeyEffect.LIVE, Role.ADMIN, False),
        ("discovery.service_name", KeyEffect.RESTART, Role.ADMIN, False),
        ("discovery.host_group", KeyEffect.RESTART, Role.ENGINEER, False),
        ("mesh.listen", KeyEffect.RESTART, Role.ENGINEER, False),
        ("mesh.auth_token", KeyEffect.RESTART, Role.ADMIN, True),
        ("mesh.allow_open", KeyEffect.RESTART, Role.ADMIN, False),
        ("runtime_cloud.site", KeyEffect.FILE, Role.ADMIN, False),
        ("runtime_cloud.profile", KeyEffect.LIVE, Role.ADMIN, False),
        ("runtime_cloud.wan.allow_write", KeyEffect.LIVE, Role.ADMIN, False),
        ("runtime_cloud.presence.stale_after_ms", KeyEffect.LIVE, Role.ENGINEER, False),
        ("runtime_cloud.presence.lease_ms", KeyEffect.RESTART, Role.ENGINEER, False),
    ],
)
def test_effect_role_and_secrecy(key: str, effect: KeyEffect, role: Role, *, secret: bool) -> None:
    spec = spec_of_key(key)
    assert spec is not None
    assert (spec.effect, spec.role, spec.secret) == (effect, role, secret)


@pytest.mark.parametrize("spec", [pytest.param(spec, id=spec.key) for spec in KEYS])
def test_a_default_fits_its_own_rule(spec: Any) -> None:
    rule = rule_of_path(spec.path)
    assert rule is not None
    assert rule.text == spec.rule
    assert spec.default is None or rule.accepts(spec.default)
    assert not (spec.required and spec.default is not None)


def test_no_key_is_told_twice() -> None:
    assert len(set(KNOWN_PATHS)) == len(KNOWN_PATHS) == len(KEYS) + len(LATER)
    assert not [path for path in KNOWN_PATHS if is_table(path)]


@pytest.mark.parametrize(
    ("path", "table"),
    [("runtime", True), ("runtime.cloud.wan", True), ("runtime.we", False), ("", False)],
)
def test_tables(path: str, *, table: bool) -> None:
    assert is_table(path) is table


def test_what_is_not_built_has_a_rule_and_no_specification() -> None:
    rule = rule_of_path("runtime.retain.mode")
    assert rule is not None
    assert rule.accepts("none")
    assert rule.later("file")
    assert spec_of_path("runtime.retain.mode") is None
    assert spec_of_key("retain.mode") is None
    assert rule_of_path("runtime.log.levle") is None


def test_the_schema_digest_is_of_the_keys() -> None:
    assert digest(to_plain(KEYS)) == CONFIG_SCHEMA_DIGEST


@pytest.mark.parametrize(
    ("path", "value", "fits"),
    [
        ("runtime.control.endpoint", "unix:///" + "x" * 99, True),
        ("runtime.control.endpoint", "unix:///" + "x" * 100, False),
        ("runtime.control.endpoint", "unix://relative", False),
        ("runtime.control.endpoint", "unix:///folder/", False),
        ("runtime.control.endpoint", "tcp://127.0.0.1:1", False),
        ("resource.name", "runtime-a", True),
        ("resource.name", "active", False),
        ("resource.name", "cfg", False),
        ("resource.name", "..", False),
        ("resource.name", "a/b", False),
        ("runtime.cloud.site", "active", True),
        ("runtime.discovery.service_name", "site-a/Press 1", True),
        ("runtime.discovery.service_name", "x" * 63, True),
        ("runtime.discovery.service_name", "x" * 64, False),
        ("runtime.discovery.service_name", "a/b/c", False),
        ("runtime.discovery.service_name", "site-a/", False),
        ("runtime.discovery.interfaces", ["lo", "enp0s31f6"], True),
        ("runtime.discovery.interfaces", [""], False),
        ("runtime.discovery.interfaces", ["x" * 15], True),
        ("runtime.discovery.interfaces", ["x" * 16], False),
        ("runtime.mesh.connect", ["plc-2:5200", "tcp/[::1]:5200"], True),
        ("runtime.mesh.connect", ["tls/plc-2:5200"], True),
        ("runtime.mesh.connect", ["quic/plc-2:5200"], False),
        ("runtime.mesh.connect", ["udp/plc-2:5200"], False),
        ("runtime.mesh.zenohd_version", "1.7.9", True),
        ("runtime.mesh.zenohd_version", "1.7", False),
        ("runtime.mesh.zenohd_version", "1.8.0", False),
        ("runtime.mesh.zenohd_version", "1.70.1", False),
        ("runtime.web.listen", "127.0.0.1:8080", True),
        ("runtime.web.listen", "0.0.0.0:8080", True),
        ("runtime.web.listen", "somewhere:8080", False),
    ],
)
def test_rules_of_single_keys(path: str, value: Any, *, fits: bool) -> None:
    rule = rule_of_path(path)
    assert rule is not None
    assert rule.accepts(value) is fits
