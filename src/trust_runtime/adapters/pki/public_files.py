"""Files that others hand over: certificates, bundles, revocation lists, requests.

Nothing here is a secret, and everything is judged before use.
"""

import os
import re
import stat
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.utils import CryptographyDeprecationWarning

from trust_runtime.adapters.pki.certificates import UNREADABLE
from trust_runtime.contracts.errors import ExitCode, StartRefused

CERTIFICATE_FILE_BYTES_MAX: Final = 65_536
CRL_FILE_BYTES_MAX: Final = 1_048_576
"""Room for some 20 000 revoked certificates."""

_BLOCK: Final = re.compile(
    rb"-----BEGIN (?P<kind>[A-Z0-9 ]+)-----\r?\n.*?-----END (?P=kind)-----", re.DOTALL
)


def read_public(path: Path, *, bytes_max: int) -> bytes:
    """Return the content of a file that somebody handed over.

    Raises:
        StartRefused: it is missing, unreadable, no regular file, or too long; naming it.
    """
    try:
        # Without O_NONBLOCK the opening of a named pipe would wait for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise refused(f"{path} is no regular file", "name the file itself")
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise refused(
            f"{path} cannot be read: {error.strerror}", "name a file that this user can read"
        ) from error
    if len(content) > bytes_max:
        raise refused(f"{path} is longer than {bytes_max} bytes", "name the right file")
    return content


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Return every certificate of a PEM file, at least one.

    Raises:
        StartRefused: it cannot be read, or holds something else; a private key above all.
    """
    return parse_certificates(read_public(path, bytes_max=CERTIFICATE_FILE_BYTES_MAX), path)


def parse_certificates(content: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    """Return every certificate in PEM `content`, which stood in `path`; at least one.

    Raises:
        StartRefused: as `read_certificates`.
    """
    blocks = _blocks(content, b"CERTIFICATE", path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            return tuple(x509.load_pem_x509_certificate(block) for block in blocks)
    except UNREADABLE as error:
        raise refused(
            f"{path} holds a damaged certificate", "get the file again from who made it"
        ) from error


def parse_revocations(content: bytes, path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """Return every revocation list in PEM `content`, which stood in `path`; at least one.

    Raises:
        StartRefused: it holds something else.
    """
    try:
        lists = tuple(
            x509.load_pem_x509_crl(block) for block in _blocks(content, b"X509 CRL", path)
        )
        for one in lists:
            tuple(one.extensions)
    except UNREADABLE as error:
        raise refused(
            f"{path} holds a damaged revocation list", "get the file again from who made it"
        ) from error
    return lists


def parse_request(content: bytes, path: Path) -> x509.CertificateSigningRequest:
    """Return the signing request in PEM `content`, its own signature checked.

    Raises:
        StartRefused: it is none, or not signed by the key it is for.
    """
    (block, *more) = _blocks(content, b"CERTIFICATE REQUEST", path)
    try:
        request = x509.load_pem_x509_csr(block)
        tuple(request.extensions)
        proven = request.is_signature_valid
    except UNREADABLE as error:
        raise refused(
            f"{path} holds a damaged request", "make it again with pki issue --csr-out"
        ) from error
    if more or not proven:
        raise refused(
            f"{path} is not one request signed by its own key",
            "make it again with pki issue --csr-out",
        )
    return request


def pem_of(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return certificates as PEM, one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def refused(reason: str, remedy: str) -> StartRefused:
    """Return the refusal of something handed over; exit code 1."""
    return StartRefused(reason, remedy, ExitCode.ERROR)


def _blocks(content: bytes, kind: bytes, path: Path) -> list[bytes]:
    """Return the PEM blocks of a file that has only those of one kind; other text is a comment."""
    wanted = kind.decode().lower()
    if b"PRIVATE KEY" in content:
        raise refused(
            f"{path} holds a private key", f"name a file that holds a {wanted} and nothing secret"
        )
    found = list(_BLOCK.finditer(content))
    if not found or any(block["kind"] != kind for block in found):
        raise refused(f"{path} holds no PEM {wanted}", f"name a PEM file with a {wanted}")
    return [block[0] for block in found]
