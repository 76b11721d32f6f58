import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.pki.certificates import (
    make_self_signed,
    parse_certificate,
    signer_facts,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId

NOW_S = 1_790_000_000
DER = make_self_signed(
    ec.generate_private_key(ec.SECP256R1()), RuntimeId("site-b/press-2"), now_s=NOW_S
).public_bytes(serialization.Encoding.DER)


@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
def test_a_changed_certificate_is_read_or_refused_never_worse(place: int, flip: int) -> None:
    changed = bytearray(DER)
    changed[place] ^= flip

    try:
        facts = signer_facts(parse_certificate(bytes(changed)))
    except ContractViolation:
        return
    assert len(facts.pin) == 64


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(ContractViolation):
        parse_certificate(content)


def test_bytes_after_a_certificate_are_refused() -> None:
    assert signer_facts(parse_certificate(DER)).runtime_id == "site-b/press-2"
    with pytest.raises(ContractViolation):
        parse_certificate(DER + b"\x00")


def test_a_certificate_can_be_made_before_the_clock_was_ever_set() -> None:
    key = ec.generate_private_key(ec.SECP256R1())

    facts = signer_facts(make_self_signed(key, RuntimeId("press-2"), now_s=0))

    assert facts.not_before_s <= 0 < facts.not_after_s
