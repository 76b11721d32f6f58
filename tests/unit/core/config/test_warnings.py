from typing import Any

import pytest

from config_samples import settings_with
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
            {**OPEN, "runtime__mesh__role": "client", "runtime__mesh__connect": ["r:1"]},
            [],
            id="a client does not listen",
        ),
        pytest.param(
            {"runtime__mesh__auth_token": "REPLACE_ME"}, ["placeholder_token"], id="a placeholder"
        ),
    ],
)
def test_each_warning_has_its_name(values: dict[str, Any], names: list[str]) -> None:
    found = warnings_of(settings_with(**values))
    assert [text.partition(":")[0] for text in found] == names


def test_a_warning_says_where_and_what_to_do() -> None:
    (text,) = warnings_of(settings_with(**OPEN))
    assert "0.0.0.0:5200" in text
    assert "runtime.mesh.auth_token" in text
