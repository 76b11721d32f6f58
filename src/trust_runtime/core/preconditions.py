"""What a profile demands before the cloud plane serves (contract 9.1). Pure."""

from trust_runtime.contracts.identity import Distrust
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.settings import Settings

TOKEN_AUTH = "runtime.web.auth='token'"  # noqa: S105 - the name of a key
WEB_TLS = "runtime.web.tls=true"
MESH_TLS = "runtime.mesh.tls=true"
IDENTITY = "identity"


def unmet_preconditions(settings: Settings, distrust: Distrust | None) -> tuple[str, ...]:
    """Return what the profile demands and is not there, in the contract's order.

    This version has neither tokens nor TLS on the web, so their keys are always missing.

    Args:
        settings: in force.
        distrust: why the own identity is unfit for the profile; None: it is fit.
    """
    if settings.profile is Profile.DEV:
        return ()
    unmet = [TOKEN_AUTH, WEB_TLS]
    if settings.mesh.enabled and not settings.mesh.tls:
        unmet.append(MESH_TLS)
    if distrust is not None:
        unmet.append(IDENTITY)
    return tuple(unmet)


def mesh_barred(unmet: tuple[str, ...]) -> str | None:
    """Return why the mesh must stay closed, or None when it may open."""
    missing = [one for one in unmet if one in (MESH_TLS, IDENTITY)]
    return f"not opened: the profile needs {' and '.join(missing)}" if missing else None
