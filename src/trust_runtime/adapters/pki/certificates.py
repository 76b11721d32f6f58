"""What a certificate says, and self-signed ones for profile `dev` (contract 2.3)."""

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

from trust_runtime.contracts.envelope import SignerFacts
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.identity import common_name
from trust_runtime.contracts.ids import RuntimeId, parse_spiffe_id, spiffe_id

VALID_DAYS: Final = 3650
BACKDATED_S: Final = 3_600  # A peer whose clock is behind must not find it not yet valid.
_DAY_S: Final = 86_400
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


def make_self_signed(
    key: ec.EllipticCurvePrivateKey, runtime: RuntimeId, *, now_s: int
) -> x509.Certificate:
    """Return a certificate of `runtime` signed by its own key, for 10 years from `now_s`."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name(runtime))])
    name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id(runtime))])
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(now_s - BACKDATED_S, UTC))
        .not_valid_after(datetime.fromtimestamp(now_s + VALID_DAYS * _DAY_S, UTC))
        .add_extension(name, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signature_only(), critical=True)
        .add_extension(uses, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


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


def _signature_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
