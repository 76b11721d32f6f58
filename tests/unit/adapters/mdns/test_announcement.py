from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trust_runtime.adapters.mdns.announcement import (
    ADDRESSES_MAX,
    host_label,
    instance_label,
    parse_sighting,
    txt_members,
)
from trust_runtime.contracts.discovery import Advertisement
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId, parse_runtime_id

FINGERPRINT = "0123456789abcdef" * 4
ADVERTISEMENT = Advertisement(
    runtime_id=RuntimeId("site-b/press.2"),
    site="site-b",
    host_name="cell-7",
    addresses=("127.0.0.1",),
    mesh_port=7447,
    mesh_tls=False,
    web_port=8080,
    web_tls=False,
    host_group="hall",
    fingerprint=FINGERPRINT,
)
IDS = st.from_regex(r"[A-Za-z0-9._-]{1,127}(/[A-Za-z0-9._-]{1,60})?", fullmatch=True)


def wire(members: dict[str, str]) -> dict[bytes, bytes | None]:
    return {name.encode(): value.encode() for name, value in members.items()}


def test_txt_carries_every_member_of_the_contract() -> None:
    assert txt_members(ADVERTISEMENT) == {
        "v": "1",
        "id": "site-b/press.2",
        "site": "site-b",
        "web_port": "8080",
        "web_tls": "false",
        "mesh_port": "7447",
        "mesh_tls": "false",
        "host_group": "hall",
        "fp": FINGERPRINT,
    }


def test_what_has_no_value_is_left_out() -> None:
    bare = replace(ADVERTISEMENT, mesh_port=None, web_port=None, host_group=None)

    assert set(txt_members(bare)) == {"v", "id", "site", "web_tls", "mesh_tls", "fp"}


def test_a_sighting_is_what_was_announced() -> None:
    sighting = parse_sighting(wire(txt_members(ADVERTISEMENT)), ["::1", "127.0.0.1"])

    assert sighting.runtime_id == "site-b/press.2"
    assert sighting.addresses == ("127.0.0.1:7447", "[::1]:7447")
    assert (sighting.mesh_tls, sighting.fingerprint) == (False, FINGERPRINT)


def test_without_a_mesh_port_there_is_nothing_to_dial() -> None:
    txt = wire(txt_members(replace(ADVERTISEMENT, mesh_port=None)))

    assert parse_sighting(txt, ["127.0.0.1"]).addresses == ()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.251", "ff02::fb", "here"])  # noqa: S104 - told, not bound
def test_addresses_nobody_can_dial_are_left_out(address: str) -> None:
    txt = wire(txt_members(ADVERTISEMENT))

    assert parse_sighting(txt, [address, "127.0.0.1"]).addresses == ("127.0.0.1:7447",)


def test_addresses_have_a_limit() -> None:
    many = [f"127.0.0.{number}" for number in range(1, 100)]

    sighting = parse_sighting(wire(txt_members(ADVERTISEMENT)), many)

    assert len(sighting.addresses) == ADDRESSES_MAX


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", b"2"),
        ("v", None),
        ("id", b""),
        ("id", b"a b"),
        ("id", b"\xff"),
        ("id", b"press.2"),  # Of another site than `site` says.
        ("site", b"site-c"),
        ("fp", b"0123"),
        ("fp", FINGERPRINT.upper().encode()),
        ("mesh_tls", b"maybe"),
        ("mesh_port", b"0"),
        ("mesh_port", b"65536"),
        ("mesh_port", b"-1"),
        ("mesh_port", "\u0661".encode()),
        ("mesh_port", b"9" * 5_000),
        ("mesh_port", None),
    ],
)
def test_a_malformed_member_is_a_contract_violation(name: str, value: bytes | None) -> None:
    txt = {**wire(txt_members(ADVERTISEMENT)), name.encode(): value}

    with pytest.raises(ContractViolation):
        parse_sighting(txt, ["127.0.0.1"])


@given(
    txt=st.dictionaries(
        st.sampled_from([b"v", b"id", b"site", b"fp", b"mesh_tls", b"mesh_port"]) | st.binary(),
        st.none() | st.binary() | st.sampled_from([b"1", b"true", b"a", FINGERPRINT.encode()]),
    ),
    addresses=st.lists(st.text()),
)
def test_no_txt_does_worse_than_a_contract_violation(
    txt: dict[bytes, Any], addresses: list[str]
) -> None:
    try:
        sighting = parse_sighting(txt, addresses)
    except ContractViolation:
        return
    assert sighting.runtime_id == parse_runtime_id(sighting.runtime_id)


@given(text=IDS, host_name=st.text(max_size=80))
def test_labels_fit_dns_and_are_one_label(text: str, host_name: str) -> None:
    try:
        runtime = parse_runtime_id(text)
    except ContractViolation:
        return
    for label in (instance_label(runtime), host_label(host_name, runtime)):
        assert len(label.encode()) <= 63
        assert "." not in label


def test_names_that_differ_in_a_dot_alone_keep_apart() -> None:
    assert instance_label(RuntimeId("a.b")) != instance_label(RuntimeId("a-b"))


def test_the_instance_is_the_name_and_eight_digits_of_the_id() -> None:
    long = RuntimeId("site-b/" + "n" * 100)

    assert instance_label(RuntimeId("runtime-a")) == "runtime-a-c23240e6"
    assert instance_label(long).startswith("n" * 54 + "-")
