"""Names and addresses in certificates: contract 2.5."""

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.pki.hosts import ALWAYS, HOSTS_MAX, host_names, hosts_in, is_host
from trust_runtime.contracts.errors import ContractViolation


def test_names_and_addresses_are_told_apart_and_said_once() -> None:
    names = host_names([*ALWAYS, "PLC7.plant.example", "plc7.plant.example", "2001:DB8::1"])
    assert hosts_in(names) == (*ALWAYS, "plc7.plant.example", "2001:db8::1")
    kinds = [type(name) for name in names]
    assert kinds == [x509.DNSName, x509.IPAddress, x509.IPAddress, x509.DNSName, x509.IPAddress]


@pytest.mark.parametrize(
    "host",
    ["", " ", "*", "*.plant.example", "a..b", ".a", "-a", "a b", "a\n", "ä", "1.2.3", "10.0.0.256",
     "https://a", "a:80", "[::1]", "a/b", "n" * 64, "a." * 127 + "a", "\0"],
)  # fmt: skip
def test_what_is_neither_is_refused(host: str) -> None:
    assert not is_host(host)
    with pytest.raises(ContractViolation, match="host"):
        host_names([host])


def test_there_is_a_limit() -> None:
    hosts = [f"h{number}" for number in range(HOSTS_MAX + 1)]
    assert len(host_names(hosts[:-1])) == HOSTS_MAX
    with pytest.raises(ContractViolation):
        host_names(hosts)


@given(st.text(max_size=80))
def test_no_text_is_worse_than_refused(text: str) -> None:
    if is_host(text):
        assert len(hosts_in(host_names([text]))) == 1
