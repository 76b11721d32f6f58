"""`core.io_config`: contract 4.4, 6.15, 14.2."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import IoContent, IoDriver, IoOutput, IoParams, IoSource
from trust_runtime.core.io_config import (
    DEFAULT,
    content_to_write,
    etag_of,
    read_content,
    to_toml,
    view_of,
)

LOOP, SIM = IoDriver(name="loopback"), IoDriver(name="simulated")
OFF = IoOutput(address="%QX0.0", value="FALSE")


def content(document: dict[str, Any]) -> IoContent:
    found = read_content(document)
    assert isinstance(found, IoContent), found
    return found


def denial(document: dict[str, Any]) -> Denial:
    found = read_content(document)
    assert isinstance(found, Denial)
    assert found.code is DenialCode.CONTRACT_VIOLATION
    return found


@pytest.mark.parametrize(
    ("io", "drivers"),
    [
        ({"driver": "loopback"}, (LOOP,)),
        ({"driver": " SIM ", "params": {}}, (SIM,)),
        ({"drivers": [{"name": "noop"}, {"name": "loopback", "params": {}}]}, (SIM, LOOP)),
    ],
)
def test_both_forms_give_canonical_drivers(io: Any, drivers: tuple[IoDriver, ...]) -> None:
    assert content({"io": io}).drivers == drivers


@pytest.mark.parametrize(
    ("io", "said"),
    [
        ({}, "io.driver"),
        ({"driver": "gpio"}, "not in this version"),
        ({"driver": "loop"}, "unknown driver"),
        ({"driver": "loopback", "params": {"port": 1}}, "io.params.port"),
        ({"driver": "loopback", "drivers": [{"name": "loopback"}]}, "both forms"),
        ({"drivers": []}, "io.drivers"),
        ({"driver": "loopback", "safe_state": [{"address": "%IX0.0", "value": 1}]}, "address"),
        ({"driver": "loopback", "safe_state": [{"address": "%QB0", "value": 256}]}, "value"),
    ],
)
def test_everything_that_is_wrong_is_named(io: Any, said: str) -> None:
    assert said in denial({"io": io}).reason


def test_all_problems_are_told_at_once() -> None:
    reason = denial({"io": {"driver": "loop", "safe_state": [{"address": 7}]}}).reason
    assert "io.driver" in reason
    assert "io.safe_state[0].address" in reason


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (IoParams(driver="sim"), IoContent(drivers=(SIM,))),
        (IoParams(driver="sim", params={}), IoContent(drivers=(SIM,))),
        (
            IoParams(drivers=[LOOP, SIM], safe_state=[OFF]),
            IoContent(drivers=(LOOP, SIM), safe_state=(OFF,)),
        ),
        # A parameter that is null is left out.
        (IoParams(driver="sim", params={"port": None}), IoContent(drivers=(SIM,))),
    ],
)
def test_a_write_makes_the_whole_file(asked: IoParams, wanted: IoContent) -> None:
    assert content_to_write(asked, DEFAULT) == wanted


@pytest.mark.parametrize(
    "asked",
    [
        IoParams(),
        IoParams(drivers=[]),
        IoParams(params={}),
        IoParams(driver="loopback", drivers=[LOOP]),
        IoParams(driver="modbus-tcp", params={"address": "10.0.0.1"}),
        IoParams(driver="loopback", params={"password": "<redacted>"}),
        IoParams(drivers=[IoDriver(name="loopback", params={"x": 1})]),
    ],
)
def test_what_cannot_be_written_is_refused(asked: IoParams) -> None:
    assert isinstance(content_to_write(asked, DEFAULT), Denial)


def test_a_hidden_parameter_keeps_its_stored_value() -> None:
    # No driver of this version has a parameter: what would be written is seen in its refusal.
    stored = IoContent(drivers=(IoDriver(name="loopback", params={"password": "secret"}),))
    asked = IoParams(driver="loopback", params={"password": "<redacted>"})
    found = content_to_write(asked, stored)
    assert isinstance(found, Denial)
    assert "secret" not in found.reason


def test_the_etag_is_of_the_content_alone() -> None:
    single = content(
        {"io": {"driver": "loopback", "safe_state": [{"address": "%QW2", "value": 7}]}}
    )
    listed = content(
        {"io": {"safe_state": [{"value": 7, "address": "%QW2"}], "drivers": [{"name": "loopback"}]}}
    )
    assert etag_of(single) == etag_of(listed)
    assert etag_of(single) != etag_of(DEFAULT)
    assert etag_of(DEFAULT).startswith("sha256:")


@pytest.mark.parametrize("source", IoSource)
def test_the_first_driver_is_repeated(source: IoSource) -> None:
    view = view_of(RuntimeId("press-1"), IoContent(drivers=(SIM, LOOP), safe_state=(OFF,)), source)
    assert (view.driver, view.params, view.drivers) == ("simulated", {}, (SIM, LOOP))
    assert view.supported_drivers == ("loopback", "simulated")
    assert (view.source, view.use_system_io) == (source, source is IoSource.SYSTEM)
    assert view.etag == etag_of(IoContent(drivers=(SIM, LOOP), safe_state=(OFF,)))


BITS = st.tuples(
    st.integers(0, 99).map(lambda n: f"%QX{n}.{n % 8}"),
    st.sampled_from(["TRUE", "FALSE", "1", "0", True, False, 1, 0]),
)
WORDS = st.tuples(
    st.integers(0, 99).map(lambda n: f"%QL{n}"),
    st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1).map(hex)),
)
OUTPUTS = st.one_of(BITS, WORDS).map(lambda one: IoOutput(address=one[0], value=one[1]))


@given(
    st.lists(st.sampled_from([LOOP, SIM]), min_size=1, max_size=4),
    st.lists(OUTPUTS, max_size=4),
)
@settings(max_examples=80)
def test_what_is_written_reads_back_to_itself(
    drivers: list[IoDriver], outputs: list[IoOutput]
) -> None:
    wanted = IoContent(drivers=tuple(drivers), safe_state=tuple(outputs))
    found = content(tomllib.loads(to_toml(wanted)))
    assert found == wanted
    assert etag_of(found) == etag_of(wanted)
