"""Every configuration key of this version, its rule, and when a change is in force (4.2).

Keys of the contract whose capability is not built stand in `core.config.later`.
"""

import re
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.codec import digest, to_plain
from trust_runtime.contracts.config import KeyEffect, KeySpec
from trust_runtime.contracts.ids import RESERVED_NAMES, is_id_part
from trust_runtime.contracts.policy import Profile, Role
from trust_runtime.contracts.settings import LogLevel, WebAuth
from trust_runtime.contracts.units import ZENOH_BASELINE
from trust_runtime.core.config.allow_rules import RULES_TEXT
from trust_runtime.core.config.later import LATER
from trust_runtime.core.config.link_entries import ENTRIES_TEXT
from trust_runtime.core.config.rules import (
    Rule,
    choice,
    flag,
    is_address,
    is_host,
    is_host_port,
    text,
    texts,
    whole,
)

_SOCKET_BYTES_MAX: Final = 100
_LABEL_BYTES_MAX: Final = 63
_INTERFACE_BYTES_MAX: Final = 15
_LINE: Final = ".".join(ZENOH_BASELINE.split(".")[:2])
_LOCATOR: Final = re.compile(r"(?:(tcp|tls|quic)/)?(.*)")


class _Key(Struct, frozen=True, kw_only=True):
    """One key with what its values must fit."""

    spec: KeySpec
    rule: Rule


def _is_name(value: str) -> bool:
    return is_id_part(value) and value not in RESERVED_NAMES


def _is_socket(value: str) -> bool:
    path = value.removeprefix("unix://")
    long = len(path.encode()) > _SOCKET_BYTES_MAX
    return value.startswith("unix:///") and not long and not path.endswith("/")


def _is_service_name(value: str) -> bool:
    _, _, label = value.rpartition("/")
    fits = bool(label.strip()) and len(label.encode()) <= _LABEL_BYTES_MAX
    return fits and value.count("/") <= 1


def _is_interface(value: str) -> bool:
    fits = 0 < len(value.encode()) <= _INTERFACE_BYTES_MAX
    return fits and not any(mark in value for mark in " /:")


def _is_peer_address(value: str, protocols: tuple[str | None, ...] = (None, "tcp", "tls")) -> bool:
    match = _LOCATOR.fullmatch(value)
    return match is not None and match[1] in protocols and is_host_port(match[2])


def _is_quic_address(value: str) -> bool:
    return _is_peer_address(value, ("quic",))


def _is_path(value: str) -> bool:
    return bool(value.strip())


def _is_of_line(value: str) -> bool:
    return re.fullmatch(re.escape(_LINE) + r"\.[0-9]+", value) is not None


def _key(path: str, rule: Rule, effect: KeyEffect, **more: Any) -> _Key:
    spec = KeySpec(path=path, key=key_of_path(path), rule=rule.text, effect=effect, **more)
    return _Key(spec=spec, rule=rule)


def _file(path: str, rule: Rule, **more: Any) -> _Key:
    return _key(path, rule, KeyEffect.FILE, **more)


def _restart(path: str, rule: Rule, *, role: Role = Role.ADMIN, **more: Any) -> _Key:
    return _key(path, rule, KeyEffect.RESTART, role=role, **more)


def _live(path: str, rule: Rule, *, role: Role = Role.ADMIN, **more: Any) -> _Key:
    return _key(path, rule, KeyEffect.LIVE, role=role, **more)


def key_of_path(path: str) -> str:
    """Return the config key of a TOML path, known or not (4.1)."""
    if path.startswith("runtime.cloud."):
        return "runtime_cloud." + path.removeprefix("runtime.cloud.")
    return path.removeprefix("runtime.")


def path_of_key(key: str) -> str:
    """Return the TOML path of a config key, known or not; the inverse of `key_of_path`."""
    if key.startswith("runtime_cloud."):
        return "runtime.cloud." + key.removeprefix("runtime_cloud.")
    return key if key.startswith(("bundle.", "resource.")) else f"runtime.{key}"


_ENGINEER: Final = Role.ENGINEER
_ANY_TEXT: Final = text("a text", lambda _value: True)
_ONLY_FALSE: Final = Rule(
    text="false", accepts=lambda value: value is False, later=lambda value: value is True
)
_NAME: Final = text("letters, digits, '.', '_', '-'; not active or cfg", _is_name)
_SITE: Final = text("letters, digits, '.', '_', '-'", is_id_part)
_SOCKET: Final = text(
    "unix://ABSOLUTE_PATH, at most 100 bytes",
    _is_socket,
    later=lambda value: value.startswith("tcp://"),
)
_LISTEN: Final = text("IP:PORT", is_address)
_HOSTS: Final = texts("NAME or NAME:PORT, no wildcard", is_host)
_CONNECT: Final = texts(
    "HOST:PORT, tcp/HOST:PORT or tls/HOST:PORT", _is_peer_address, later=_is_quic_address
)
_PATH: Final = text("a path", _is_path)
_LINE_RULE: Final = text(f"{_LINE}.x", _is_of_line)
_RULES: Final = Rule(text=RULES_TEXT, accepts=lambda value: isinstance(value, list | tuple))
_LINKS: Final = Rule(text=ENTRIES_TEXT, accepts=lambda value: isinstance(value, list | tuple))
_PRESENCE: Final = "runtime.cloud.presence"

