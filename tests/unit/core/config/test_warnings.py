from typing import Any

import pytest
from msgspec import structs

from config_samples import settings_with
from trust_runtime.contracts.policy import Profile
from trust_runtime.core.config.warnings import warnings_of

OPEN = {
    "runtime__mesh__enabled": True,
    "runtime__mesh__listen": "0.0.0.0:5200",
    "runtime__mesh__allow_open": True,
}


@pytest.mark.parametrize(
    ("values", "names"),
    [
        pytest.param({}, [], id="nothing unusual"),
        pytest.param(OPEN, ["insecure_mesh"], id="an open mesh"),
        pytest.param({**OPEN, "runtime__mesh__enabled": False}, [], id="the mesh is off"),
        pytest.param({**OPEN, "runtime__mesh__listen": "127.0.0.9:1"}, [], id="loopback"),
        pytest.param({**OPEN, "runtime__mesh__auth_token": "x"}, [], id="with a token"),
        pytest.param(
            {
                **OPEN,
                "runtime__mesh__tls": True,
                "runtime__tls__mode": "self-managed",
                "runtime__tls__cert_path": "c",
                "runtime__tls__key_path": "k",
            },
            [],
            id="with TLS",
        ),
        pytest.param(
            {**OPEN, "runtime__mesh__role": "client", "runtime__mesh__connect": ["r:1"]},
            [],
            id="a client does not listen",
        ),
        pytest.param(
            {"runtime__mesh__auth_token": "REPLACE_ME"}, ["placeholder_token"], id="a placeholder"
        ),
        pytest.param(
            {"runtime__control__auth_token": "REPLACE_WITH_LONG_RANDOM_TOKEN"},
            ["placeholder_token"],
            id="a placeholder that admits nobody to the web",
        ),
        pytest.param({"runtime__control__auth_token": "short"}, [], id="a short token in dev"),
    ],
)
def test_each_warning_has_its_name(values: dict[str, Any], names: list[str]) -> None:
    found = warnings_of(settings_with(**values))
    assert [text.partition(":")[0] for text in found] == names


@pytest.mark.parametrize("profile", [Profile.PLANT, Profile.WAN])
@pytest.mark.parametrize(("length", "names"), [(31, ["short_token"]), (32, [])])
def test_short_tokens_are_warned_of_beyond_dev(
    profile: Profile, length: int, names: list[str]
) -> None:
    settings = structs.replace(
        settings_with(runtime__control__auth_token="t" * length), profile=profile
    )
    found = warnings_of(settings)
    assert [text.partition(":")[0] for text in found] == names
    assert not any("t" * length in text for text in found)


def test_a_placeholder_comes_with_the_command_that_makes_a_token() -> None:
    (text,) = warnings_of(settings_with(**{"runtime.control.auth_token": "REPLACE_X"}))
    assert "runtime.control.auth_token" in text
    assert text.endswith("openssl rand -hex 32")


def test_a_warning_says_where_and_what_to_do() -> None:
    (text,) = warnings_of(settings_with(**OPEN))
    assert "0.0.0.0:5200" in text
    assert "runtime.mesh.auth_token" in text
