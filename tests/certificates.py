"""Certificates for tests: site CAs, runtimes, and every way a certificate can be wrong."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = ("localhost", "127.0.0.1", "::1")
"""What a certificate of this machine's loopback names."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and the key it belongs to."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def make_authority(site: str) -> Pair:
    """Return the CA of a site, as `pki init` makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"CA of {site}")
    now = datetime.now(UTC)
    builder = (
        _builder(name, name, key)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://trust/{site}")]),
            critical=False,
        )
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(key=key, certificate=builder.sign(key, hashes.SHA256()))


def make_leaf(
    authority: Pair,
    runtime_id: str,
    *,
    hosts: Sequence[str] = HERE,
    starts_in_s: float = -3_600,
    ends_in_s: float = 86_400 * 397,
    uris: Sequence[str] | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Pair:
    """Return the certificate of a runtime, as `pki issue` makes it, unless told otherwise."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    site_and_name = runtime_id if "/" in runtime_id else f"default-site/{runtime_id}"
    named = [f"spiffe://trust/{site_and_name}"] if uris is None else uris
    names = [*(x509.UniformResourceIdentifier(uri) for uri in named), *map(_host, hosts)]
    now = datetime.now(UTC)
    builder = (
        _builder(_name(runtime_id), authority.certificate.subject, key)
        .not_valid_before(now + timedelta(seconds=starts_in_s))
        .not_valid_after(now + timedelta(seconds=ends_in_s))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(key=key, certificate=builder.sign(authority.key, hashes.SHA256()))


def install(project: Path, pair: Pair, authority: Pair) -> None:
    """Write an identity where contract 2.3 has it."""
    home = project / ".trust" / "identity"
    home.mkdir(parents=True, exist_ok=True)
    (project / ".trust").chmod(0o700)
    home.chmod(0o700)
    for name, content in (
        ("runtime.key", pair.key_pem),
        ("runtime.crt", pair.certificate_pem),
        ("ca.pem", authority.certificate_pem),
    ):
        (home / name).write_bytes(content)
        (home / name).chmod(0o600)


def federate(project: Path, site: str, authority: Pair) -> None:
    """Write the bundle of another site where contract 2.3 has it."""
    home = project / ".trust" / "federation"
    home.mkdir(parents=True, exist_ok=True)
    (home / f"{site}.pem").write_bytes(authority.certificate_pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
