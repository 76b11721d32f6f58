"""What a profile demands before the cloud plane serves, and what to do about it (contract 9.1).

Pure.
"""

from typing import Final

from msgspec import Struct

from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.identity import Distrust
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.secret import MAKE_TOKEN
from trust_runtime.contracts.settings import Settings, WebAuth

TOKEN_AUTH: Final = "runtime.web.auth='token'"  # noqa: S105 - the name of a key
AUTH_TOKEN: Final = "runtime.control.auth_token"  # noqa: S105 - the name of a key
WEB_TLS: Final = "runtime.web.tls=true"
MESH_TLS: Final = "runtime.mesh.tls=true"
IDENTITY: Final = "identity"

_REMEDY: Final = {
    TOKEN_AUTH: 'set runtime.web.auth = "token" and runtime.control.auth_token, then restart;'
    f" make a token with: {MAKE_TOKEN}",
    AUTH_TOKEN: f"set runtime.control.auth_token to a token made with: {MAKE_TOKEN}",
    WEB_TLS: 'set runtime.web.tls = true and runtime.tls.mode = "self-managed", then restart',
    MESH_TLS: 'set runtime.mesh.tls = true and runtime.tls.mode = "self-managed", then restart',
    IDENTITY: "issue a certificate with: trust-runtime pki issue --ca DIR --project DIR",
}


class Preconditions(Struct, frozen=True, kw_only=True):
    """How a profile stands."""

    profile: Profile
    """In force."""

    unmet: tuple[str, ...] = ()
    """What it demands and is not there, in the contract's order."""


def unmet_preconditions(settings: Settings, distrust: Distrust | None) -> tuple[str, ...]:
    """Return what the profile demands and is not there, in the contract's order.

    Args:
        settings: in force.
        distrust: why the own identity is unfit for the profile; None: it is fit.
    """
    if settings.profile is Profile.DEV:
        return ()
    unmet = []
    if settings.web.auth is not WebAuth.TOKEN:
        unmet.append(TOKEN_AUTH)
    elif settings.control_token is None or settings.control_token.is_placeholder:
        unmet.append(AUTH_TOKEN)
    if not settings.web.tls:
        unmet.append(WEB_TLS)
    if settings.mesh.enabled and not settings.mesh.tls:
        unmet.append(MESH_TLS)
    if distrust is not None:
        unmet.append(IDENTITY)
    return tuple(unmet)


def mesh_barred(unmet: tuple[str, ...]) -> str | None:
    """Return why the mesh must stay closed, or None when it may open."""
    missing = [one for one in unmet if one in (MESH_TLS, IDENTITY)]
    return f"not opened: the profile needs {' and '.join(missing)}" if missing else None


def remedy_of_key(key: str) -> str:
    """Return what to do about an unmet key."""
    return _REMEDY.get(key, f"set {key}, then restart")


def profile_denial(preconditions: Preconditions) -> Denial | None:
    """Return why the cloud plane refuses, naming every unmet key with its remedy, or None."""
    if not preconditions.unmet:
        return None
    return deny(
        DenialCode.NOT_CONFIGURED,
        f"profile {preconditions.profile} needs {', '.join(preconditions.unmet)}",
        "; ".join(remedy_of_key(key) for key in preconditions.unmet),
    )
