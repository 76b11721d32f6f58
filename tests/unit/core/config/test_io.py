import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config_samples import json_values
from trust_runtime.core.config.io import IoSettings, check_io


def problems(text: str) -> list[tuple[str, str]]:
    found = check_io(tomllib.loads(text))
    assert isinstance(found, tuple), found
    return [(problem.path, f"{problem.allowed} {problem.message}") for problem in found]


@pytest.mark.parametrize(
    ("text", "drivers"),
    [
        ('io.driver = "loopback"', ("loopback",)),
        ('io.driver = " SIM "', ("simulated",)),
        ('io.driver = "noop"\nio.params = {}', ("simulated",)),
        (
            '[[io.drivers]]\nname = "simulated"\n[[io.drivers]]\nname = "loopback"\nparams = {}',
            None,
        ),
    ],
)
def test_drivers_by_their_names(text: str, drivers: tuple[str, ...] | None) -> None:
    found = check_io(tomllib.loads(text))
    assert found == IoSettings(drivers=drivers or ("simulated", "loopback"))


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        pytest.param("", "io", "a table", id="nothing at all"),
        pytest.param("io = 5", "io", "a table", id="no table"),
        pytest.param("[io]", "io.driver", "loopback", id="no driver"),
        pytest.param("io.params = {}", "io.driver", "loopback", id="parameters of no driver"),
        pytest.param('io.driver = "gpio"', "io.driver", "not in this version", id="gpio"),
        pytest.param('io.driver = "ecat"', "io.driver", "not in this version", id="an alias"),
        pytest.param('io.driver = "loopbak"', "io.driver", "'loopback'", id="misspelt"),
        pytest.param("io.driver = 5", "io.driver", "loopback", id="a number"),
        pytest.param("io.drivers = []", "io.drivers", "at least one", id="an empty list"),
        pytest.param('io.drivers = ["x"]', "io.drivers[0]", "{name, params?}", id="a text"),
        pytest.param(
            'io.drivers = [{name = "loopback"}, {name = "mqtt"}]',
            "io.drivers[1].name",
            "not in this version",
            id="the second of a list",
        ),
        pytest.param(
            'io.driver = "loopback"\nio.drivers = [{name = "loopback"}]',
            "io.drivers",
            "either",
            id="both forms",
        ),
        pytest.param(
            'io.driver = "loopback"\nio.params.delay = 1',
            "io.params.delay",
            "unknown key",
            id="unknown parameter",
        ),
        pytest.param(
            'io.driver = "loopback"\nio.params = 1', "io.params", "a table", id="no parameters"
        ),
        pytest.param(
            'io.driver = "loopback"\nio.safe_stat = 1', "io.safe_stat", "'safe_state'", id="member"
        ),
        pytest.param(
            'io.driver = "loopback"\nruntime.x = 1', "runtime", "unknown key", id="another table"
        ),
    ],
)
def test_what_is_wrong_with_drivers(text: str, path: str, said: str) -> None:
    ((found_path, found_text),) = problems(text)
    assert found_path == path
    assert said in found_text


def test_a_secret_of_a_driver_that_is_not_built_stays_unsaid() -> None:
    found = check_io(tomllib.loads('io.driver = "mqtt"\nio.params.password = "canary"'))
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("address", "value", "fits"),
    [
        ("%QX0.0", "FALSE", True),
        ("%QX0.0", "true", True),
        ("%QX0.7", 1, True),
        ("%QX0.7", True, True),
        ("%QX0.8", "1", False),
        ("%QX0.0", 2, False),
        ("%Q0.0", "0", True),
        ("%QB0", 255, True),
        ("%QB0", 256, False),
        ("%QB0", "0xFF", True),
        ("%QB0", "0x100", False),
        ("%QW2", 65_535, True),
        ("%QW2", 65_536, False),
        ("%QD4", 2**32 - 1, True),
        ("%QD4", 2**32, False),
        ("%QL8", str(2**64 - 1), True),
        ("%QL8", str(2**64), False),
        ("%QW2", -1, False),
        ("%QW2", True, False),
        ("%QW2", "", False),
        ("%QW2", 1.5, False),
        ("%IX0.0", "FALSE", False),
        ("%MW0", 1, False),
        ("QX0.0", "FALSE", False),
        (None, "FALSE", False),
    ],
)
def test_safe_state_fits_the_width_of_its_output(address: Any, value: Any, *, fits: bool) -> None:
    entry = {"address": address, "value": value}
    found = check_io({"io": {"driver": "loopback", "safe_state": [entry]}})
    assert isinstance(found, IoSettings) is fits
    if isinstance(found, tuple):
        assert [problem.path.partition("]")[0] for problem in found] == ["io.safe_state[0"]


@pytest.mark.parametrize("state", ["x", [5], [{}], [{"address": "%QX0.0"}], [{"value": 1}]])
def test_safe_state_out_of_shape(state: Any) -> None:
    assert isinstance(check_io({"io": {"driver": "loopback", "safe_state": state}}), tuple)


names = st.sampled_from(["driver", "drivers", "params", "safe_state", "name", "address", "value"])


@settings(max_examples=60)
@given(st.dictionaries(names, json_values | st.lists(st.dictionaries(names, json_values))))
def test_anything_is_drivers_or_has_a_problem(io: dict[str, Any]) -> None:
    found = check_io({"io": io})
    assert isinstance(found, IoSettings) or all(p.path.startswith("io") for p in found)
    assert found != ()
