"""Security bugs that are planted one at a time; each must turn the gate red (S36)."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

Patch = Callable[[ModuleType], None]


class Bug(NamedTuple):
    """One bug and the checks that have to see it."""

    says: str
    cases: tuple[str, ...]
    patches: Mapping[str, tuple[Patch, ...]]


def _set(name: str, value: Any) -> Patch:
    return lambda module: setattr(module, name, value)


def _answers(name: str, *, value: Any) -> Patch:
    """Let a function return the same whatever it is asked."""
    return _set(name, lambda *_given, **_named: value)


def _starts_with(module: ModuleType) -> None:
    good = module.pattern_matches

    def bad(pattern: str, runtime_id: str) -> bool:
        return bool(good(pattern, runtime_id)) or runtime_id.startswith(pattern)

    module.pattern_matches = bad  # type: ignore[attr-defined]  # to plant is to overwrite


def _passes(name: str) -> Patch:
    """Let a check of a decision pass."""

    def patch(module: ModuleType) -> None:
        setattr(module, name, lambda *_given: module.passed("planted", "never asked"))

    return patch


def _without_mtls(module: ModuleType) -> None:
    good = module._tls_values

    def bad(*given: Any) -> dict[str, object]:
        values: dict[str, object] = {**good(*given), "transport/link/tls/enable_mtls": False}
        return {key: one for key, one in values.items() if "/connect_" not in key}

    module._tls_values = bad  # type: ignore[attr-defined]  # to plant is to overwrite


_SRC = "trust_runtime."
_HOSTS = _SRC + "adapters.http.hosts"
_POLICY = _SRC + "core.policy."

BUGS: Mapping[str, Bug] = {
    "host": Bug(
        "the Host header is not looked at",
        ("dns_rebinding",),
        {_HOSTS: (_answers("is_own_host", value=True),)},
    ),
    "origin": Bug(
        "the Origin header is not looked at",
        ("origin",),
        {_HOSTS: (_answers("is_own_origin", value=True),)},
    ),
    "role": Bug(
        "every role is enough",
        ("role_matrix",),
        {_SRC + "contracts.policy": (_answers("allows", value=True),)},
    ),
    "actor": Bug(
        "an actor may be of any site",
        ("actor_scope",),
        {
            _POLICY + "access": (_passes("check_actor_scope"),),
            _POLICY + "config_request": (_answers("scope_denial", value=None),),
        },
    ),
    "pattern": Bug(
        "a rule for a name lets out every name that begins so",
        ("S12",),
        {_POLICY + "patterns": (_starts_with,)},
    ),
    "inbound": Bug(
        "the target believes that its origin has asked the rules",
        ("target_decides",),
        {_POLICY + "inbound": (_passes("_check_inbound_rule"),)},
    ),
    "signature": Bug(
        "a signature is read and not verified",
        ("S15",),
        {_SRC + "adapters.pki.signer": (_answers("_check_signature", value=None),)},
    ),
    "chain": Bug(
        "any certificate will do",
        ("S09",),
        {_SRC + "core.trust": (_answers("judge_chain", value=None),)},
    ),
    "mtls": Bug(
        "the mesh asks nobody for a certificate",
        ("mesh_plain_client_refused",),
        {_SRC + "adapters.mesh.session_config": (_without_mtls,)},
    ),
    "profile": Bug(
        "a profile demands nothing",
        ("plant_refuses_local_auth",),
        {_SRC + "core.preconditions": (_answers("profile_denial", value=None),)},
    ),
    "redaction": Bug(
        "secret keys are shown",
        ("S22",),
        {_SRC + "core.config.merge": (_set("redact", lambda document, *_: dict(document)),)},
    ),
    "codes": Bug(
        "codes may be guessed for ever",
        ("pairing_guessing",),
        {
            _SRC + "core.pairing": (
                _set("WRONG_MAX", 10**9),
                _set("CLAIMS_MAX", 10**9),
            )
        },
    ),
    "guesses": Bug(
        "tokens may be guessed for ever",
        ("S19",),
        {_SRC + "core.attempts": (_answers("wait_ns", value=0),)},
    ),
    "modes": Bug(
        "a key that others read is good",
        ("S23",),
        {_SRC + "adapters.files.modes": (_answers("require_private", value=None),)},
    ),
    "ciphers": Bug(
        "HTTPS without forward secrecy",
        ("S08",),
        {_SRC + "adapters.http.tls": (_set("_CIPHERS", "ALL:@SECLEVEL=0"),)},
    ),
}
