"""Certificates and signed messages as an attacker would make them (S09-S11, S15)."""

import base64
import hashlib
import ipaddress
import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from trust_runtime.gates.security.node import Node

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_NS: Final = 1_000_000_000


class Pair(Struct, frozen=True, kw_only=True):
    """A certificate and its key."""

    certificate: x509.Certificate
    """Of whoever it names."""
    key: Key
    """Its private key."""

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both as PEM and return where."""
        folder.mkdir(parents=True, exist_ok=True)
        crt, key = folder / f"{name}.crt", folder / f"{name}.key"
        crt.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.touch(mode=0o600)
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return crt, key


def read_pair(certificate: Path, key: Path) -> Pair:
    """Return a pair of the product's own making.

    Raises:
        TypeError: the key is of no kind used here.
    """
    found = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key} is no EC key")
    return Pair(certificate=x509.load_pem_x509_certificate(certificate.read_bytes()), key=found)


def pair_of(node: Node) -> Pair:
    """Return the identity of a runtime, as a thief would have it."""
    return read_pair(node.identity / "runtime.crt", node.identity / "runtime.key")


def authority_pair(folder: Path) -> Pair:
    """Return a CA made by `pki init`."""
    return read_pair(folder / "ca.crt", folder / "ca.key")


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def leaf(
    issuer: Pair | None,
    runtime_id: str,
    *,
    uris: Sequence[str] | None = None,
    starts_in_s: float = -3_600,
    ends_in_s: float = 86_400,
    key: Key | None = None,
) -> Pair:
    """Return a certificate of a runtime, by default as good as its CA; None: self-signed."""
    own = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, runtime_id)])
    now = datetime.now(UTC)
    named = [f"spiffe://trust/{runtime_id}"] if uris is None else uris
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in named]
    names += [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    signer: Key = own if issuer is None else issuer.key
    issued_by = subject if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(seconds=starts_in_s))
        .not_valid_after(now + timedelta(seconds=ends_in_s))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return Pair(certificate=builder.sign(signer, hashes.SHA256()), key=own)


class Sending(Struct, frozen=True, kw_only=True):
    """A signed action as it travels."""

    body: bytes
    """What is asked."""
    token: bytes
    """The signature over it."""


def action(
    node: Node,
    signer: Pair,
    *,
    target: str,
    patch: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    **claims: Any,
) -> Sending:
    """Return a signed write of the configuration, good unless bent.

    Args:
        node: the origin, whose incarnation is told.
        signer: who signs.
        target: whom it is for.
        patch: what to write; None: nothing but a read of the status.
        header: members of the JWS header instead of the good ones.
        claims: claims instead of the good ones.
    """
    kind = "status_read" if patch is None else "cfg_apply"
    payload = {} if patch is None else {"params": patch}
    body = _json({"action_type": kind, "payload_json": _json(payload).decode()})
    own = node.nodes()[node.id]
    now_ns = time.time_ns()
    uptime_ns = own["uptime_ms"] * 1_000_000
    good: dict[str, Any] = {
        "iss": f"spiffe://trust/{node.id}",
        "aud": f"spiffe://trust/{target}",
        "sub": f"spiffe://trust/{node.site}/tester",
        "role": "engineer",
        "caller": "token://static-admin",
        "op": kind,
        "request_id": f"req-{secrets.token_hex(8)}",
        "audit_id": f"audit-{uuid.uuid4()}",
        "digest": "sha256:" + hashlib.sha256(body).hexdigest(),
        "jti": str(uuid.uuid4()),
        "iat": now_ns // _NS,
        "exp": now_ns // _NS + 5,
        "deadline_ns": now_ns + 4 * _NS,
        "boot_id": own["boot_id"],
        "deadline_uptime_ns": uptime_ns + 4 * _NS,
    } | claims
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    head = {"alg": "ES256", "typ": "trust-action+jwt", "x5c": [base64.b64encode(der).decode()]}
    signed = _part(_json(head | dict(header or {}))) + b"." + _part(_json(good))
    return Sending(body=body, token=signed + b"." + _part(_signature(signer.key, signed)))


def _signature(key: Key, signed: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return bytes(64)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
