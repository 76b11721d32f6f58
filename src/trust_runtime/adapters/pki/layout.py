"""Where a project keeps its identity, and whom it trusts (contract 2.3)."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.settings import TlsSettings

_BUNDLE_SUFFIX: Final = ".pem"
_CRL_SUFFIX: Final = ".crl"


class IdentityLayout(Struct, frozen=True, kw_only=True):
    """The files of one project; none of them need exist."""

    folder: Path
    """The project."""
    tls: TlsSettings = TlsSettings()
    """Paths of `runtime.tls`, relative ones from the project."""

    @property
    def home(self) -> Path:
        """The folder of the identity, 0700."""
        return self.folder / ".trust" / "identity"

    @property
    def key(self) -> Path:
        """The identity key, 0600."""
        return self.home / "runtime.key"

    @property
    def certificate(self) -> Path:
        """The identity certificate, then intermediates, 0600."""
        return self.home / "runtime.crt"

    @property
    def web_key(self) -> Path:
        """What HTTPS serves with: `runtime.tls.key_path`, else the identity key."""
        return self.key if self.tls.key_path is None else self.folder / self.tls.key_path

    @property
    def web_certificate(self) -> Path:
        """What HTTPS serves: `runtime.tls.cert_path`, else the identity certificate."""
        return self.certificate if self.tls.cert_path is None else self.folder / self.tls.cert_path

    @property
    def issued_bundle(self) -> Path:
        """The own site's bundle as `pki issue` writes it."""
        return self.home / "ca.pem"

    @property
    def own_bundle(self) -> Path:
        """The own site's bundle that counts: `runtime.tls.ca_path`, else `issued_bundle`."""
        return self.issued_bundle if self.tls.ca_path is None else self.folder / self.tls.ca_path

    @property
    def own_crl(self) -> Path:
        """The own site's revocation list."""
        return self.home / f"ca{_CRL_SUFFIX}"

    @property
    def federation(self) -> Path:
        """The folder of other sites' bundles and revocation lists."""
        return self.folder / ".trust" / "federation"

    def federated_bundle(self, site: SiteName) -> Path:
        """Return where another site's bundle is, 0644."""
        return self.federation / f"{site}{_BUNDLE_SUFFIX}"

    def federated_crl(self, site: SiteName) -> Path:
        """Return where another site's revocation list is, 0644."""
        return self.federation / f"{site}{_CRL_SUFFIX}"
