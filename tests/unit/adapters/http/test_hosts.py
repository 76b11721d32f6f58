"""`adapters.http.hosts`: which Host and Origin headers are this server's (contract 6.1)."""

import ipaddress
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trust_runtime.adapters.http.hosts import (
    Authority,
    OwnHosts,
    is_loopback,
    is_own_host,
    is_own_origin,
    parse_authority,
    shortest_ip,
)

OWN = OwnHosts(
    ips=frozenset({"127.0.0.1", "::1"}), names=frozenset({"localhost", "box", "box.local"}), port=80
)
NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20)
PORTS = st.integers(1, 65_535)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost", "localhost", 80),
        ("LocalHost:8080", "localhost", 8080),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("127.0.0.1:65535", "127.0.0.1", 65_535),
        ("127.0.0.1:00080", "127.0.0.1", 80),
        ("[::1]:8080", "::1", 8080),
        ("[0:0:0:0:0:0:0:1]", "::1", 80),
        ("127.1:8080", "127.1", 8080),
        ("my_box-1.plant.example", "my_box-1.plant.example", 80),
    ],
)
def test_what_a_well_formed_host_names(text: str, host: str, port: int) -> None:
    assert parse_authority(text) == Authority(host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", " localhost", "localhost ", "local host", "localhost\n", "\tlocalhost"),
        *(":80", "localhost:", "localhost:0", "localhost:65536", "localhost:-1", "localhost:8o"),
        *("localhost:123456", "localhost:80:80", "a@localhost", "localhost/", "localhost?x"),
        *("http://localhost", "localhost#x", "localhost,localhost", "loc%61lhost", "lücke"),
        *("[::1", "::1", "[]", "[127.0.0.1]", "[fe80::1%lo]", "[::1]x", "[::g]", "[:::]"),
        "localhost:\u0661",  # A digit, but not one of ours.
        "\u212aelvin",  # The Kelvin sign is a k in lower case.
    ],
)
def test_what_is_malformed(text: str) -> None:
    assert parse_authority(text) is None


@given(st.text(max_size=40))
@example("[")
@settings(max_examples=150)
def test_any_text_is_read_or_refused_and_what_is_read_is_plain(text: str) -> None:
    read = parse_authority(text)
    if read is not None:
        assert 1 <= read.port <= 65_535
        assert set(read.host) <= set(string.ascii_lowercase + string.digits + "._-:")


@given(name=NAMES, port=PORTS)
@settings(max_examples=60)
def test_letter_case_names_no_other_host(name: str, port: int) -> None:
    written = f"{name}:{port}"
    assert parse_authority(written) == parse_authority(written.swapcase())
    assert parse_authority(written) is not None


@given(address=st.ip_addresses(v=6), port=PORTS)
@settings(max_examples=60)
def test_every_spelling_of_an_ipv6_address_is_one_host(
    address: ipaddress.IPv6Address, port: int
) -> None:
    assert parse_authority(f"[{address.exploded}]:{port}") == Authority(str(address), port)


@pytest.mark.parametrize(
    ("host", "port", "allowed", "own"),
    [
        ("127.0.0.1", 80, (), True),
        ("::1", 80, (), True),
        ("localhost", 80, (), True),
        ("box.local", 80, (), True),
        ("127.0.0.1", 81, (), False),
        ("127.0.0.2", 80, (), False),
        ("evil.example", 80, (), False),
        ("localhost.evil.example", 80, (), False),
        ("plant.example", 80, ("plant.example",), True),
        ("plant.example", 80, ("Plant.Example",), True),
        ("plant.example", 443, ("plant.example",), False),
        ("plant.example", 443, ("plant.example:443",), True),
        ("plant.example", 80, ("plant.example:443",), False),
        ("sub.plant.example", 80, ("plant.example",), False),
        ("1234", 80, ("1234",), True),
        ("::2", 80, ("[0::2]",), True),
        ("plant.example", 80, ("*", "http://plant.example"), False),
    ],
)
def test_own_hosts(*, host: str, port: int, allowed: tuple[str, ...], own: bool) -> None:
    assert is_own_host(Authority(host, port), OWN, allowed) is own


def test_an_allowed_name_without_port_stands_for_the_listening_port() -> None:
    own = OwnHosts(ips=frozenset(), names=frozenset(), port=8080)
    assert is_own_host(Authority("plant.example", 8080), own, ("plant.example",))
    assert not is_own_host(Authority("plant.example", 80), own, ("plant.example",))


@given(name=NAMES.map(str.lower), port=PORTS)
@settings(max_examples=60)
def test_nobody_else_is_answered(name: str, port: int) -> None:
    authority = parse_authority(f"{name}:{port}")
    assert authority is not None
    known = (authority.host in OWN.names or authority.host in OWN.ips) and port == OWN.port
    assert is_own_host(authority, OWN, ()) is known


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://localhost:8080", True),
        ("  HTTP://LocalHost:8080/ ", True),
        ("http://localhost:8080//", False),
        ("http://localhost:8081", False),
        ("http://localhost", False),
        ("https://localhost:8080", False),
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080/page", False),
        ("http://localhost:8080.evil.example", False),
        ("http://a@localhost:8080", False),
        ("localhost:8080", False),
        ("http:localhost:8080", False),
        ("null", False),
        ("", False),
        ("http://", False),
    ],
)
def test_origin_is_scheme_and_host_of_this_server(*, origin: str, own: bool) -> None:
    assert is_own_origin(origin, Authority("localhost", 8080)) is own


def test_the_schemes_own_port_may_be_left_out_of_an_origin() -> None:
    assert is_own_origin("http://localhost", Authority("localhost", 80))
    assert is_own_origin("http://localhost:80", Authority("localhost", 80))


@pytest.mark.parametrize(
    ("ip", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.255.255", True),
        ("128.0.0.1", False),
        ("::1", True),
        ("::2", False),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - compared, not bound
        ("", False),
        ("localhost", False),
    ],
)
def test_loopback(*, ip: str, loopback: bool) -> None:
    assert is_loopback(ip) is loopback


def test_shortest_ip() -> None:
    assert shortest_ip("0:0::1") == "::1"
    assert shortest_ip("box") is None
