"""A pin from a file, for `trust-runtime pki import-bundle --pin ID FILE` (contract 2.5)."""

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from trust_runtime.adapters.pki.certificates import (
    UNREADABLE,
    is_p256,
    p256_key_of,
    pin_of,
    runtime_named_in,
)
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId

FILE_BYTES_MAX: Final = 65_536
_ALLOWED: Final = "a PEM file with one certificate or one public key (P-256)"


def read_pin(path: Path, *, runtime: RuntimeId) -> str:
    """Return the pin of the key in `path`, a PEM certificate or PEM public key.

    Args:
        path: the file; of a certificate chain the first certificate counts.
        runtime: whose key it shall be; a certificate of another runtime is refused.

    Raises:
        ContractViolation: naming the file and what is wrong with it.
    """
    content = _read(path)
    if b"PRIVATE KEY" in content:
        raise ContractViolation(str(path), "a private key", _ALLOWED)
    if b"-----BEGIN CERTIFICATE-----" in content:
        return _pin_of_certificate(path, content, runtime)
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ContractViolation(str(path), "no PEM certificate or key", _ALLOWED) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not is_p256(key):
        raise ContractViolation(str(path), type(key).__name__, _ALLOWED)
    return pin_of(key)


def _pin_of_certificate(path: Path, content: bytes, runtime: RuntimeId) -> str:
    try:
        leaf = x509.load_pem_x509_certificates(content)[0]
    except UNREADABLE as error:
        raise ContractViolation(str(path), "a damaged certificate", _ALLOWED) from error
    try:
        key = p256_key_of(leaf)
        named = runtime_named_in(leaf)
    except ContractViolation as error:
        raise ContractViolation(str(path), error.value, error.allowed) from error
    if named != runtime:
        raise ContractViolation(str(path), f"a certificate of {named}", f"one of {runtime}")
    return pin_of(key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ContractViolation(str(path), error.strerror, "a readable file") from error
    if len(content) > FILE_BYTES_MAX:
        raise ContractViolation(str(path), "a larger file", f"at most {FILE_BYTES_MAX} bytes")
    return content
