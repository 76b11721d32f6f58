"""Signing requests, for a key that never leaves its machine (contract 2.5)."""

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

from trust_runtime.adapters.pki.certificates import is_p256
from trust_runtime.adapters.pki.hosts import host_names, hosts_in
from trust_runtime.adapters.pki.public_files import (
    CERTIFICATE_FILE_BYTES_MAX,
    parse_request,
    read_public,
    refused,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.identity import common_name
from trust_runtime.contracts.ids import RuntimeId, parse_spiffe_id, spiffe_id


class Wanted(Struct, frozen=True, kw_only=True):
    """Whom a certificate is asked for."""

    runtime_id: RuntimeId
    """Who."""
    key: ec.EllipticCurvePublicKey
    """P-256."""
    hosts: tuple[str, ...]
    """DNS names and IP addresses by which it is reached."""


def make_request(
    key: ec.EllipticCurvePrivateKey, runtime: RuntimeId, hosts: Iterable[str]
) -> bytes:
    """Return a PEM signing request of `runtime`."""
    named = (x509.UniformResourceIdentifier(spiffe_id(runtime)), *host_names(hosts))
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name(runtime))]))
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .sign(key, hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM)


def read_request(path: Path) -> Wanted:
    """Return what the request in `path` asks for; of its extensions only the names are taken.

    Raises:
        StartRefused: it is no request of one runtime with a P-256 key; naming the file.
    """
    content = read_public(path, bytes_max=CERTIFICATE_FILE_BYTES_MAX)
    request = parse_request(content, path)
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not is_p256(key):
        raise _unfit(path, "its key is not P-256")
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise _unfit(path, "it names no runtime") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise _unfit(path, f"it has {len(uris)} URI SANs, not one")
    try:
        runtime, hosts = parse_spiffe_id(uris[0]), hosts_in(names)
        host_names(hosts)
    except ContractViolation as error:
        raise _unfit(path, str(error)) from error
    return Wanted(runtime_id=runtime, key=key, hosts=hosts)


def _unfit(path: Path, why: str) -> Exception:
    return refused(f"{path} is no request of a runtime: {why}", "make it with pki issue --csr-out")
