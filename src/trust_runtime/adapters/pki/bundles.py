"""Trust bundles: the CA certificates of one site (contract 2.3, 2.5)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography import x509

from trust_runtime.adapters.pki.facts import certificate_facts
from trust_runtime.adapters.pki.public_files import read_certificates, refused
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.identity import P256, CertificateFacts, site_spiffe_id
from trust_runtime.contracts.ids import SiteName


def read_bundle(path: Path, *, site: SiteName, now_s: int) -> tuple[x509.Certificate, ...]:
    """Return the CA certificates in `path`, all of them of `site`.

    Args:
        path: a PEM file.
        site: whom they shall vouch for.
        now_s: seconds since the epoch; at least one must be valid then.

    Raises:
        StartRefused: exit code 1; naming the file and the certificate that does not belong there.
    """
    certificates = read_certificates(path)
    for certificate in certificates:
        flaw = anchor_flaw(certificate, site=site)
        if flaw is not None:
            raise refused(
                f"{path}: {flaw}", f"get the bundle of {site} with pki export-bundle at that site"
            )
    if not any(_is_valid(one, now_s) for one in certificates):
        raise refused(
            f"{path}: no certificate in it is valid now",
            f"get the present bundle of {site}, and check this machine's clock",
        )
    return certificates


def anchor_flaw(certificate: x509.Certificate, *, site: SiteName) -> str | None:
    """Return why a certificate cannot stand in the bundle of `site`, or None; dates aside."""
    try:
        facts = certificate_facts(certificate)
    except ContractViolation as error:
        return str(error)
    return next(_flaws(facts, site), None)


def usable_anchors(
    certificates: Iterable[x509.Certificate], *, site: SiteName
) -> tuple[tuple[x509.Certificate, ...], tuple[str, ...]]:
    """Return those that can stand in the bundle of `site`, and why the others cannot."""
    good: list[x509.Certificate] = []
    flaws: list[str] = []
    for one in certificates:
        flaw = anchor_flaw(one, site=site)
        if flaw is None:
            good.append(one)
        else:
            flaws.append(flaw)
    return tuple(good), tuple(flaws)


def _flaws(facts: CertificateFacts, site: SiteName) -> Iterator[str]:
    if not (facts.is_ca and facts.may_sign_certificates):
        yield f"{facts.subject} is no CA"
    wanted = site_spiffe_id(site)
    if facts.uris != (wanted,):
        found = ", ".join(facts.uris) or "nothing"
        yield f"{facts.subject} is for {found}, not for {wanted}"
    if facts.key != P256:
        yield f"{facts.subject} has a key that is {facts.key}, not {P256}"


def _is_valid(certificate: x509.Certificate, now_s: int) -> bool:
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return starts.timestamp() <= now_s <= ends.timestamp()
