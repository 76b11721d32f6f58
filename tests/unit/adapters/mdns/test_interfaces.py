import pytest

from trust_runtime.adapters.mdns.interfaces import interface_addresses, multicast_interfaces


def test_lo_is_the_loopback_interface() -> None:
    found, missing = interface_addresses(["lo"])

    assert "127.0.0.1" in found["lo"]
    assert all(text == "::1" or text.startswith("127.") for text in found["lo"])
    assert missing == ()


def test_what_is_not_there_is_named_once() -> None:
    found, missing = interface_addresses(["no-such0", "lo", "no-such0"])

    assert list(found) == ["lo"]
    assert missing == ("no-such0",)


def test_ipv4_comes_first() -> None:
    found, _ = interface_addresses(["lo"])

    kinds = [":" in text for text in found["lo"]]

    assert kinds == sorted(kinds)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (["127.0.0.1", "::1"], ["127.0.0.1"]),
        (["127.0.0.1", "127.0.0.1"], ["127.0.0.1"]),
        (["::1"], []),
        (["192.0.2.250", "127.0.0.1"], ["127.0.0.1"]),
        (["192.0.2.250"], []),
        ([], []),
    ],
)
def test_which_addresses_can_carry_multicast(given: list[str], used: list[str]) -> None:
    assert multicast_interfaces(given) == used
