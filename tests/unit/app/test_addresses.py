import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from msgspec import structs

from signed_fleet import settings_of
from trust_runtime.app.addresses import (
    discovery_addresses,
    mesh_addresses,
    mesh_locators,
    next_free_port,
    require_free,
)
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.settings import Address, Settings


def listening_on(ip: str, *, interfaces: tuple[str, ...] = (), **mesh: object) -> Settings:
    settings = settings_of()
    return structs.replace(
        settings,
        mesh=structs.replace(settings.mesh, listen=Address(ip=ip, port=7_447), **mesh),
        discovery=structs.replace(settings.discovery, interfaces=interfaces),
    )


@contextmanager
def taken(ip: str = "127.0.0.1") -> Iterator[int]:
    """Yield a port that somebody listens on."""
    with closing(socket.create_server((ip, 0))) as server:
        yield server.getsockname()[1]


def test_a_concrete_address_is_used_as_it_is() -> None:
    settings = listening_on("127.0.0.9")
    assert mesh_addresses(settings) == (Address(ip="127.0.0.9", port=7_447),)
    assert mesh_locators(settings) == ("tcp/127.0.0.9:7447",)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert mesh_locators(listening_on("::1")) == ("tcp/[::1]:7447",)


def test_a_wildcard_becomes_the_addresses_of_loopback_and_the_named_interfaces() -> None:
    addresses = mesh_addresses(listening_on("0.0.0.0", interfaces=("lo", "not-there")))  # noqa: S104 - it is what must not remain
    assert addresses == (Address(ip="127.0.0.1", port=7_447),)


@pytest.mark.parametrize("change", [{"enabled": False}, {"role": "client"}])
def test_who_does_not_listen_has_no_address(change: dict[str, object]) -> None:
    assert mesh_addresses(listening_on("0.0.0.0", **change)) == ()  # type: ignore[arg-type]  # noqa: S104 - members of the mesh's settings; nothing listens


def test_mdns_uses_the_named_interfaces_and_says_which_are_missing() -> None:
    addresses, missing = discovery_addresses(
        listening_on("127.0.0.9", interfaces=("not-there", "lo"))
    )
    assert "127.0.0.1" in addresses
    assert missing == ("not-there",)


def test_without_names_mdns_uses_the_mesh_s_address_else_that_of_the_web() -> None:
    assert discovery_addresses(listening_on("127.0.0.9")) == (("127.0.0.9",), ())
    assert discovery_addresses(listening_on("127.0.0.9", enabled=False)) == (("127.0.0.1",), ())


def test_a_taken_address_refuses_the_start_and_names_a_free_port() -> None:
    with taken() as port:
        with pytest.raises(StartRefused) as refused:
            require_free(Address(ip="127.0.0.1", port=port), "runtime.web.listen")
        free = next_free_port(Address(ip="127.0.0.1", port=port))
    require_free(Address(ip="127.0.0.1", port=port), "runtime.web.listen")

    assert refused.value.reason == (
        f"runtime.web.listen: cannot listen on 127.0.0.1:{port}: Address already in use"
    )
    assert free is not None
    assert free > port
    assert refused.value.remedy == (
        f"set runtime.web.listen to another address, for example port {free}"
    )


def test_an_address_of_another_machine_refuses_the_start_without_an_example() -> None:
    with pytest.raises(StartRefused, match=r"192\.0\.2\.1:7447") as refused:
        require_free(Address(ip="192.0.2.1", port=7_447), "runtime.mesh.listen")
    assert refused.value.remedy == "set runtime.mesh.listen to another address"


def test_the_last_port_can_be_the_next_free_one() -> None:
    assert next_free_port(Address(ip="127.3.5.7", port=65_534)) == 65_535
    assert next_free_port(Address(ip="127.3.5.7", port=65_535)) is None
