"""Certificates: reading who they are of, and making them (contract 2.3, 2.5)."""

import hashlib
import warnings
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from trust_runtime.contracts.codec import sha256_hex
from trust_runtime.contracts.envelope import SignerFacts
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.identity import common_name, site_spiffe_id
from trust_runtime.contracts.ids import RuntimeId, SiteName, parse_spiffe_id, spiffe_id

VALID_DAYS: Final = 3650
BACKDATED_S: Final = 3_600  # A peer whose clock is behind must not find it not yet valid.
DAY_S: Final = 86_400
NAME_LENGTH_MAX: Final = 64  # X.520 ub-common-name.
_SHA256: Final = hashes.SHA256()
_P256: Final = "a P-256 key"

# What the library raises for bytes that are no certificate, or one it cannot follow.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)


class Dates(Struct, frozen=True, kw_only=True):
    """When a certificate is valid."""

    starts_s: int
    """Seconds since the epoch."""
    ends_s: int
    """Seconds since the epoch."""


class Subject(Struct, frozen=True, kw_only=True):
    """Whom a certificate is for."""

    runtime_id: RuntimeId
    """Who."""
    key: ec.EllipticCurvePublicKey
    """P-256."""
    hosts: tuple[x509.GeneralName, ...] = ()
    """DNS and IP SANs."""


def make_self_signed(
    key: ec.EllipticCurvePrivateKey, runtime: RuntimeId, *, now_s: int
) -> x509.Certificate:
    """Return a certificate of `runtime` signed by its own key, for 10 years from `now_s`."""
    subject = _named(common_name(runtime))
    dates = Dates(starts_s=now_s - BACKDATED_S, ends_s=now_s + VALID_DAYS * DAY_S)
    builder = _leaf_builder(key.public_key(), runtime, ())
    return _dated(builder, dates).subject_name(subject).issuer_name(subject).sign(key, _SHA256)


def make_issued(
    subject: Subject, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, dates: Dates
) -> x509.Certificate:
    """Return a certificate of a runtime, signed by its site's CA.

    Args:
        subject: whom it is for.
        ca: certificate of the CA.
        key: private key of the CA.
        dates: when it is valid.
    """
    builder = _leaf_builder(subject.key, subject.runtime_id, subject.hosts)
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    return (
        _dated(builder, dates)
        .subject_name(_named(common_name(subject.runtime_id)))
        .issuer_name(ca.subject)
        .add_extension(authority, critical=False)
        .sign(key, _SHA256)
    )


def make_ca(key: ec.EllipticCurvePrivateKey, site: SiteName, *, dates: Dates) -> x509.Certificate:
    """Return the self-signed certificate of the CA of `site`; no CA may stand below it."""
    name = f"{site} CA"
    if len(name) > NAME_LENGTH_MAX:
        name = f"{site[: NAME_LENGTH_MAX - 21]}~{sha256_hex(site.encode())[:16]} CA"
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(site_spiffe_id(site))])
    public = key.public_key()
    builder = _dated(x509.CertificateBuilder().public_key(public), dates)
    return (
        builder.subject_name(_named(name))
        .issuer_name(_named(name))
        .add_extension(uri, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, _SHA256)
    )


def parse_certificate(content: bytes) -> x509.Certificate:
    """Return the certificate in DER `content`, which may come from anybody.

    Raises:
        ContractViolation: it is none, or not a conforming one.
    """
    try:
        with warnings.catch_warnings():
            # What the library accepts only for old times' sake (a serial below 1) is refused;
            # a stranger's bytes must not print warnings on our stderr either.
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            return x509.load_der_x509_certificate(content)
    except UNREADABLE as error:
        raise ContractViolation("certificate", "unreadable bytes", "a DER certificate") from error


def runtime_named_in(certificate: x509.Certificate) -> RuntimeId:
    """Return the runtime of the one URI SAN.

    Raises:
        ContractViolation: there is none, several, or it is no runtime's SPIFFE id.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    except UNREADABLE as error:
        raise ContractViolation("certificate", "bad extensions", "one URI SAN") from error
    if len(uris) != 1:
        raise ContractViolation("certificate", f"{len(uris)} URI SANs", "exactly one URI SAN")
    return parse_spiffe_id(uris[0])


def p256_key_of(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """Return the public key.

    Raises:
        ContractViolation: it is not a P-256 key.
    """
    try:
        key = certificate.public_key()
    except UNREADABLE as error:
        raise ContractViolation("certificate", "an unreadable key", _P256) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not is_p256(key):
        raise ContractViolation("certificate", type(key).__name__, _P256)
    return key


def is_p256(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> bool:
    """Tell whether a key is on the one curve this product uses."""
    return isinstance(key.curve, ec.SECP256R1)


def pin_of(key: ec.EllipticCurvePublicKey) -> str:
    """Return the pin of a key: SHA-256 hex of its DER SubjectPublicKeyInfo."""
    info = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(info).hexdigest()


def signer_facts(certificate: x509.Certificate) -> SignerFacts:
    """Return what a leaf certificate says about its owner.

    Raises:
        ContractViolation: it is not the certificate of one runtime with a P-256 key.
    """
    return SignerFacts(
        runtime_id=runtime_named_in(certificate),
        pin=pin_of(p256_key_of(certificate)),
        not_before_s=int(certificate.not_valid_before_utc.timestamp()),
        not_after_s=int(certificate.not_valid_after_utc.timestamp()),
    )


def _leaf_builder(
    key: ec.EllipticCurvePublicKey, runtime: RuntimeId, hosts: tuple[x509.GeneralName, ...]
) -> x509.CertificateBuilder:
    names = (x509.UniformResourceIdentifier(spiffe_id(runtime)), *hosts)
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        x509.CertificateBuilder()
        .public_key(key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(uses, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _dated(builder: x509.CertificateBuilder, dates: Dates) -> x509.CertificateBuilder:
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(dates.starts_s, UTC))
        .not_valid_after(datetime.fromtimestamp(dates.ends_s, UTC))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
