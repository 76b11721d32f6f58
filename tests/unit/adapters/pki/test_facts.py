"""Certificates as facts: contract 2.4. What is made of them stands in `test_trust_store`."""

import pytest
from cryptography import x509

from pki_samples import NAME_CONSTRAINTS, NOW_S, ca_form, leaf_form, make
from trust_runtime.adapters.pki.facts import (
    certificate_facts,
    is_signed_by,
    uris_of,
    way_to_anchor,
)
from trust_runtime.contracts.identity import ECDSA_SHA256, P256, ChainFault

CA = ca_form("site-b")


def test_a_leaf_is_read_to_the_end() -> None:
    certificate = make(leaf_form("site-b/press-2"), CA)
    facts = certificate_facts(certificate)
    assert (facts.subject, facts.common_name) == ("CN=site-b/press-2", "site-b/press-2")
    assert facts.uris == uris_of(certificate) == ("spiffe://trust/site-b/press-2",)
    assert (facts.key, facts.signature) == (P256, ECDSA_SHA256)
    assert facts.not_before_s < NOW_S < facts.not_after_s
    assert facts.serial == f"{certificate.serial_number:x}"
    assert (facts.is_ca, facts.path_length, facts.may_sign_certificates) == (False, None, False)
    assert facts.may_sign_messages
    assert facts.server_auth
    assert facts.client_auth
    assert facts.unknown_critical == ()


def test_a_ca_is_read_to_the_end() -> None:
    facts = certificate_facts(make(CA))
    assert (facts.is_ca, facts.path_length, facts.may_sign_certificates) == (True, 0, True)
    assert (facts.may_sign_messages, facts.server_auth, facts.client_auth) == (False,) * 3


@pytest.mark.parametrize(
    ("key", "named"), [("RSA-1024", "RSA-1024"), ("P-384", "secp384r1"), ("Ed25519", "Ed25519")]
)
def test_other_keys_are_named(key: str, named: str) -> None:
    assert named in certificate_facts(make(leaf_form("press-2", key=key), CA)).key


def test_what_is_critical_and_not_processed_is_named() -> None:
    bent = leaf_form("press-2", more=((NAME_CONSTRAINTS, True),))
    assert certificate_facts(make(bent, CA)).unknown_critical == ("2.5.29.30",)
    harmless = leaf_form("press-2", more=((NAME_CONSTRAINTS, False),))
    assert certificate_facts(make(harmless, CA)).unknown_critical == ()


def test_the_way_goes_over_what_was_sent_to_what_is_installed() -> None:
    root = ca_form("site-b", path_length=1, key="root", name="root")
    middle = ca_form("site-b", uris=(), key="middle", name="middle")
    leaf, along, anchor = make(leaf_form("press-2"), middle), make(middle, root), make(root)
    assert way_to_anchor(leaf, [along], [anchor]) == ((along, anchor), None)
    assert way_to_anchor(leaf, [], [anchor]) == ((), ChainFault.UNKNOWN_ISSUER)
    # What was sent along never ends a way, even when it signed itself.
    assert way_to_anchor(leaf, [along, anchor], [make(CA)])[1] is ChainFault.UNKNOWN_ISSUER
    assert way_to_anchor(leaf, [along], []) == ((), ChainFault.NO_BUNDLE)


def test_a_name_alone_is_no_signature() -> None:
    forged = ca_form("site-b", key="forged")
    leaf = make(leaf_form("press-2"), forged)
    assert is_signed_by(leaf, make(forged))
    assert not is_signed_by(leaf, make(CA))
    assert way_to_anchor(leaf, [], [make(CA)]) == ((), ChainFault.BAD_SIGNATURE)


def test_a_certificate_without_names_has_none() -> None:
    plain: x509.Certificate = make(leaf_form("press-2", uris=(), name=None), CA)
    assert uris_of(plain) == ()
    assert certificate_facts(plain).common_name is None
