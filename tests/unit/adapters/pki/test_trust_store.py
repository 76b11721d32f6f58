"""Bundles and revocation lists as installed, and the certificate matrix: contract 2.4, S09, S10."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store
from msgspec import structs

from certificate_matrix import CA_A, CA_B, GOOD, PRESS, WRONG, Wrong
from pki_samples import NOW_S, ca_form, key_of, leaf_form, make, pem
from trust_runtime.adapters.pki.bundles import usable_anchors
from trust_runtime.adapters.pki.certificates import Subject, signer_facts
from trust_runtime.adapters.pki.crls import crl_pem, revoke
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.site_ca import SiteCa, create_ca
from trust_runtime.adapters.pki.trust_store import (
    SiteTrust,
    TrustSnapshot,
    chain_facts,
    read_chain,
    read_trust,
    site_trust,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.trust import judge_chain

SITE_A, SITE_B = SiteName("site-a"), SiteName("site-b")
RUNTIME = RuntimeId(PRESS)


def judged(chain: tuple[x509.Certificate, ...], trust: SiteTrust) -> TrustReason | None:
    found = judge_chain(chain_facts(chain, RUNTIME, trust), now_s=NOW_S)
    return None if found is None else found.reason


def reason_of(case: Wrong) -> TrustReason | str | None:
    """Go the way of a signature: read the leaf, then its chain against the installed bundle."""
    chain = case.chain()
    try:
        assert signer_facts(chain[0]).runtime_id == RUNTIME
    except ContractViolation:
        return "unread"
    anchors, _ = usable_anchors(case.bundle(), site=SITE_B)
    return judged(chain, SiteTrust(anchors=anchors))


@pytest.mark.parametrize("name", GOOD)
def test_a_right_certificate_is_accepted(name: str) -> None:
    assert reason_of(GOOD[name]) is None


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_certificate_is_refused(name: str) -> None:
    assert reason_of(WRONG[name]) == (WRONG[name].reason or "unread")


def test_the_matrix_is_as_large_as_it_claims() -> None:
    assert len(WRONG) >= 55


@pytest.mark.parametrize("name", [*GOOD, *WRONG])
def test_nothing_is_accepted_that_an_independent_verifier_refuses(name: str) -> None:
    case = (GOOD | WRONG)[name]
    if reason_of(case) is not None:
        return
    leaf, *along = case.chain()
    verifier = (
        PolicyBuilder()
        .store(Store(list(case.bundle())))
        .time(datetime.fromtimestamp(NOW_S, UTC) - timedelta(seconds=1))
        .build_client_verifier()
    )
    assert verifier.verify(leaf, along).subjects is not None


class Installed:
    """A project of site-a with the bundle of site-b, whose CA is real."""

    def __init__(self, folder: Path) -> None:
        self.layout = IdentityLayout(folder=folder)
        self.layout.federation.mkdir(parents=True)
        self.layout.home.mkdir()
        self.layout.own_bundle.write_bytes(pem(make(CA_A)))
        self.ca: SiteCa = create_ca(folder / "ca", SITE_B, days=10, now_s=NOW_S)
        self.bundle = self.layout.federated_bundle(SITE_B)
        self.bundle.write_bytes(pem(self.ca.certificate))
        self.crl = self.layout.federated_crl(SITE_B)
        form = leaf_form(PRESS)
        self.leaf = self.issue(form.key)

    def issue(self, key: str) -> x509.Certificate:
        subject = Subject(runtime_id=RUNTIME, key=key_of(key).public_key())
        return self.ca.issue(subject, days=5, now_s=NOW_S)

    def read(self, before: TrustSnapshot | None = None) -> TrustSnapshot:
        return read_trust(self.layout, SITE_A, before=before)

    def judge(self, snapshot: TrustSnapshot) -> TrustReason | None:
        return judged((self.leaf,), site_trust(snapshot, RUNTIME))

    def revoke(self, *certificates: x509.Certificate) -> None:
        serials = [f"{one.serial_number:x}" for one in certificates]
        self.crl.write_bytes(crl_pem([revoke(self.ca, serials, now_s=NOW_S)]))


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_what_is_installed_is_read_per_site(installed: Installed) -> None:
    found = installed.read()
    assert sorted(found.sites) == [SITE_A, SITE_B]
    assert found.notes == ()
    assert installed.judge(found) is None
    assert found.roots_pem() == b"".join(
        pem(*found.sites[site].anchors) for site in (SITE_A, SITE_B)
    )


def test_a_bundle_that_is_removed_is_trusted_no_longer(installed: Installed) -> None:
    before = installed.read()
    installed.bundle.unlink()
    assert installed.judge(installed.read(before)) is TrustReason.CHAIN_INVALID


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no PEM certificate"),
        (b"\xff" * 100, "holds no PEM certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
        (pem(make(CA_A)), "is for spiffe://trust/site-a, not for spiffe://trust/site-b"),
        (pem(make(leaf_form(PRESS))), "is no CA"),
        (b"x" * 70_000, "longer than"),
    ],
)
def test_a_bundle_that_is_none_vouches_for_nobody(
    installed: Installed, content: bytes, told: str
) -> None:
    before = installed.read()
    installed.bundle.write_bytes(content)
    found = installed.read(before)
    assert installed.judge(found) is TrustReason.CHAIN_INVALID
    (note,) = found.notes
    assert told in note
    assert str(installed.bundle) in note


def test_one_wrong_certificate_in_a_bundle_leaves_the_others(installed: Installed) -> None:
    installed.bundle.write_bytes(pem(make(CA_A), installed.ca.certificate))
    found = installed.read()
    assert installed.judge(found) is None
    assert len(found.notes) == 1


def test_the_own_site_has_no_bundle_among_the_others(installed: Installed) -> None:
    extra = installed.layout.federated_bundle(SITE_A)
    extra.write_bytes(pem(make(ca_form("site-a", key="second"))))
    found = installed.read()
    assert len(found.sites[SITE_A].anchors) == 1
    assert found.notes == (f"{extra} is not used: site-a is no other site",)


def test_the_revoked_are_refused_and_the_others_are_not(installed: Installed) -> None:
    installed.revoke(installed.issue("another"))
    assert installed.judge(installed.read()) is None
    installed.revoke(installed.leaf)
    assert installed.judge(installed.read()) is TrustReason.REVOKED


def test_a_list_of_another_ca_is_not_used(installed: Installed, tmp_path: Path) -> None:
    other = create_ca(tmp_path / "other", SITE_B, days=10, now_s=NOW_S)
    serial = f"{installed.leaf.serial_number:x}"
    installed.crl.write_bytes(crl_pem([revoke(other, [serial], now_s=NOW_S)]))
    found = installed.read()
    assert installed.judge(found) is None
    assert found.notes == (f"{installed.crl} is not used: no CA in the bundle of site-b signed it",)


def _flipped(content: bytes) -> bytes:
    der = bytearray(x509.load_pem_x509_crl(content).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_crl(bytes(der)).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("damage", [lambda _: b"", lambda text: text[: len(text) // 2], _flipped])
def test_a_damaged_list_lets_nobody_in_who_was_kept_out(
    installed: Installed, damage: Callable[[bytes], bytes]
) -> None:
    installed.revoke(installed.issue("another"))
    before = installed.read()
    installed.crl.write_bytes(damage(installed.crl.read_bytes()))
    # A process that knew the list keeps it; one that starts now cannot know whom it named.
    assert installed.judge(installed.read(before)) is None
    assert installed.read(before).notes
    assert installed.judge(installed.read()) is TrustReason.CHAIN_INVALID


def test_what_is_sent_along_with_a_signature_may_be_anything() -> None:
    trust = SiteTrust(anchors=(make(CA_B),))
    leaf = make(leaf_form(PRESS), CA_B)
    sent = leaf.public_bytes(serialization.Encoding.DER)
    signer = signer_facts(leaf)
    good = read_chain(structs.replace(signer, chain=(sent,)), trust)
    assert judge_chain(good, now_s=NOW_S) is None
    bad = read_chain(structs.replace(signer, chain=(sent, b"anything")), trust)
    found = judge_chain(bad, now_s=NOW_S)
    assert found is not None
    assert found.reason is TrustReason.CHAIN_INVALID


def test_more_certificates_than_a_chain_may_have_are_refused() -> None:
    chain = (make(leaf_form(PRESS), CA_B), *(make(CA_A) for _ in range(4)))
    assert judged(chain, SiteTrust(anchors=(make(CA_B),))) is TrustReason.CHAIN_INVALID
