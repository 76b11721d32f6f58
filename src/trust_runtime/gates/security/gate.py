"""`runtime_cloud_security_profile_gate`: the fixed list, and how each check is run (17.4)."""

import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from trust_runtime.gates.cases import Bench, Gate, PrerequisiteMissing
from trust_runtime.gates.security import crossing, mesh, project, sockets, tokens, web
from trust_runtime.gates.security.world import World

NAME: Final = "runtime_cloud_security_profile_gate"
LIST: Final = Path(__file__).with_name("expected.toml")

Check = Callable[[World, Bench], None]

CHECKS: Final[Mapping[str, Check]] = {
    "dev_state_ok": web.dev_state_ok,
    "plant_refuses_local_auth": partial(web.refuses_local_auth, "plant"),
    "wan_refuses_local_auth": partial(web.refuses_local_auth, "wan"),
    "plant_refuses_without_tls": partial(web.refuses_without, "plant", key="runtime.web.tls"),
    "wan_refuses_without_mesh_tls": partial(web.refuses_without, "wan", key="runtime.mesh.tls"),
    "plant_works": partial(project.works, "plant"),
    "wan_works": partial(project.works, "wan"),
    "mesh_plain_client_refused": mesh.plain_client_refused,
    "mesh_wrong_ca_refused": mesh.wrong_ca_refused,
    "mesh_expired_cert_refused": mesh.expired_cert_refused,
    "mesh_wrong_token_refused": mesh.wrong_token_refused,
    "foreign_site_ca_cannot_impersonate": mesh.foreign_site_ca,
    "changed_key_dev": project.changed_key_dev,
    "wan_allowlist_both_ends": crossing.allowlist_both_ends,
    "actor_scope": tokens.actor_scope,
    "role_matrix": web.role_matrix,
    "dns_rebinding": web.dns_rebinding,
    "origin": web.origin,
    "non_loopback_local_auth": web.non_loopback_local_auth,
    "placeholder_token_refused": tokens.placeholder_refused,
    "pairing_guessing": tokens.pairing_guessing,
    "generated_writes": crossing.generated_writes,
    "S01": sockets.loopback_only,
    "S02": web.non_loopback_local_auth,
    "S03": web.unmet_everywhere,
    "S04": web.openapi_walk,
    "S05": web.dns_rebinding,
    "S06": web.origin,
    "S07": web.answer_headers,
    "S08": sockets.web_tls,
    "S09": mesh.certificate_matrix,
    "S10": mesh.foreign_site_ca,
    "S11": mesh.expiry_closes_link,
    "S12": crossing.allowlist_matrix,
    "target_decides": crossing.target_decides,
    "S13": crossing.rule_removed,
    "S14": mesh.no_other_road,
    "S15": mesh.envelope,
    "S16": tokens.actor_scope,
    "S18": tokens.tokens_at_rest,
    "S19": tokens.token_guessing,
    "token_roads": tokens.token_roads,
    "S20": tokens.timing,
    "S22": tokens.redaction,
    "S23": project.file_modes,
    "S24": sockets.limits,
    "S25": sockets.slow_clients,
    "S26": mesh.mesh_limits,
    "S27": sockets.no_forged_requests,
    "S30": project.audit_chain,
    "S31": project.dangerous_verbs,
    "S33": project.dependency_floors,
    "S34": project.static_code,
    "secrets_never_leave": tokens.secrets_never_leave,
    "S21": tokens.secrets_never_leave,
}
"""How each is run."""


def security_profile_gate() -> Gate:
    """Return the gate over the tree this module is in.

    Raises:
        PrerequisiteMissing: it is no checked-out tree.
    """
    root = Path(__file__).resolve().parents[4]
    if not (root / "pyproject.toml").is_file():
        raise PrerequisiteMissing(f"{root} is no checked-out tree of the project")
    world = World()
    return Gate(
        name=NAME,
        expected=expected_checks(),
        cases={name: partial(check, world) for name, check in CHECKS.items()},
        close=world.close,
    )


def expected_checks() -> tuple[str, ...]:
    """Return the names of all checks that must run, in their order."""
    return tuple(tomllib.loads(LIST.read_text())["expected"])


def unbuilt_checks() -> Mapping[str, str]:
    """Return the checks of the contract that concern nothing built yet, each with its reason."""
    found: Mapping[str, str] = tomllib.loads(LIST.read_text())["not_expected"]
    return found
