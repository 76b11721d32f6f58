"""From a site's CA into a project: issue, renew, request, install, revoke (contract 2.5)."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from trust_runtime.adapters.pki.bundles import read_bundle
from trust_runtime.adapters.pki.certificates import Subject, runtime_named_in
from trust_runtime.adapters.pki.crls import find_issued, revoke
from trust_runtime.adapters.pki.facts import certificate_facts
from trust_runtime.adapters.pki.hosts import host_names, hosts_of
from trust_runtime.adapters.pki.installing import (
    Pair,
    install_pair,
    keep_key,
    make_key,
    own_key,
    same_key,
    write_out,
)
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.public_files import pem_of, read_certificates, refused
from trust_runtime.adapters.pki.requests import make_request, read_request
from trust_runtime.adapters.pki.site_ca import (
    CERTIFICATE_NAME,
    CRL_NAME,
    ISSUED_NAME,
    KEY_NAME,
    IssuedCertificate,
    SiteCa,
    create_ca,
    open_ca,
)
from trust_runtime.adapters.pki.trust_store import SiteTrust, chain_facts
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.identity import Distrust, IdentityFacts, site_spiffe_id
from trust_runtime.contracts.ids import RuntimeId, SiteName, site_of, spiffe_id
from trust_runtime.core.trust import judge_own


class Made(Struct, frozen=True, kw_only=True):
    """What a command made."""

    what: str
    """SPIFFE id of the runtime or site."""
    written: tuple[Path, ...]
    """Files, in the order in which they matter."""
    not_after_s: int | None = None
    """End of validity, seconds since the epoch."""
    fingerprint: str | None = None
    """Lower-case hex SHA-256 of the DER certificate."""
    hosts: tuple[str, ...] = ()
    """Names and addresses in it."""
    kept: tuple[Path, ...] = ()
    """Files that usually are written and were left as they were."""


class Owner(Struct, frozen=True, kw_only=True):
    """Whose identity it is."""

    runtime_id: RuntimeId
    """Canonical id of `runtime.toml`."""
    layout: IdentityLayout
    """Where it is kept."""


class Asked(Struct, frozen=True, kw_only=True):
    """How a certificate shall be."""

    hosts: tuple[str, ...]
    """Names and addresses."""
    days: int
    """How long it is valid."""
    now_s: int
    """Seconds since the epoch."""


def init_ca(folder: Path, site: str, *, days: int, now_s: int) -> Made:
    """Make the CA of a site in `folder`.

    Raises:
        StartRefused: there is one already, or it cannot be written.
        ContractViolation: `site` is no site name.
    """
    ca = create_ca(folder, SiteName(site), days=days, now_s=now_s)
    written = tuple(folder / name for name in (CERTIFICATE_NAME, KEY_NAME, ISSUED_NAME))
    return Made(what=site_spiffe_id(ca.site), written=written, not_after_s=ca.ends_s)


def issue(owner: Owner, ca_folder: Path, asked: Asked) -> Made:
    """Issue the certificate of a project and install it; its key is made when it has none.

    Raises:
        StartRefused: the CA is of another site or unusable, or a file cannot be written.
        ContractViolation: a host is none.
    """
    ca = open_ca(ca_folder, now_s=asked.now_s)
    key = own_key(owner.layout) or make_key()
    chain = (_issued(ca, owner.runtime_id, asked, key=key.public_key()),)
    pair = Pair(key=key, chain=chain, bundle=(ca.certificate,))
    return _made(owner, pair, written=install_pair(owner.layout, pair))


def renew(owner: Owner, ca_folder: Path, asked: Asked, *, new_key: bool) -> Made:
    """Issue a new certificate for an identity that exists.

    Names and addresses of the present certificate stay in it. A web pair that is not of the
    identity stays as it is.

    Raises:
        StartRefused: as `issue`; there is no identity yet.
        ContractViolation: a host is none.
    """
    ca, layout = open_ca(ca_folder, now_s=asked.now_s), owner.layout
    key = own_key(layout)
    if key is None or not layout.certificate.exists():
        raise refused(
            f"{layout.folder} has no identity to renew",
            f"trust-runtime pki issue --ca {ca_folder} --project {layout.folder}",
        )
    present = hosts_of(read_certificates(layout.certificate)[0])
    asked = Asked(hosts=(*present, *asked.hosts), days=asked.days, now_s=asked.now_s)
    key = make_key() if new_key else key
    chain = (_issued(ca, owner.runtime_id, asked, key=key.public_key()),)
    pair = Pair(key=key, chain=chain, bundle=(ca.certificate,))
    return _made(owner, pair, written=install_pair(layout, pair, spare_foreign_web=True))


def request(owner: Owner, out: Path, asked: Asked) -> Made:
    """Write a signing request for the key of a project, which is made when there is none.

    Raises:
        StartRefused: a file cannot be written.
        ContractViolation: a host is none.
    """
    host_names(asked.hosts)
    key = own_key(owner.layout)
    if key is None:
        key = make_key()
        keep_key(owner.layout, key)
    write_out(out, make_request(key, owner.runtime_id, asked.hosts))
    return Made(what=spiffe_id(owner.runtime_id), written=(out,), hosts=asked.hosts)


def sign_request(ca_folder: Path, csr: Path, asked: Asked, /, *, out: Path) -> Made:
    """Issue the certificate that a request asks for; the key stays where it is.

    Raises:
        StartRefused: the request or the CA is unfit, or a file cannot be written.
        ContractViolation: a host is none.
    """
    ca, wanted = open_ca(ca_folder, now_s=asked.now_s), read_request(csr)
    asked = Asked(hosts=(*wanted.hosts, *asked.hosts), days=asked.days, now_s=asked.now_s)
    certificate = _issued(ca, wanted.runtime_id, asked, key=wanted.key)
    write_out(out, pem_of([certificate]))
    return _told(wanted.runtime_id, certificate, written=(out,))


def install(owner: Owner, certificate: Path, ca_certificate: Path, /, *, now_s: int) -> Made:
    """Install a certificate that a CA made elsewhere, and that CA's bundle.

    Raises:
        StartRefused: it is not of this project's key, id and site, or a file cannot be written.
    """
    layout = owner.layout
    key = own_key(layout)
    bundle = read_bundle(ca_certificate, site=site_of(owner.runtime_id), now_s=now_s)
    chain = read_certificates(certificate)
    if key is None or not same_key(chain, key):
        raise refused(
            f"{certificate} is not of the key in {layout.key}",
            f"trust-runtime pki issue --project {layout.folder} --csr-out FILE, and sign that",
        )
    flaw = _flaw(owner, chain, bundle, now_s=now_s)
    if flaw is not None:
        raise refused(f"{certificate}: {flaw}", "let the CA of this site sign the request")
    pair = Pair(key=key, chain=chain, bundle=bundle)
    return _made(owner, pair, written=install_pair(layout, pair))


def revoke_issued(
    ca_folder: Path, named: str, *, now_s: int
) -> tuple[tuple[IssuedCertificate, ...], Path]:
    """Revoke what a serial, a fingerprint or a runtime id means; return that, and the list.

    Raises:
        StartRefused: the CA is unusable, or issued no such certificate.
    """
    ca = open_ca(ca_folder, now_s=now_s)
    found = find_issued(ca, named)
    revoke(ca, (one.serial for one in found), now_s=now_s)
    return found, ca_folder / CRL_NAME


def _flaw(
    owner: Owner,
    chain: tuple[x509.Certificate, ...],
    bundle: tuple[x509.Certificate, ...],
    /,
    *,
    now_s: int,
) -> str | None:
    try:
        facts = chain_facts(chain, runtime_named_in(chain[0]), SiteTrust(anchors=bundle))
    except ContractViolation as error:
        return str(error)
    flaw: Distrust | None = judge_own(IdentityFacts(own=owner.runtime_id, chain=facts), now_s=now_s)
    return None if flaw is None else flaw.detail


def _issued(
    ca: SiteCa, runtime: RuntimeId, asked: Asked, /, *, key: ec.EllipticCurvePublicKey
) -> x509.Certificate:
    subject = Subject(runtime_id=runtime, key=key, hosts=host_names(asked.hosts))
    return ca.issue(subject, days=asked.days, now_s=asked.now_s)


def _made(owner: Owner, pair: Pair, *, written: tuple[Path, ...]) -> Made:
    layout = owner.layout
    return _told(
        owner.runtime_id,
        pair.chain[0],
        written=written,
        kept=tuple(p for p in (layout.web_certificate, layout.web_key) if p not in written),
    )


def _told(
    runtime: RuntimeId,
    certificate: x509.Certificate,
    /,
    *,
    written: tuple[Path, ...],
    kept: tuple[Path, ...] = (),
) -> Made:
    facts = certificate_facts(certificate)
    return Made(
        what=spiffe_id(runtime),
        written=written,
        not_after_s=facts.not_after_s,
        fingerprint=facts.fingerprint,
        hosts=hosts_of(certificate),
        kept=kept,
    )
