"""What a profile demands: contract 9.1."""

import pytest
from msgspec import structs

from config_samples import settings_with
from trust_runtime.contracts.identity import Distrust
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.preconditions import (
    IDENTITY,
    MESH_TLS,
    TOKEN_AUTH,
    WEB_TLS,
    mesh_barred,
    unmet_preconditions,
)

UNFIT = Distrust(reason=TrustReason.EXPIRED, detail="it expired")
ALONE = settings_with(runtime__cloud__profile="plant")


def meshed(*, tls: bool) -> Settings:
    settings = settings_with(runtime__cloud__profile="wan", runtime__mesh__enabled=True)
    return structs.replace(settings, mesh=structs.replace(settings.mesh, tls=tls))


def test_dev_demands_nothing() -> None:
    settings = settings_with(runtime__mesh__enabled=True)
    assert settings.profile is Profile.DEV
    assert unmet_preconditions(settings, UNFIT) == ()
    assert mesh_barred(()) is None


@pytest.mark.parametrize(
    ("mesh", "distrust", "unmet"),
    [
        (None, None, (TOKEN_AUTH, WEB_TLS)),
        (None, UNFIT, (TOKEN_AUTH, WEB_TLS, IDENTITY)),
        (False, UNFIT, (TOKEN_AUTH, WEB_TLS, MESH_TLS, IDENTITY)),
        (False, None, (TOKEN_AUTH, WEB_TLS, MESH_TLS)),
        (True, None, (TOKEN_AUTH, WEB_TLS)),
    ],
)
def test_everything_missing_is_named_in_order(
    *, mesh: bool | None, distrust: Distrust | None, unmet: tuple[str, ...]
) -> None:
    settings = ALONE if mesh is None else meshed(tls=mesh)
    found = unmet_preconditions(settings, distrust)
    assert found == unmet


@pytest.mark.parametrize(
    ("unmet", "told"),
    [
        ((TOKEN_AUTH, WEB_TLS), None),
        ((MESH_TLS,), "not opened: the profile needs runtime.mesh.tls=true"),
        ((WEB_TLS, MESH_TLS, IDENTITY),
         "not opened: the profile needs runtime.mesh.tls=true and identity"),
    ],
)  # fmt: skip
def test_the_mesh_stays_closed_without_its_own(unmet: tuple[str, ...], told: str | None) -> None:
    assert mesh_barred(unmet) == told
