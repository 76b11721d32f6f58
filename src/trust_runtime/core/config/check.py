"""Values of a configuration → settings, or everything that is wrong with it (contract 4.2, 4.3)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from trust_runtime.contracts.codec import REDACTED, nearest
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import DEFAULT_SITE, ID_RULE, SiteName, is_id_part, runtime_id
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import PresenceLimits
from trust_runtime.contracts.settings import (
    DiscoverySettings,
    LogLevel,
    MeshSettings,
    Settings,
    TlsMode,
    WebAuth,
    WebSettings,
)
from trust_runtime.core.config.allow_rules import read_rules, rule_problems
from trust_runtime.core.config.keys import (
    KEYS,
    KNOWN_PATHS,
    is_table,
    rule_of_path,
    spec_of_path,
)
from trust_runtime.core.config.later import NOT_IN_THIS_VERSION, OTHER_CONTRACTS
from trust_runtime.core.config.link_entries import end_problems, entry_problems, read_entries
from trust_runtime.core.config.rules import is_loopback, parse_address, value_text
from trust_runtime.core.config.web_rules import (
    MODE,
    REQUIRE_REMOTE,
    TOKEN,
    WEB_RULES,
    secret_of,
    tls_mode,
    tls_settings,
)

_ALLOW_WRITE: Final = "runtime.cloud.wan.allow_write"
_LINKS: Final = "runtime.cloud.links.transports"
_SITE: Final = "runtime.cloud.site"
_SERVICE_NAME: Final = "runtime.discovery.service_name"
_MESH: Final = "runtime.mesh"
_PRESENCE: Final = "runtime.cloud.presence"
_UNKNOWN_VALUE: Final = "an unknown key"
_TABLES: Final = {path.rpartition(".")[0] for path in KNOWN_PATHS}
_NAMES: Final = [*KNOWN_PATHS, *sorted(_TABLES)]

Get = Callable[[str], Any]
"""Gives the value of a TOML path, the default when it is absent."""


def check_values(values: Mapping[str, Any]) -> Settings | tuple[SettingProblem, ...]:
    """Return settings made of `values`, or every problem they have; never raises.

    Args:
        values: TOML path to value; an absent path has its default.
    """
    problems = [*_missing(values)]
    for path in values:
        problems += _value_problems(path, values[path])
    bad = frozenset(problem.path.partition("[")[0] for problem in problems)

    def get(path: str) -> Any:
        spec = spec_of_path(path)
        return values.get(path, None if spec is None else spec.default)

    for paths, check in _CROSS_RULES:
        if not any(path in bad for path in paths):
            problems += check(get)
    if problems:
        return tuple(sorted(problems, key=lambda problem: problem.path))
    return _settings(get)


def _missing(values: Mapping[str, Any]) -> Iterator[SettingProblem]:
    for spec in KEYS:
        if spec.required and spec.path not in values:
            yield SettingProblem(
                path=spec.path, value="nothing", allowed=spec.rule, message="it is required"
            )


def _value_problems(path: str, value: Any) -> Iterator[SettingProblem]:
    rule = rule_of_path(path)
    if rule is None:
        yield _unknown(path)
    elif not rule.accepts(value):
        spec = spec_of_path(path)
        secret = spec is not None and spec.secret
        yield SettingProblem(
            path=path,
            value=REDACTED if secret else value_text(value),
            allowed=rule.text,
            message=NOT_IN_THIS_VERSION if rule.later(value) else None,
        )
    elif path == _ALLOW_WRITE:
        yield from rule_problems(path, value)
    elif path == _LINKS:
        yield from entry_problems(path, value)


def _unknown(path: str) -> SettingProblem:
    # The value stays unsaid: under a misspelt key it may be a secret.
    section = path.removeprefix("runtime.").partition(".")[0]
    if section in OTHER_CONTRACTS:
        allowed, message = "nothing", f"{section} is not part of this contract; remove the section"
    elif is_table(path):
        allowed, message = "a table of keys", "it holds keys and has no value itself"
    else:
        allowed, message = "a known key", f"unknown key{nearest(path, _NAMES)}"
    return SettingProblem(path=path, value=_UNKNOWN_VALUE, allowed=allowed, message=message)


def _site_and_id(get: Get) -> Iterator[SettingProblem]:
    name, site, service_name = get("resource.name"), get(_SITE), get(_SERVICE_NAME)
    if site is None and "/" in (service_name or ""):
        here = service_name.partition("/")[0]
        if not is_id_part(here):
            yield SettingProblem(
                path=_SERVICE_NAME,
                value=value_text(service_name),
                allowed="[SITE/]TEXT",
                message=f"its part before '/' is the site, as {_SITE} is absent",
            )
            return
    if name is None:
        return
    try:
        runtime_id(_site(get), name)
    except ContractViolation:
        yield SettingProblem(
            path="resource.name",
            value=value_text(name),
            allowed=ID_RULE,
            message=f"the id is made of resource.name and {_SITE}",
        )


def _links_lead_away(get: Get) -> Iterator[SettingProblem]:
    name, entries = get("resource.name"), get(_LINKS)
    if name is None or not entries:
        return
    try:
        own = runtime_id(_site(get), name)
    except ContractViolation:
        return  # Told where the id is checked.
    yield from end_problems(_LINKS, entries, own=own, site=_site(get))


def _presence_order(get: Get) -> Iterator[SettingProblem]:
    stale, partition = get(f"{_PRESENCE}.stale_after_ms"), get(f"{_PRESENCE}.partition_after_ms")
    if partition <= stale:
        yield SettingProblem(
            path=f"{_PRESENCE}.partition_after_ms",
            value=value_text(partition),
            allowed=f"> {_PRESENCE}.stale_after_ms",
            message=f"{_PRESENCE}.stale_after_ms is {stale}",
        )


def _mesh_exposure(get: Get) -> Iterator[SettingProblem]:
    listen = get(f"{_MESH}.listen")
    off = not get(f"{_MESH}.enabled") or get(f"{_MESH}.role") == "client"
    # With TLS nobody is admitted who has no certificate of a known site.
    if off or is_loopback(listen) or get(f"{_MESH}.tls"):
        return
    beyond = f"{_MESH}.listen {listen} is not loopback"
    if get(REQUIRE_REMOTE):
        yield SettingProblem(
            path=f"{_MESH}.tls",
            value="false",
            allowed="true",
            message=f"{beyond} and {REQUIRE_REMOTE} is true",
        )
    elif _token(get) is None and not get(f"{_MESH}.allow_open"):
        yield SettingProblem(
            path=f"{_MESH}.auth_token",
            value="nothing",
            allowed=f"a token; or {_MESH}.allow_open = true for a mesh open to everybody",
            message=beyond,
        )


def _mesh_tls(get: Get) -> Iterator[SettingProblem]:
    tls = get(f"{_MESH}.tls")
    if tls and tls_mode(get) is TlsMode.DISABLED:
        yield SettingProblem(
            path=MODE,
            value='"disabled"',
            allowed='"self-managed" | "provisioned"',
            message=f"{_MESH}.tls = true needs it",
        )
    wrong = "tcp/" if tls else "tls/"
    for index, address in enumerate(get(f"{_MESH}.connect")):
        if address.startswith(wrong):
            yield SettingProblem(
                path=f"{_MESH}.connect[{index}]",
                value=value_text(address),
                allowed="HOST:PORT or " + ("tls/HOST:PORT" if tls else "tcp/HOST:PORT"),
                message=f"{_MESH}.tls is {str(tls).lower()}",
            )


def _client_has_router(get: Get) -> Iterator[SettingProblem]:
    if get(f"{_MESH}.enabled") and get(f"{_MESH}.role") == "client" and not get(f"{_MESH}.connect"):
        yield SettingProblem(
            path=f"{_MESH}.connect",
            value="[]",
            allowed="at least one address",
            message=f'{_MESH}.role = "client" reaches nobody without',
        )


_CROSS_RULES: Final[
    tuple[tuple[tuple[str, ...], Callable[[Get], Iterator[SettingProblem]]], ...]
] = (
    (("resource.name", _SITE, _SERVICE_NAME), _site_and_id),
    (("resource.name", _SITE, _SERVICE_NAME, _LINKS), _links_lead_away),
    ((f"{_PRESENCE}.stale_after_ms", f"{_PRESENCE}.partition_after_ms"), _presence_order),
    (
        (
            *(f"{_MESH}.{name}" for name in ("enabled", "role", "listen", "auth_token")),
            *(f"{_MESH}.allow_open", f"{_MESH}.tls", REQUIRE_REMOTE),
        ),
        _mesh_exposure,
    ),
    ((MODE, f"{_MESH}.tls", f"{_MESH}.connect"), _mesh_tls),
    ((f"{_MESH}.enabled", f"{_MESH}.role", f"{_MESH}.connect"), _client_has_router),
    *WEB_RULES,
)
"""Rules over several keys, each with the keys that must fit on their own first."""


def _settings(get: Get) -> Settings:
    name, site = get("resource.name"), _site(get)
    return Settings(
        runtime_id=runtime_id(site, name),
        name=name,
        site=site,
        profile=Profile(get("runtime.cloud.profile")),
        control_socket=get("runtime.control.endpoint").removeprefix("unix://"),
        log_level=LogLevel(get("runtime.log.level")),
        web=WebSettings(
            enabled=get("runtime.web.enabled"),
            listen=parse_address(get("runtime.web.listen")),
            allowed_hosts=tuple(host.lower() for host in get("runtime.web.allowed_hosts")),
            auth=WebAuth(get("runtime.web.auth")),
            tls=get("runtime.web.tls"),
        ),
        tls=tls_settings(get),
        control_token=secret_of(get(TOKEN)),
        discovery=DiscoverySettings(
            enabled=get("runtime.discovery.enabled"),
            advertise=get("runtime.discovery.advertise"),
            interfaces=tuple(get("runtime.discovery.interfaces")),
            host_group=(get("runtime.discovery.host_group") or "").strip().lower() or None,
        ),
        mesh=MeshSettings(
            enabled=get(f"{_MESH}.enabled"),
            role=get(f"{_MESH}.role"),
            listen=parse_address(get(f"{_MESH}.listen")),
            connect=tuple(_locators(get)),
            auth_token=_token(get),
            allow_open=get(f"{_MESH}.allow_open"),
            tls=get(f"{_MESH}.tls"),
            verify_names=get(f"{_MESH}.verify_names"),
        ),
        allow_write=read_rules(get(_ALLOW_WRITE), site),
        links=read_entries(get(_LINKS), site),
        presence=PresenceLimits(
            beacon_period_ms=get(f"{_PRESENCE}.beacon_period_ms"),
            stale_after_ms=get(f"{_PRESENCE}.stale_after_ms"),
            partition_after_ms=get(f"{_PRESENCE}.partition_after_ms"),
            lease_ms=get(f"{_PRESENCE}.lease_ms"),
            forget_after_ms=get(f"{_PRESENCE}.forget_after_ms"),
        ),
    )


def _site(get: Get) -> SiteName:
    site = get(_SITE)
    if site is not None:
        return SiteName(site)
    before, slash, _ = (get(_SERVICE_NAME) or "").partition("/")
    return SiteName(before) if slash else DEFAULT_SITE


def _token(get: Get) -> str | None:
    token: str | None = get(f"{_MESH}.auth_token")
    return token if token is not None and token.strip() else None


def _locators(get: Get) -> Iterator[str]:
    scheme = "tls/" if get(f"{_MESH}.tls") else "tcp/"
    for address in get(f"{_MESH}.connect"):
        yield scheme + address.removeprefix(scheme)
