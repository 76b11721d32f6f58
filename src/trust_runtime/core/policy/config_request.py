"""Is a configuration request one at all: what is checked before any decision (contract 6.11)."""

from collections.abc import Mapping
from typing import Any

from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import site_in_actor
from trust_runtime.contracts.policy import Caller, Role, allows
from trust_runtime.core.config.patch import form_problems, role_needed
from trust_runtime.core.policy.contract import is_actor, is_request_id, is_supported


def request_denial(api_version: str, actor: str, request_id: str | None) -> Denial | None:
    """Return why version, actor or request id (None: not given) are out of form, or None."""
    if not is_supported(api_version):
        return deny(
            DenialCode.CONTRACT_VIOLATION,
            f"api_version {api_version!r} is not supported",
            "send api_version 1.0",
        )
    if not is_actor(actor):
        return deny(DenialCode.CONTRACT_VIOLATION, "actor is blank", "name the actor")
    if request_id is not None and not is_request_id(request_id):
        return deny(
            DenialCode.CONTRACT_VIOLATION,
            "request_id is out of form",
            "send a unique request_id of 1..128 characters",
        )
    return None


def scope_denial(actor: str, caller: Caller) -> Denial | None:
    """Return why a caller may not name this actor, or None."""
    site = site_in_actor(actor)
    if caller.scope is None or site is None or site in caller.scope:
        return None
    return deny(DenialCode.PERMISSION_DENIED, f"actor's site {site} is outside the caller's sites")


def keys_denial(patch: Mapping[str, Any]) -> Denial | None:
    """Return which keys of a patch are unknown or not to be written, or None."""
    problems = form_problems(patch)
    if not problems:
        return None
    return deny(
        DenialCode.CONTRACT_VIOLATION,
        "; ".join(problems),
        "correct the keys named; see GET config",
    )


def role_denial(patch: Mapping[str, Any], role: Role) -> Denial | None:
    """Return why a role may not write this patch, or None."""
    needed = role_needed(patch)
    if allows(role, needed):
        return None
    return deny(
        DenialCode.ACL_DENIED_CFG_WRITE,
        f"requires role {needed}, caller has {role}",
        f"obtain role {needed}",
    )
