import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.adapters.files.templates import CONFIG_ST, MAIN_ST, io_toml, runtime_toml
from trust_runtime.contracts.ids import ID_LENGTH_MAX, RESERVED_NAMES, is_id_part
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values

GRAMMAR = "abcXYZ019._-"


def values_of(table: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from values_of(value, f"{at}{name}.")
        else:
            yield at + name, value


def settings_of(name: str) -> Settings:
    checked = check_values(dict(values_of(tomllib.loads(runtime_toml(name)))))
    assert isinstance(checked, Settings), checked
    return checked


def test_the_template_has_the_values_of_the_contract() -> None:
    made = settings_of("runtime-a")

    assert (made.runtime_id, made.profile) == ("runtime-a", Profile.DEV)
    assert made.control_socket == "/tmp/trust-runtime-runtime-a.sock"  # noqa: S108 - the contract's
    assert (made.web.enabled, str(made.web.listen)) == (True, "127.0.0.1:8080")
    assert (made.discovery.advertise, made.discovery.interfaces) == (True, ("lo",))
    assert (made.mesh.enabled, made.mesh.role) == (False, "peer")
    assert str(made.mesh.listen) == "127.0.0.1:5200"
    written = dict(values_of(tomllib.loads(runtime_toml("runtime-a"))))
    assert (
        written.items()
        >= {
            "resource.cycle_interval_ms": 100,
            "runtime.discovery.service_name": "runtime-a",
            "runtime.mesh.zenohd_version": "1.7.2",
            "runtime.watchdog.timeout_ms": 5000,
            "runtime.watchdog.action": "halt",
            "runtime.fault.policy": "safe_halt",
            "runtime.retain.mode": "none",
            "runtime.log.level": "info",
        }.items()
    )


@settings(max_examples=50, deadline=None)
@given(
    name=st.text(GRAMMAR, min_size=1, max_size=ID_LENGTH_MAX).filter(
        lambda name: is_id_part(name) and name not in RESERVED_NAMES
    )
)
def test_every_name_gives_a_configuration_that_passes(name: str) -> None:
    assert settings_of(name).name == name


@pytest.mark.parametrize("length", [63, 64, 76, 77, ID_LENGTH_MAX])
def test_a_name_too_long_for_a_socket_still_has_its_own(length: int) -> None:
    one = settings_of("a" * length).control_socket
    other = settings_of("a" * (length - 1) + "b").control_socket

    assert len(one) <= 100
    assert one != other
    assert ("a" * length in one) == (length <= 76)


def test_inputs_and_outputs_are_those_of_the_contract() -> None:
    assert tomllib.loads(io_toml()) == {
        "io": {"driver": "loopback", "safe_state": [{"address": "%QX0.0", "value": "FALSE"}]}
    }


def test_the_program_and_its_task_belong_together() -> None:
    assert "PROGRAM Main\n" in MAIN_ST
    assert "AT %IX0.0 : BOOL" in MAIN_ST
    assert "AT %QX0.0 : BOOL" in MAIN_ST
    assert "MOD 2" in MAIN_ST
    assert "TASK MainTask(INTERVAL := T#100ms" in CONFIG_ST
    assert "WITH MainTask : Main;" in CONFIG_ST


def test_site_cycle_and_driver_stand_where_they_are_read() -> None:
    text = runtime_toml("press-1", site="plant-1", cycle_ms=20)
    checked = check_values(dict(values_of(tomllib.loads(text))))
    assert isinstance(checked, Settings)
    assert (checked.runtime_id, checked.site) == ("plant-1/press-1", "plant-1")
    assert tomllib.loads(text)["resource"]["cycle_interval_ms"] == 20
    assert tomllib.loads(io_toml("simulated"))["io"]["driver"] == "simulated"
