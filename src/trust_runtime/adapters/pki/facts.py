"""What certificates say, and the way from one to its site's bundle, as facts for `core.trust`."""

from collections.abc import Sequence
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import (
    ExtendedKeyUsageOID,
    ExtensionOID,
    NameOID,
    SignatureAlgorithmOID,
)

from trust_runtime.adapters.pki.certificates import UNREADABLE, is_p256
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.identity import (
    CHAIN_LENGTH_MAX,
    ECDSA_SHA256,
    P256,
    CertificateFacts,
    ChainFault,
)

_PROCESSED: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def certificate_facts(certificate: x509.Certificate) -> CertificateFacts:
    """Return what one certificate says.

    Raises:
        ContractViolation: it cannot be read to the end.
    """
    try:
        return _facts(certificate)
    except UNREADABLE as error:
        raise ContractViolation("certificate", "unreadable content", "X.509 version 3") from error


def way_to_anchor(
    leaf: x509.Certificate,
    along: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
) -> tuple[tuple[x509.Certificate, ...], ChainFault | None]:
    """Return the certificates that sign from `leaf` to an anchor, or how far it goes and why.

    Args:
        leaf: whose way is looked for; not part of the result.
        along: what was sent with it, believed nowhere else; only P-256 keys are tried.
        anchors: the bundle of the site that `leaf` names.
    """
    if not anchors:
        return (), ChainFault.NO_BUNDLE
    middles = [one for one in along if _has_p256(one)]
    way: list[x509.Certificate] = []
    below = leaf
    while True:
        issuer, fault = _issuer_of(below, anchors)
        if issuer is not None:
            return (*way, issuer), None
        issuer, _ = _issuer_of(below, [one for one in middles if one not in way])
        if issuer is None:
            return tuple(way), fault
        if len(way) + 3 > CHAIN_LENGTH_MAX:  # The leaf, this one and an anchor are still to count.
            return tuple(way), ChainFault.TOO_LONG
        way.append(issuer)
        below = issuer


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether `issuer` has the name and the key that `certificate` was signed with."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def uris_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the URI SANs of a readable certificate."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    uris = () if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(uris)


def _issuer_of(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> tuple[x509.Certificate | None, ChainFault]:
    named = [one for one in candidates if one.subject == certificate.issuer]
    for one in named:
        if is_signed_by(certificate, one):
            return one, ChainFault.UNKNOWN_ISSUER
    return None, ChainFault.BAD_SIGNATURE if named else ChainFault.UNKNOWN_ISSUER


def _has_p256(certificate: x509.Certificate) -> bool:
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and is_p256(key)


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    purposes = () if extended is None else tuple(extended)
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        common_name=str(names[0].value) if len(names) == 1 else None,
        uris=uris_of(certificate),
        serial=f"{certificate.serial_number:x}",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before_s=int(certificate.not_valid_before_utc.timestamp()),
        not_after_s=int(certificate.not_valid_after_utc.timestamp()),
        key=_key_text(certificate),
        signature=_signature_text(certificate),
        is_ca=constraints is not None and constraints.ca,
        path_length=None if constraints is None else constraints.path_length,
        may_sign_messages=usage is not None and usage.digital_signature,
        may_sign_certificates=usage is not None and usage.key_cert_sign,
        server_auth=ExtendedKeyUsageOID.SERVER_AUTH in purposes,
        client_auth=ExtendedKeyUsageOID.CLIENT_AUTH in purposes,
        unknown_critical=tuple(
            one.oid.dotted_string
            for one in certificate.extensions
            if one.critical and one.oid not in _PROCESSED
        ),
    )


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _key_text(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return P256 if is_p256(key) else key.curve.name
    return f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__


def _signature_text(certificate: x509.Certificate) -> str:
    oid = certificate.signature_algorithm_oid
    return ECDSA_SHA256 if oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256 else oid.dotted_string
