"""What a valid configuration allows although it is unwise (contract 4.2)."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from trust_runtime.contracts.settings import Settings

_PLACEHOLDER: Final = "REPLACE_"


def warnings_of(settings: Settings) -> tuple[str, ...]:
    """Return one sentence per warning, each beginning with its name."""
    return tuple(_warnings(settings))


def _warnings(settings: Settings) -> Iterator[str]:
    mesh = settings.mesh
    listens = mesh.enabled and mesh.role != "client"
    if listens and mesh.auth_token is None and not ipaddress.ip_address(mesh.listen.ip).is_loopback:
        yield (
            f"insecure_mesh: everybody who reaches {mesh.listen} is admitted;"
            " set runtime.mesh.auth_token"
        )
    if mesh.auth_token is not None and mesh.auth_token.startswith(_PLACEHOLDER):
        yield "placeholder_token: runtime.mesh.auth_token is a placeholder and admits nobody"
