"""Whom this runtime trusts, as installed: a bundle and a revocation list per site (2.3, 2.4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from msgspec import Struct

from trust_runtime.adapters.pki.bundles import usable_anchors
from trust_runtime.adapters.pki.certificates import parse_certificate
from trust_runtime.adapters.pki.crls import (
    claims_to_be_of,
    is_list_of,
    read_revocations,
    revoked_on,
)
from trust_runtime.adapters.pki.facts import certificate_facts, way_to_anchor
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.public_files import pem_of, read_certificates
from trust_runtime.contracts.envelope import SignerFacts
from trust_runtime.contracts.errors import ContractViolation, StartRefused
from trust_runtime.contracts.identity import (
    CHAIN_LENGTH_MAX,
    ChainFacts,
    ChainFault,
)
from trust_runtime.contracts.ids import RuntimeId, SiteName, is_id_part, site_of


class SiteTrust(Struct, frozen=True, kw_only=True):
    """What is installed of one site."""

    anchors: tuple[x509.Certificate, ...] = ()
    """CA certificates that carry exactly this site."""
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    """Revocation lists that one of `anchors` signed."""
    crl_problem: str | None = None
    """Why the installed list cannot be used and nobody of this site can; None: it can."""


class TrustSnapshot(Struct, frozen=True, kw_only=True):
    """Everything that is installed, read at one moment."""

    sites: Mapping[SiteName, SiteTrust] = MappingProxyType({})
    """Own and federated sites."""
    notes: tuple[str, ...] = ()
    """What was found and is not used, each naming its file."""

    def roots_pem(self) -> bytes:
        """Return the CA certificates of all sites as PEM, for TLS of the mesh (5.2)."""
        return pem_of(one for site in sorted(self.sites) for one in self.sites[site].anchors)


def read_trust(
    layout: IdentityLayout, own_site: SiteName, *, before: TrustSnapshot | None = None
) -> TrustSnapshot:
    """Return what is installed; never raises for what is in the files.

    A damaged bundle counts as none. A damaged revocation list leaves in force what `before` knew;
    without that nobody of its site is trusted, because nobody knows who was revoked.

    Args:
        layout: the project.
        own_site: whose bundle stands beside the identity.
        before: what was read last by this process.
    """
    known = TrustSnapshot() if before is None else before
    reader = _Reader(known)
    reader.read(own_site, layout.own_bundle, layout.own_crl)
    for path in sorted(layout.federation.glob("*.pem")):
        site = SiteName(path.stem)
        if not is_id_part(site) or site == own_site:
            reader.notes.append(f"{path} is not used: {site} is no other site")
        else:
            reader.read(site, path, layout.federated_crl(site))
    return TrustSnapshot(sites=reader.sites, notes=tuple(reader.notes))


def chain_facts(
    chain: Sequence[x509.Certificate], runtime: RuntimeId, trust: SiteTrust
) -> ChainFacts:
    """Return the way from the first certificate to the bundle of its site.

    Args:
        chain: as it was sent; the first one names `runtime`, at least one.
        runtime: whom it names.
        trust: what is installed of that runtime's site.

    Raises:
        ContractViolation: the first certificate cannot be read to the end.
    """
    leaf, *along = chain
    way, fault = way_to_anchor(leaf, along, trust.anchors)
    facts = certificate_facts(leaf)
    try:
        issuers = tuple(certificate_facts(one) for one in way)
    except ContractViolation as error:
        return ChainFacts(
            runtime_id=runtime, leaf=facts, fault=ChainFault.UNREADABLE, fault_detail=str(error)
        )
    if fault is None and len(chain) > CHAIN_LENGTH_MAX:
        fault = ChainFault.TOO_LONG
    return ChainFacts(
        runtime_id=runtime,
        leaf=facts,
        issuers=issuers,
        fault=fault,
        revoked=revoked_on((leaf, *way), trust.lists),
        crl_problem=trust.crl_problem,
    )


def read_chain(signer: SignerFacts, trust: SiteTrust) -> ChainFacts:
    """Return the same for who signed a message; what was sent along may be anything.

    Args:
        signer: whose first certificate was read when the signature was.
        trust: what is installed of that runtime's site.
    """
    leaf, *along = signer.chain
    try:
        others = [parse_certificate(one) for one in along]
    except ContractViolation as error:
        return ChainFacts(
            runtime_id=signer.runtime_id,
            leaf=certificate_facts(parse_certificate(leaf)),
            fault=ChainFault.UNREADABLE,
            fault_detail=str(error),
        )
    return chain_facts((parse_certificate(leaf), *others), signer.runtime_id, trust)


def site_trust(snapshot: TrustSnapshot, runtime: RuntimeId) -> SiteTrust:
    """Return what is installed of a runtime's site; nothing of an unknown one."""
    return snapshot.sites.get(site_of(runtime), SiteTrust())


class _Reader:
    """Reads the files of one site after the other, and notes what it cannot use."""

    def __init__(self, before: TrustSnapshot) -> None:
        self._before = before
        self.sites: dict[SiteName, SiteTrust] = {}
        self.notes: list[str] = []

    def read(self, site: SiteName, bundle: Path, crl: Path) -> None:
        """Take the two files of one site."""
        anchors = self._anchors(site, bundle)
        if not anchors or not crl.exists():
            self.sites[site] = SiteTrust(anchors=anchors)
            return
        try:
            found = read_revocations(crl)
        except StartRefused as error:
            self._keep_list(site, anchors, error.reason)
            return
        signed = tuple(one for one in found if any(is_list_of(one, it) for it in anchors))
        for one in found:
            if one in signed:
                continue
            if any(claims_to_be_of(one, anchor) for anchor in anchors):
                self._keep_list(site, anchors, f"{crl} has a wrong signature")
                return
            self.notes.append(f"{crl} is not used: no CA in the bundle of {site} signed it")
        self.sites[site] = SiteTrust(anchors=anchors, lists=signed)

    def _anchors(self, site: SiteName, path: Path) -> tuple[x509.Certificate, ...]:
        if not path.exists():
            return ()
        try:
            certificates = read_certificates(path)
        except StartRefused as error:
            self.notes.append(error.reason)
            return ()
        anchors, flaws = usable_anchors(certificates, site=site)
        self.notes.extend(f"{path}: {flaw}" for flaw in flaws)
        return anchors

    def _keep_list(self, site: SiteName, anchors: tuple[x509.Certificate, ...], why: str) -> None:
        """Leave in force what was known; without that nobody of the site is trusted."""
        lists = self._before.sites.get(site, SiteTrust()).lists
        self.notes.append(why)
        self.sites[site] = SiteTrust(
            anchors=anchors, lists=lists, crl_problem=None if lists else why
        )
