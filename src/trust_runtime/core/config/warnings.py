"""What a valid configuration allows although it is unwise (contract 4.2)."""

import ipaddress
from collections.abc import Iterator

from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.secret import (
    MAKE_TOKEN,
    PLACEHOLDER,
    TOKEN_CHARACTERS_MIN,
    Secret,
)
from trust_runtime.contracts.settings import Settings


def warnings_of(settings: Settings) -> tuple[str, ...]:
    """Return one sentence per warning, each beginning with its name."""
    return tuple(_warnings(settings))


def _warnings(settings: Settings) -> Iterator[str]:
    mesh = settings.mesh
    is_open = mesh.enabled and mesh.role != "client" and mesh.auth_token is None and not mesh.tls
    if is_open and not ipaddress.ip_address(mesh.listen.ip).is_loopback:
        yield (
            f"insecure_mesh: everybody who reaches {mesh.listen} is admitted;"
            " set runtime.mesh.tls or runtime.mesh.auth_token"
        )
    for key, token in (
        ("runtime.control.auth_token", settings.control_token),
        ("runtime.mesh.auth_token", mesh.auth_token),
    ):
        text = token.value if isinstance(token, Secret) else token
        if text is None:
            continue
        if text.startswith(PLACEHOLDER):
            yield (
                f"placeholder_token: {key} is a placeholder and admits nobody;"
                f" make a token with: {MAKE_TOKEN}"
            )
        elif settings.profile is not Profile.DEV and len(text) < TOKEN_CHARACTERS_MIN:
            yield (
                f"short_token: {key} has fewer than {TOKEN_CHARACTERS_MIN} characters;"
                f" make a token with: {MAKE_TOKEN}"
            )
