"""Bundles and revocation lists between sites: contract 2.5, ruling 45."""

from pathlib import Path

import pytest

from pki_samples import NOW_S, Form, ca_form, key_of, leaf_form, make, pem
from trust_runtime.adapters.pki.certificates import Subject
from trust_runtime.adapters.pki.crls import crl_pem, revoke
from trust_runtime.adapters.pki.exchanging import (
    export_bundle_of_ca,
    export_bundle_of_project,
    export_crl_of_ca,
    export_crl_of_project,
    import_bundle,
    import_crl,
    remove_bundle,
    remove_crl,
    shown_bundles,
)
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.site_ca import SiteCa, create_ca
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import RuntimeId, SiteName

SITE_A, SITE_B = SiteName("site-a"), SiteName("site-b")


@pytest.fixture
def ca_b(tmp_path: Path) -> SiteCa:
    return create_ca(tmp_path / "b", SITE_B, days=10, now_s=NOW_S)


@pytest.fixture
def layout(tmp_path: Path) -> IdentityLayout:
    """Return a project of site-a whose own bundle is there."""
    layout = IdentityLayout(folder=tmp_path / "press-1")
    layout.home.mkdir(parents=True)
    layout.own_bundle.write_bytes(pem(make(ca_form("site-a"))))
    return layout


def handed(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "handed"
    path.write_bytes(content)
    return path


def serial_of_one(ca: SiteCa) -> str:
    subject = Subject(runtime_id=RuntimeId("site-b/x"), key=key_of("leaf").public_key())
    return f"{ca.issue(subject, days=1, now_s=NOW_S).serial_number:x}"


def test_a_bundle_goes_from_site_to_site(
    tmp_path: Path, layout: IdentityLayout, ca_b: SiteCa
) -> None:
    file = handed(tmp_path, export_bundle_of_ca(ca_b.folder, now_s=NOW_S))
    assert import_bundle(layout, SITE_B, file, now_s=NOW_S) == layout.federated_bundle(SITE_B)
    shown, notes = shown_bundles(layout, SITE_A)
    assert [one.site for one in shown] == [SITE_A, SITE_B]
    assert notes == ()
    assert export_bundle_of_project(layout, SITE_A, now_s=NOW_S) == layout.own_bundle.read_bytes()
    remove_bundle(layout, SITE_B)
    assert [one.site for one in shown_bundles(layout, SITE_A)[0]] == [SITE_A]
    with pytest.raises(StartRefused, match="is not there"):
        remove_bundle(layout, SITE_B)


@pytest.mark.parametrize("form", [ca_form("site-a"), leaf_form("site-b/x"), ca_form("site-c")])
def test_a_refused_bundle_leaves_the_installed_one(
    tmp_path: Path, layout: IdentityLayout, ca_b: SiteCa, form: Form
) -> None:
    good = handed(tmp_path, export_bundle_of_ca(ca_b.folder, now_s=NOW_S))
    place = import_bundle(layout, SITE_B, good, now_s=NOW_S)
    before = place.read_bytes()
    with pytest.raises(StartRefused):
        import_bundle(layout, SITE_B, handed(tmp_path, pem(make(form))), now_s=NOW_S)
    assert place.read_bytes() == before


def test_a_revocation_list_goes_the_same_way(
    tmp_path: Path, layout: IdentityLayout, ca_b: SiteCa
) -> None:
    with pytest.raises(StartRefused, match="no usable bundle of site-b is installed"):
        import_crl(layout, SITE_A, handed(tmp_path, b""), site=SITE_B)
    bundle = handed(tmp_path, export_bundle_of_ca(ca_b.folder, now_s=NOW_S))
    import_bundle(layout, SITE_B, bundle, now_s=NOW_S)
    old = export_crl_of_ca(ca_b.folder, now_s=NOW_S)
    revoke(ca_b, [serial_of_one(ca_b)], now_s=NOW_S)
    new = export_crl_of_ca(ca_b.folder, now_s=NOW_S)
    installed = import_crl(layout, SITE_A, handed(tmp_path, new), site=SITE_B)
    assert installed == (layout.federated_crl(SITE_B), 1)
    assert shown_bundles(layout, SITE_A)[0][1].revoked == 1
    with pytest.raises(StartRefused, match="has number 1, and number 2 is installed"):
        import_crl(layout, SITE_A, handed(tmp_path, old), site=SITE_B)
    assert import_crl(layout, SITE_A, handed(tmp_path, new), site=SITE_B) == installed
    assert remove_crl(layout, SITE_A, site=SITE_B) == layout.federated_crl(SITE_B)
    with pytest.raises(StartRefused, match="is not there"):
        remove_crl(layout, SITE_A, site=SITE_B)


def test_a_list_of_one_site_revokes_nobody_of_another(
    tmp_path: Path, layout: IdentityLayout, ca_b: SiteCa
) -> None:
    file = handed(tmp_path, crl_pem([revoke(ca_b, ["7"], now_s=NOW_S)]))
    with pytest.raises(StartRefused, match="not signed by a CA in the installed bundle of site-a"):
        import_crl(layout, SITE_A, file, site=SITE_A)
    assert not layout.own_crl.exists()
    with pytest.raises(StartRefused, match="cannot be read"):
        export_crl_of_project(layout)


def test_a_bundle_goes_with_its_list(tmp_path: Path, layout: IdentityLayout, ca_b: SiteCa) -> None:
    bundle = handed(tmp_path, export_bundle_of_ca(ca_b.folder, now_s=NOW_S))
    import_bundle(layout, SITE_B, bundle, now_s=NOW_S)
    list_ = handed(tmp_path, export_crl_of_ca(ca_b.folder, now_s=NOW_S))
    import_crl(layout, SITE_A, list_, site=SITE_B)
    remove_bundle(layout, SITE_B)
    assert list(layout.federation.iterdir()) == []
