"""Revocation lists: who is no longer vouched for (RFC 5280, section 5; contract, ruling 45)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from trust_runtime.adapters.pki.certificates import UNREADABLE, p256_key_of
from trust_runtime.adapters.pki.private_files import write_private
from trust_runtime.adapters.pki.public_files import (
    CRL_FILE_BYTES_MAX,
    parse_revocations,
    read_public,
    refused,
)
from trust_runtime.adapters.pki.site_ca import CRL_NAME, IssuedCertificate, SiteCa, writing
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import DEFAULT_SITE, SiteName

_FIRST_NUMBER: Final = 1


def revoke(ca: SiteCa, serials: Iterable[str], *, now_s: int) -> x509.CertificateRevocationList:
    """Add serials to the list of `ca`, in its folder; return the new list, numbered one higher.

    Who is on it stays on it. The list has no date by which a newer one must have come: a plant
    that nobody brings one keeps working, and its revocations stay in force.

    Args:
        ca: the authority.
        serials: lower-case hex; those on the list already keep their date.
        now_s: seconds since the epoch.

    Raises:
        StartRefused: the list is damaged, or cannot be written.
    """
    with writing(ca.folder):
        before = own_list(ca)
        known = set() if before is None else {f"{one.serial_number:x}" for one in before}
        builder = _builder(ca, before, now_s)
        for serial in dict.fromkeys(serials):
            if serial not in known:
                builder = builder.add_revoked_certificate(_entry(int(serial, 16), now_s))
        made = builder.sign(ca.key, hashes.SHA256())
        write_private(ca.folder / CRL_NAME, crl_pem([made]), mode=0o644)
    return made


def list_for_export(ca: SiteCa, *, now_s: int) -> bytes:
    """Return the list of `ca` as PEM; an empty one, signed now, when nobody was ever revoked."""
    kept = own_list(ca)
    return crl_pem([revoke(ca, (), now_s=now_s) if kept is None else kept])


def own_list(ca: SiteCa) -> x509.CertificateRevocationList | None:
    """Return the list in the folder of `ca`, or None before the first revocation.

    Raises:
        StartRefused: it is damaged, or not signed by this CA.
    """
    path = ca.folder / CRL_NAME
    if not path.exists():
        return None
    (found, *more) = read_revocations(path)
    if more or not is_list_of(found, ca.certificate):
        raise refused(f"{path} was not signed by this CA alone", "restore it from a backup")
    return found


def find_issued(ca: SiteCa, named: str) -> tuple[IssuedCertificate, ...]:
    """Return the certificates that `named` means: a serial, a fingerprint, or a runtime's id.

    A bare name means the runtime of that name in the CA's site.

    Raises:
        StartRefused: none was issued here, or `named` means two things at once.
    """
    issued = ca.issued()
    text = named.lower().removeprefix("0x").replace(":", "")
    number = text.lstrip("0")
    in_site = named if "/" in named or ca.site == DEFAULT_SITE else f"{ca.site}/{named}"
    canonical = in_site.removeprefix(f"{DEFAULT_SITE}/")
    by_number = [one for one in issued if one.fingerprint == text or one.serial == number]
    by_name = [one for one in issued if one.runtime_id == canonical]
    if by_number and by_name:
        raise refused(
            f"{named} is a runtime and the number of a certificate",
            f"write the runtime as {ca.site}/{named}, or give the fingerprint",
        )
    found = tuple(by_number or by_name)
    if not found:
        raise refused(
            f"{ca.folder} issued no certificate with serial, fingerprint or runtime {named}",
            f"see {ca.folder / 'issued.jsonl'}",
        )
    return found


def read_revocations(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """Return the revocation lists of a PEM file, at least one.

    Raises:
        StartRefused: it cannot be read, or holds something else.
    """
    return parse_revocations(read_public(path, bytes_max=CRL_FILE_BYTES_MAX), path)


def read_crl_of(
    path: Path, anchors: Sequence[x509.Certificate], *, site: SiteName
) -> tuple[x509.CertificateRevocationList, ...]:
    """Return the lists in `path`, each signed by a CA in `anchors`.

    Raises:
        StartRefused: one of them is not; naming the file.
    """
    lists = read_revocations(path)
    if not all(any(is_list_of(one, anchor) for anchor in anchors) for one in lists):
        raise refused(
            f"{path} was not signed by a CA in the installed bundle of {site}",
            f"get it with pki export-crl at {site}, and its bundle with pki export-bundle",
        )
    return lists


def number_of(one: x509.CertificateRevocationList) -> int:
    """Return the CRL number (RFC 5280, section 5.2.3), 0 when there is none."""
    try:
        return one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def is_list_of(one: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether `issuer` signed this list."""
    try:
        return one.issuer == issuer.subject and one.is_signature_valid(p256_key_of(issuer))
    except (InvalidSignature, UnsupportedAlgorithm, ContractViolation, *UNREADABLE):
        return False


def claims_to_be_of(one: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether a list says that `issuer` signed it; two CAs of one site may share a name."""
    try:
        said = one.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return one.issuer == issuer.subject
    return one.issuer == issuer.subject and said.key_identifier == key.digest


def revoked_on(
    way: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList]
) -> tuple[str, ...]:
    """Return the serials that are revoked on a way from a leaf to its anchor, both included."""
    return tuple(
        f"{below.serial_number:x}"
        for below, issuer in pairwise(way)
        for one in lists
        if one.get_revoked_certificate_by_serial_number(below.serial_number) is not None
        and is_list_of(one, issuer)
    )


def crl_pem(lists: Iterable[x509.CertificateRevocationList]) -> bytes:
    """Return revocation lists as PEM, one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in lists)


def _builder(
    ca: SiteCa, before: x509.CertificateRevocationList | None, now_s: int
) -> x509.CertificateRevocationListBuilder:
    number = _FIRST_NUMBER if before is None else number_of(before) + 1
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(datetime.fromtimestamp(now_s, UTC))
        .next_update(datetime.fromtimestamp(max(ca.ends_s, now_s + 1), UTC))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(authority, critical=False)
    )
    for entry in () if before is None else before:
        builder = builder.add_revoked_certificate(entry)
    return builder


def _entry(serial: int, now_s: int) -> x509.RevokedCertificate:
    return (
        x509.RevokedCertificateBuilder()
        .serial_number(serial)
        .revocation_date(datetime.fromtimestamp(now_s, UTC))
        .build()
    )
