"""What a profile demands: contract 9.1."""

from itertools import product

import pytest
from msgspec import structs

from config_samples import settings_with
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.identity import Distrust
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.preconditions import (
    AUTH_TOKEN,
    IDENTITY,
    MESH_TLS,
    TOKEN_AUTH,
    WEB_TLS,
    Preconditions,
    mesh_barred,
    profile_denial,
    remedy_of_key,
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


REAL = "a-real-token-of-this-test-0123456789"


@pytest.mark.parametrize(
    ("auth", "token", "tls"),
    list(product(["local", "token"], [None, "REPLACE_ME", REAL], [True, False])),
)
@pytest.mark.parametrize("profile", list(Profile))
def test_every_combination_names_exactly_what_is_missing(
    profile: Profile, auth: str, token: str | None, *, tls: bool
) -> None:
    if auth == "token" and token is None:
        return  # The configuration is an error already.
    given = {} if token is None else {"runtime.control.auth_token": token}
    mode = {
        "runtime.tls.mode": "self-managed",
        "runtime.tls.cert_path": "web.crt",
        "runtime.tls.key_path": "web.key",
    }
    plain = settings_with(**{"runtime.web.auth": auth, "runtime.web.tls": tls}, **given, **mode)
    found = unmet_preconditions(structs.replace(plain, profile=profile), None)
    wanted = []
    if auth == "local":
        wanted.append(TOKEN_AUTH)
    elif token != REAL:
        wanted.append(AUTH_TOKEN)
    if not tls:
        wanted.append(WEB_TLS)
    assert found == (() if profile is Profile.DEV else tuple(wanted))


def test_all_that_is_missing_is_named_with_what_to_do() -> None:
    assert profile_denial(Preconditions(profile=Profile.PLANT)) is None
    lacking = (TOKEN_AUTH, WEB_TLS, MESH_TLS, IDENTITY)
    denial = profile_denial(Preconditions(profile=Profile.WAN, unmet=lacking))
    assert denial is not None
    assert denial.code is DenialCode.NOT_CONFIGURED
    for key in lacking:
        assert key in denial.reason
        assert remedy_of_key(key) in denial.remedy
    assert "runtime.web.auth='token'" in denial.reason, "a text clients may rely on"
    assert remedy_of_key("something.new") == "set something.new, then restart"
