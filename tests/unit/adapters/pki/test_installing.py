"""Identity pairs and bundles in their places: contract 2.3."""

import os
import stat
from pathlib import Path

import pytest

from pki_samples import ca_form, key_of, leaf_form, make, pem
from trust_runtime.adapters.pki.installing import (
    Pair,
    install_pair,
    install_shared,
    keep_key,
    make_key,
    own_key,
    remove_shared,
    same_key,
    write_out,
)
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.settings import TlsSettings

CA = ca_form("site-a")
TLS = TlsSettings(cert_path="certs/web.crt", key_path="certs/web.key", ca_path="certs/ca.crt")


def pair(key: str = "leaf") -> Pair:
    leaf = make(leaf_form("site-a/press-1", key=key), CA)
    return Pair(key=key_of(key), chain=(leaf,), bundle=(make(CA),))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_files_are_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    layout, wanted = IdentityLayout(folder=tmp_path, tls=TLS), pair()
    before = os.umask(0)
    try:
        written = install_pair(layout, wanted)
    finally:
        os.umask(before)
    assert written[:3] == (layout.key, layout.certificate, layout.issued_bundle)
    assert set(written[3:]) == {layout.web_key, layout.web_certificate, layout.own_bundle}
    assert {mode_of(path) for path in written} == {0o600}
    assert mode_of(layout.home) == 0o700
    assert layout.certificate.read_bytes() == pem(*wanted.chain)
    assert layout.web_key.read_bytes() == layout.key.read_bytes()
    assert own_key(layout) is not None


def test_without_paths_nothing_is_copied(tmp_path: Path) -> None:
    layout = IdentityLayout(folder=tmp_path)
    assert install_pair(layout, pair()) == (layout.key, layout.certificate, layout.issued_bundle)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".trust"]


def test_a_web_pair_of_somebody_else_can_be_spared(tmp_path: Path) -> None:
    layout = IdentityLayout(folder=tmp_path, tls=TLS)
    install_pair(layout, pair())
    company = pem(make(leaf_form("site-a/press-1", key="company"), CA))
    layout.web_certificate.write_bytes(company)
    written = install_pair(layout, pair(), spare_foreign_web=True)
    assert layout.web_certificate not in written
    assert layout.web_key not in written
    assert layout.own_bundle in written
    assert layout.web_certificate.read_bytes() == company
    assert layout.web_certificate in install_pair(layout, pair())


def test_a_new_key_is_spared_no_web_pair_of_the_old_one(tmp_path: Path) -> None:
    layout = IdentityLayout(folder=tmp_path, tls=TLS)
    install_pair(layout, pair())
    install_pair(layout, pair("new"), spare_foreign_web=True)
    assert layout.web_certificate.read_bytes() == layout.certificate.read_bytes()
    assert layout.web_key.read_bytes() == layout.key.read_bytes()


def test_a_key_can_wait_for_its_certificate(tmp_path: Path) -> None:
    layout, key = IdentityLayout(folder=tmp_path), make_key()
    assert own_key(layout) is None
    keep_key(layout, key)
    kept = own_key(layout)
    assert kept is not None
    assert kept.public_key() == key.public_key()
    assert mode_of(layout.key) == 0o600


def test_what_is_shared_is_put_and_removed(tmp_path: Path) -> None:
    path = tmp_path / ".trust" / "federation" / "site-b.pem"
    assert not remove_shared(path)
    install_shared(path, b"bundle")
    assert (path.read_bytes(), mode_of(path)) == (b"bundle", 0o644)
    assert remove_shared(path)
    assert not path.exists()


def test_the_first_certificate_has_the_key() -> None:
    chain = pair().chain
    assert same_key(chain, key_of("leaf"))
    assert not same_key(chain, key_of("other"))
    assert not same_key((make(leaf_form("press-1", key="P-384")),), key_of("other"))


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".trust").write_text("a file")
    layout = IdentityLayout(folder=tmp_path)
    for act in (
        lambda: install_pair(layout, pair()),
        lambda: install_shared(layout.own_crl, b""),
        lambda: write_out(tmp_path / "missing" / "a.pem", b""),
        lambda: write_out(tmp_path, b""),
    ):
        with pytest.raises(StartRefused, match=r"cannot be (made|written)"):
            act()
