"""Where identities and bundles are: contract 2.3."""

from pathlib import Path

from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.settings import TlsSettings

FOLDER = Path("press-1")
HOME = FOLDER / ".trust" / "identity"


def test_without_paths_the_identity_serves_everything() -> None:
    layout = IdentityLayout(folder=FOLDER)
    assert layout.key == layout.web_key == HOME / "runtime.key"
    assert layout.certificate == layout.web_certificate == HOME / "runtime.crt"
    assert layout.own_bundle == layout.issued_bundle == HOME / "ca.pem"
    assert layout.own_crl == HOME / "ca.crl"


def test_given_paths_count_from_the_project_and_never_move_the_identity() -> None:
    tls = TlsSettings(cert_path="./certs/web.crt", key_path="/etc/web.key", ca_path="certs/ca.crt")
    layout = IdentityLayout(folder=FOLDER, tls=tls)
    assert layout.web_certificate == FOLDER / "certs" / "web.crt"
    assert layout.web_key == Path("/etc/web.key")
    assert layout.own_bundle == FOLDER / "certs" / "ca.crt"
    assert (layout.key, layout.issued_bundle) == (HOME / "runtime.key", HOME / "ca.pem")


def test_each_site_has_its_own_files() -> None:
    layout, site = IdentityLayout(folder=FOLDER), SiteName("site-b")
    assert layout.federated_bundle(site) == FOLDER / ".trust" / "federation" / "site-b.pem"
    assert layout.federated_crl(site) == FOLDER / ".trust" / "federation" / "site-b.crl"
