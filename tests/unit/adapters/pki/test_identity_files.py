"""A running process follows the files: contract 2.3, 2.4, within one look."""

import asyncio
from pathlib import Path

import pytest

from pki_samples import NOW_S, ca_form, key_pem, leaf_form, make, pem
from trust_runtime.adapters.pki.crls import crl_pem, revoke
from trust_runtime.adapters.pki.identity_files import ProjectIdentityFiles
from trust_runtime.adapters.pki.identity_state import read_state
from trust_runtime.adapters.pki.installing import install_shared, remove_shared
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.private_files import write_private
from trust_runtime.adapters.pki.signer import JwsSigner
from trust_runtime.adapters.pki.site_ca import create_ca
from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.identity import IdentityChange
from trust_runtime.contracts.ids import RuntimeId, SiteName, spiffe_id
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.trust import judge_chain

PRESS = RuntimeId("site-a/press-1")
SITE_A, SITE_B = SiteName("site-a"), SiteName("site-b")
CA_A, CA_B = ca_form("site-a"), ca_form("site-b")


class Scene:
    """A running process of site-a, and a message of a runtime of site-b."""

    def __init__(self, folder: Path) -> None:
        self.layout = IdentityLayout(folder=folder)
        self.layout.home.mkdir(parents=True)
        write_private(self.layout.key, key_pem("leaf"))
        self.renew()
        write_private(self.layout.own_bundle, pem(make(CA_A)))
        state = read_state(self.layout, PRESS)
        self.signer = JwsSigner(state)
        self.files = ProjectIdentityFiles(self.layout, state, self.signer)
        self.bundle = self.layout.federated_bundle(SITE_B)
        self.crl = self.layout.federated_crl(SITE_B)
        self.other = folder / "other"
        (self.other / ".trust" / "identity").mkdir(parents=True)
        there = IdentityLayout(folder=self.other)
        write_private(there.key, key_pem("there"))
        self.theirs = make(leaf_form("site-b/press-2", key="there"), CA_B)
        write_private(there.certificate, pem(self.theirs))
        them = RuntimeId("site-b/press-2")
        peer = JwsSigner(read_state(there, them))
        self.token = peer.sign(TokenType.BEACON, {"iss": spiffe_id(them)})

    def renew(self, key: str = "leaf") -> None:
        """Put another certificate where the own one is."""
        write_private(self.layout.certificate, pem(make(leaf_form(PRESS, key=key), CA_A)))

    def look(self) -> IdentityChange | None:
        return asyncio.run(self.files.look())

    def trust(self) -> TrustReason | None:
        """Judge the one message, which was read before."""
        facts, _ = self.signer.verify(TokenType.BEACON, self.token)
        found = judge_chain(self.signer.chain_of(facts), now_s=NOW_S)
        return None if found is None else found.reason


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_without_a_change_there_is_none(scene: Scene) -> None:
    assert [scene.look() for _ in range(3)] == [None] * 3


def test_a_renewed_certificate_signs_at_once(scene: Scene) -> None:
    scene.look()
    before = scene.signer.own_fingerprint
    scene.renew()
    assert scene.look() == IdentityChange(own=True)
    assert scene.signer.own_fingerprint != before
    facts, _ = scene.signer.verify(
        TokenType.ACTION, scene.signer.sign(TokenType.ACTION, {"iss": spiffe_id(PRESS)})
    )
    assert judge_chain(scene.signer.chain_of(facts), now_s=NOW_S) is None
    assert scene.look() is None


def test_what_changed_before_the_first_look_is_found_by_it(scene: Scene) -> None:
    scene.renew()
    assert scene.look() == IdentityChange(own=True)


def test_a_new_key_is_taken_up_when_both_files_are_there(scene: Scene) -> None:
    scene.look()
    pin = scene.signer.own_pin
    write_private(scene.layout.key, key_pem("new"))
    change = scene.look()
    assert change == IdentityChange()  # Told, not taken.
    assert scene.signer.own_pin == pin
    assert scene.signer.own_identity.notes
    scene.renew("new")
    assert scene.look() == IdentityChange(own=True)
    assert scene.signer.own_pin != pin
    assert scene.signer.own_identity.notes == ()


def test_a_bundle_that_comes_and_goes_is_followed_at_once(scene: Scene) -> None:
    scene.look()
    assert scene.trust() is TrustReason.CHAIN_INVALID
    install_shared(scene.bundle, pem(make(CA_B)))
    assert scene.look() == IdentityChange(trust=(SITE_B,))
    assert scene.trust() is None
    scene.bundle.write_bytes(b"nonsense")
    assert scene.look() == IdentityChange(trust=(SITE_B,))
    assert scene.trust() is TrustReason.CHAIN_INVALID
    assert str(scene.bundle) in scene.signer.own_identity.notes[0]
    remove_shared(scene.bundle)
    assert scene.look() is not None
    assert scene.signer.own_identity.notes == ()


def test_the_own_bundle_is_followed_too(scene: Scene) -> None:
    scene.look()
    write_private(scene.layout.own_bundle, pem(make(ca_form("site-a", key="other"))))
    assert scene.look() == IdentityChange(trust=(SITE_A,))


def test_a_revocation_is_followed_at_once(scene: Scene, tmp_path: Path) -> None:
    ca = create_ca(tmp_path / "ca", SITE_B, days=10, now_s=NOW_S)
    install_shared(scene.bundle, pem(ca.certificate, make(CA_B)))
    scene.look()
    assert scene.trust() is None
    install_shared(scene.crl, crl_pem([revoke(ca, ["7"], now_s=NOW_S)]))
    assert scene.look() == IdentityChange(trust=(SITE_B,))
    assert scene.trust() is None
    install_shared(scene.crl, b"damaged")
    assert scene.look() == IdentityChange()
    assert scene.trust() is None


def test_a_process_without_a_pair_signs_what_nobody_takes_until_it_has_one(
    tmp_path: Path,
) -> None:
    layout = IdentityLayout(folder=tmp_path)
    state = read_state(layout, PRESS)
    signer = JwsSigner(state)
    files = ProjectIdentityFiles(layout, state, signer)
    assert (signer.own_fingerprint, signer.own_not_after_s) == ("", 0)
    assert "is missing" in (signer.own_identity.problem or "")
    token = signer.sign(TokenType.BEACON, {"iss": spiffe_id(PRESS)})
    with pytest.raises(Exception, match="x5c"):
        signer.verify(TokenType.BEACON, token)
    layout.home.mkdir(parents=True)
    write_private(layout.key, key_pem("leaf"))
    write_private(layout.certificate, pem(make(leaf_form(PRESS), CA_A)))
    assert asyncio.run(files.look()) == IdentityChange(own=True)
    token = signer.sign(TokenType.BEACON, {"iss": spiffe_id(PRESS)})
    assert signer.verify(TokenType.BEACON, token)[0].runtime_id == PRESS