_TABLE: Final = (
    _file("bundle.version", whole(1, 1), required=True),
    _file("resource.name", _NAME, required=True),
    _file("resource.cycle_interval_ms", whole(1, 3_600_000), required=True),
    _file("runtime.control.endpoint", _SOCKET, required=True),
    _live("runtime.control.auth_token", _ANY_TEXT, secret=True),
    _restart("runtime.control.mode", choice("production", later=("debug",)), default="production"),
    _live("runtime.control.debug_enabled", _ONLY_FALSE, default=False, role=_ENGINEER),
    _live("runtime.log.level", choice(*LogLevel), default="info", role=_ENGINEER),
    _restart("runtime.web.enabled", flag(), default=True),
    _restart("runtime.web.listen", _LISTEN, default="127.0.0.1:8080"),
    _restart("runtime.web.auth", choice(*WebAuth), default=str(WebAuth.LOCAL)),
    _restart("runtime.web.tls", flag(), default=False),
    _live("runtime.web.allowed_hosts", _HOSTS, default=[]),
    _file(
        "runtime.tls.mode",
        choice("disabled", "self-managed", "self_managed", "provisioned"),
        default="disabled",
    ),
    _file("runtime.tls.cert_path", _PATH),
    _file("runtime.tls.key_path", _PATH),
    _file("runtime.tls.ca_path", _PATH),
    _file("runtime.tls.require_remote", flag(), default=False),
    _restart("runtime.discovery.enabled", flag(), default=True, role=_ENGINEER),
    _restart("runtime.discovery.advertise", flag(), default=True, role=_ENGINEER),
    _restart("runtime.discovery.service_name", text("[SITE/]TEXT", _is_service_name)),
    _restart(
        "runtime.discovery.interfaces",
        texts("interface names", _is_interface),
        default=[],
        role=_ENGINEER,
    ),
    _restart("runtime.discovery.host_group", _ANY_TEXT, role=_ENGINEER),
    _restart("runtime.mesh.enabled", flag(), default=False, role=_ENGINEER),
    _restart("runtime.mesh.role", choice("peer", "client", later=("router",)), default="peer"),
    _restart("runtime.mesh.listen", _LISTEN, default="127.0.0.1:5200", role=_ENGINEER),
    _restart("runtime.mesh.connect", _CONNECT, default=[], role=_ENGINEER),
    _restart("runtime.mesh.tls", flag(), default=False),
    _restart("runtime.mesh.verify_names", flag(), default=True),
    _restart("runtime.mesh.auth_token", _ANY_TEXT, secret=True),
    _restart("runtime.mesh.allow_open", flag(), default=False),
    _restart("runtime.mesh.zenohd_version", _LINE_RULE, default=ZENOH_BASELINE),
    _file("runtime.cloud.site", _SITE),
    _live(
        "runtime.cloud.profile",
        choice(*Profile),
        default=str(Profile.DEV),
    ),
    _live("runtime.cloud.wan.allow_write", _RULES, default=[]),
    _live("runtime.cloud.links.transports", _LINKS, default=[]),
    _live(f"{_PRESENCE}.beacon_period_ms", whole(100, 60_000), default=1_000, role=_ENGINEER),
    _live(f"{_PRESENCE}.stale_after_ms", whole(2_000), default=2_000, role=_ENGINEER),
    _live(f"{_PRESENCE}.partition_after_ms", whole(1), default=30_000, role=_ENGINEER),
    _restart(f"{_PRESENCE}.lease_ms", whole(250, 10_000), default=1_000, role=_ENGINEER),
    _live(f"{_PRESENCE}.forget_after_ms", whole(0), default=604_800_000, role=_ENGINEER),
)

KEYS: Final = tuple(entry.spec for entry in _TABLE)
"""Every key of this version, in the order of the contract."""

CONFIG_SCHEMA_DIGEST: Final = digest(to_plain(KEYS))
"""Fingerprint of the keys and their rules; beacons carry it."""

KNOWN_PATHS: Final = (*(spec.path for spec in KEYS), *LATER)
"""TOML paths of all keys of the contract, those that are not built too."""

_BY_PATH: Final = {entry.spec.path: entry for entry in _TABLE}
_BY_KEY: Final = {spec.key: spec for spec in KEYS}


def spec_of_key(key: str) -> KeySpec | None:
    """Return what is known of a config key, or None when this version has no such key."""
    return _BY_KEY.get(key)


def spec_of_path(path: str) -> KeySpec | None:
    """Return what is known of a TOML path, or None when this version has no such key."""
    entry = _BY_PATH.get(path)
    return None if entry is None else entry.spec


def rule_of_path(path: str) -> Rule | None:
    """Return what values of a TOML path must fit, also of a key that is not built yet."""
    entry = _BY_PATH.get(path)
    return LATER.get(path) if entry is None else entry.rule


def is_table(path: str) -> bool:
    """Tell whether a TOML path is a table that holds keys of the contract."""
    return any(known.startswith(f"{path}.") for known in KNOWN_PATHS)
