"""From a CA into a project: contract 2.5."""

from pathlib import Path

import pytest

from pki_samples import NOW_S, ca_form, leaf_form, make, pem
from trust_runtime.adapters.pki.certificates import DAY_S
from trust_runtime.adapters.pki.crls import own_list
from trust_runtime.adapters.pki.issuing import (
    Asked,
    Owner,
    init_ca,
    install,
    issue,
    renew,
    request,
    revoke_issued,
    sign_request,
)
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.public_files import read_certificates
from trust_runtime.adapters.pki.site_ca import open_ca
from trust_runtime.adapters.pki.trust_store import chain_facts, read_trust
from trust_runtime.contracts.errors import ContractViolation, StartRefused
from trust_runtime.contracts.identity import IdentityFacts
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.core.trust import judge_own

SITE = SiteName("site-a")
PRESS = RuntimeId("site-a/press-1")
ASKED = Asked(hosts=("localhost", "plc7"), days=397, now_s=NOW_S)


class Scene:
    """A CA and a project of its site."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca"
        init_ca(self.ca, "site-a", days=3_650, now_s=NOW_S)
        self.owner = Owner(runtime_id=PRESS, layout=IdentityLayout(folder=folder / "press-1"))
        (folder / "press-1").mkdir()
        self.layout = self.owner.layout

    def unfit(self) -> str | None:
        """Judge what is installed as the process will."""
        chain = read_certificates(self.layout.certificate)
        trust = read_trust(self.layout, SITE).sites[SITE]
        own = IdentityFacts(own=PRESS, chain=chain_facts(chain, PRESS, trust))
        found = judge_own(own, now_s=NOW_S)
        return None if found is None else found.detail


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_is_issued_is_fit_and_told(scene: Scene) -> None:
    made = issue(scene.owner, scene.ca, ASKED)
    assert scene.unfit() is None
    assert made.what == "spiffe://trust/site-a/press-1"
    assert made.hosts == ASKED.hosts
    assert made.not_after_s == NOW_S + 397 * DAY_S
    assert made.written[0] == scene.layout.key
    assert made.kept == ()
    (record,) = open_ca(scene.ca, now_s=NOW_S).issued()
    assert record.fingerprint == made.fingerprint


def test_the_key_stays_unless_a_new_one_is_asked_for(scene: Scene) -> None:
    with pytest.raises(StartRefused, match="has no identity to renew"):
        renew(scene.owner, scene.ca, ASKED, new_key=False)
    issue(scene.owner, scene.ca, ASKED)
    key = scene.layout.key.read_bytes()
    issue(scene.owner, scene.ca, ASKED)
    more = Asked(hosts=("10.0.0.7",), days=10, now_s=NOW_S)
    made = renew(scene.owner, scene.ca, more, new_key=False)
    assert scene.layout.key.read_bytes() == key
    assert made.hosts == ("localhost", "plc7", "10.0.0.7")
    renew(scene.owner, scene.ca, ASKED, new_key=True)
    assert scene.layout.key.read_bytes() != key
    assert scene.unfit() is None


def test_a_bad_host_leaves_everything_as_it_was(scene: Scene) -> None:
    bad = Asked(hosts=("*",), days=1, now_s=NOW_S)
    with pytest.raises(ContractViolation):
        issue(scene.owner, scene.ca, bad)
    with pytest.raises(ContractViolation):
        request(scene.owner, scene.ca.parent / "r.csr", bad)
    assert list(scene.layout.folder.iterdir()) == []
    assert open_ca(scene.ca, now_s=NOW_S).issued() == ()


def test_a_key_never_leaves_its_machine(scene: Scene, tmp_path: Path) -> None:
    csr, crt = tmp_path / "r.csr", tmp_path / "r.crt"
    request(scene.owner, csr, ASKED)
    key = scene.layout.key.read_bytes()
    assert not scene.layout.certificate.exists()
    signed = sign_request(scene.ca, csr, Asked(hosts=("gw",), days=9, now_s=NOW_S), out=crt)
    assert signed.hosts == (*ASKED.hosts, "gw")
    made = install(scene.owner, crt, scene.ca / "ca.crt", now_s=NOW_S)
    assert made.fingerprint == signed.fingerprint
    assert scene.layout.key.read_bytes() == key
    assert scene.unfit() is None
    assert b"PRIVATE" not in csr.read_bytes() + crt.read_bytes()


def test_a_request_of_another_site_is_not_signed(scene: Scene, tmp_path: Path) -> None:
    other = Owner(runtime_id=RuntimeId("site-b/x"), layout=scene.layout)
    request(other, tmp_path / "r.csr", ASKED)
    with pytest.raises(StartRefused, match="is the CA of site-a"):
        sign_request(scene.ca, tmp_path / "r.csr", ASKED, out=tmp_path / "r.crt")
    assert not (tmp_path / "r.crt").exists()


def test_what_is_not_this_projects_is_not_installed(scene: Scene, tmp_path: Path) -> None:
    csr, crt, ca = tmp_path / "r.csr", tmp_path / "r.crt", scene.ca / "ca.crt"
    crt.write_bytes(pem(make(leaf_form(PRESS), ca_form("site-a"))))
    with pytest.raises(StartRefused, match="is not of the key in"):
        install(scene.owner, crt, ca, now_s=NOW_S)
    request(scene.owner, csr, ASKED)
    with pytest.raises(StartRefused, match="is not of the key in"):
        install(scene.owner, crt, ca, now_s=NOW_S)
    sign_request(scene.ca, csr, ASKED, out=crt)
    renamed = Owner(runtime_id=RuntimeId("site-a/press-2"), layout=scene.layout)
    with pytest.raises(StartRefused, match="names site-a/press-1, not site-a/press-2"):
        install(renamed, crt, ca, now_s=NOW_S)
    with pytest.raises(StartRefused, match="expired"):
        install(scene.owner, crt, ca, now_s=NOW_S + 400 * DAY_S)
    foreign = tmp_path / "b.pem"
    foreign.write_bytes(pem(make(ca_form("site-b"))))
    with pytest.raises(StartRefused, match="is for spiffe://trust/site-b"):
        install(scene.owner, crt, foreign, now_s=NOW_S)
    foreign.write_bytes(pem(make(ca_form("site-a"))))
    with pytest.raises(StartRefused, match="it was not signed by the CA of site-a"):
        install(scene.owner, crt, foreign, now_s=NOW_S)
    assert not scene.layout.certificate.exists()


def test_all_certificates_of_a_runtime_are_revoked_at_once(scene: Scene) -> None:
    issue(scene.owner, scene.ca, ASKED)
    renew(scene.owner, scene.ca, ASKED, new_key=True)
    found, place = revoke_issued(scene.ca, "press-1", now_s=NOW_S)
    assert len(found) == 2
    assert place == scene.ca / "ca.crl"
    listed = own_list(open_ca(scene.ca, now_s=NOW_S)) or ()
    assert sorted(f"{one.serial_number:x}" for one in listed) == sorted(one.serial for one in found)
