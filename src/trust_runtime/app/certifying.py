"""Gathers what `trust-runtime pki` needs to know of a project and this machine (contract 2.5)."""

import socket
from pathlib import Path
from typing import Final

from trust_runtime.adapters.mdns.interfaces import own_addresses
from trust_runtime.adapters.pki import exchanging, issuing
from trust_runtime.adapters.pki.hosts import ALWAYS, is_host
from trust_runtime.adapters.pki.installing import write_out
from trust_runtime.adapters.pki.issuing import Asked, Owner
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.site_ca import IssuedCertificate
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.app.projects import require_project
from trust_runtime.app.settings import load_runtime_settings
from trust_runtime.contracts.errors import ContractViolation, ExitCode, StartRefused
from trust_runtime.contracts.ids import SiteName, is_id_part
from trust_runtime.contracts.units import NS_PER_S

Made = issuing.Made
"""What a command made."""

_ANYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - these are left out


def init_ca(site: str, folder: Path | None, *, days: int) -> Made:
    """Make the CA of a site, by default in `./pki/SITE`.

    Raises:
        StartRefused: there is one already, or it cannot be written.
        ContractViolation: `site` is no site name.
    """
    if not is_id_part(site):
        raise ContractViolation("--site", site, "letters, digits, '.', '_', '-'")
    return issuing.init_ca(folder or Path("pki") / site, site, days=days, now_s=_now_s())


def sign_request(ca: Path, csr: Path, out: Path, /, *, hosts: tuple[str, ...], days: int) -> Made:
    """Issue the certificate that a request asks for.

    Raises:
        StartRefused: the request or the CA is unfit, or a file cannot be written.
        ContractViolation: a host is none.
    """
    asked = Asked(hosts=hosts, days=days, now_s=_now_s())
    return issuing.sign_request(ca, csr, asked, out=out)


def revoke(ca: Path, named: str) -> tuple[tuple[IssuedCertificate, ...], Path]:
    """Revoke what a serial, a fingerprint or a runtime id means; return that, and the list.

    Raises:
        StartRefused: the CA is unusable, or issued no such certificate.
    """
    return issuing.revoke_issued(ca, named, now_s=_now_s())


def export_of_ca(ca: Path, *, crl: bool) -> bytes:
    """Return the bundle of a CA, or its revocation list, as PEM.

    Raises:
        StartRefused: the CA is unusable.
    """
    export = exchanging.export_crl_of_ca if crl else exchanging.export_bundle_of_ca
    return export(ca, now_s=_now_s())


def write_file(path: Path, content: bytes) -> None:
    """Write a file that is to be handed over.

    Raises:
        StartRefused: it cannot be written.
    """
    write_out(path, content)


class ProjectIdentity:
    """The identity of one project, and whom it trusts, on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = require_project(folder)
        self._settings = load_runtime_settings(self.folder)
        self._layout = IdentityLayout(folder=self.folder, tls=self._settings.tls)
        self._owner = Owner(runtime_id=self._settings.runtime_id, layout=self._layout)

    @property
    def site(self) -> SiteName:
        """The project's own site."""
        return self._settings.site

    def issue(self, ca: Path, *, hosts: tuple[str, ...], days: int) -> Made:
        """Issue and install a certificate; see `issuing.issue`."""
        return issuing.issue(self._owner, ca, self._asked(hosts, days))

    def renew(self, ca: Path, *, hosts: tuple[str, ...], days: int, new_key: bool) -> Made:
        """Issue and install a new certificate; see `issuing.renew`."""
        return issuing.renew(self._owner, ca, self._asked(hosts, days), new_key=new_key)

    def request(self, out: Path, *, hosts: tuple[str, ...]) -> Made:
        """Write a signing request; see `issuing.request`."""
        return issuing.request(self._owner, out, self._asked(hosts, days=0))

    def install(self, certificate: Path, ca_certificate: Path) -> Made:
        """Install what a CA made elsewhere; see `issuing.install`."""
        return issuing.install(self._owner, certificate, ca_certificate, now_s=_now_s())

    def export(self, *, crl: bool) -> bytes:
        """Return the own site's bundle, or its revocation list, as PEM.

        Raises:
            StartRefused: none that is usable is installed.
        """
        if crl:
            return exchanging.export_crl_of_project(self._layout)
        return exchanging.export_bundle_of_project(self._layout, self.site, now_s=_now_s())

    def import_bundle(self, site: str, file: Path | None) -> Path:
        """Install the bundle of another site, or remove it (None); return the file.

        Raises:
            StartRefused: it is the own site, or what `exchanging` refuses.
            ContractViolation: `site` is no site name.
        """
        other = self._site(site)
        if other == self.site:
            raise StartRefused(
                f"{other} is the own site of {self.folder}",
                "its bundle comes with the certificate: trust-runtime pki issue",
                ExitCode.ERROR,
            )
        if file is None:
            return exchanging.remove_bundle(self._layout, other)
        return exchanging.import_bundle(self._layout, other, file, now_s=_now_s())

    def import_crl(self, site: str | None, file: Path | None) -> tuple[Path, int]:
        """Install a revocation list, or remove it (None); return the file, and its serials.

        Raises:
            StartRefused: what `exchanging` refuses.
            ContractViolation: `site` is no site name.
        """
        whose = self.site if site is None else self._site(site)
        if file is None:
            return exchanging.remove_crl(self._layout, self.site, site=whose), 0
        return exchanging.import_crl(self._layout, self.site, file, site=whose)

    @staticmethod
    def _site(text: str) -> SiteName:
        if not is_id_part(text):
            raise ContractViolation("--site", text, "letters, digits, '.', '_', '-'")
        return SiteName(text)

    def _asked(self, hosts: tuple[str, ...], days: int) -> Asked:
        """Add what this machine is called and reached by, each once."""
        listens = (self._settings.web.listen.ip, self._settings.mesh.listen.ip)
        found = (socket.gethostname(), *own_addresses(), *listens)
        present = (one for one in found if is_host(one) and one not in _ANYWHERE)
        names = tuple(dict.fromkeys((*ALWAYS, *present, *hosts)))
        return Asked(hosts=names, days=days, now_s=_now_s())


def _now_s() -> int:
    return SystemClock().wall_ns() // NS_PER_S
