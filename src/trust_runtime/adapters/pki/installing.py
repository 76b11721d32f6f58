"""Puts identity pairs and bundles where a project keeps them (contract 2.3, 2.5)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from trust_runtime.adapters.pki.certificates import p256_key_of
from trust_runtime.adapters.pki.identity import key_pem, load_key
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.private_files import make_private_folder, write_private
from trust_runtime.adapters.pki.public_files import pem_of, read_certificates, refused
from trust_runtime.adapters.pki.site_ca import writing
from trust_runtime.contracts.errors import ContractViolation, StartRefused

_SHARED: Final = 0o644


class Pair(Struct, frozen=True, kw_only=True):
    """What is to be installed."""

    key: ec.EllipticCurvePrivateKey
    """Of the first certificate."""
    chain: tuple[x509.Certificate, ...]
    """Own certificate first, then intermediates."""
    bundle: tuple[x509.Certificate, ...]
    """CA certificates of the own site."""


def own_key(layout: IdentityLayout) -> ec.EllipticCurvePrivateKey | None:
    """Return the identity key of a project, or None when it has none yet.

    Raises:
        StartRefused: it is damaged or readable by others.
    """
    return load_key(layout.key)


def make_key() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key that is nowhere on disk yet."""
    return ec.generate_private_key(ec.SECP256R1())


def keep_key(layout: IdentityLayout, key: ec.EllipticCurvePrivateKey) -> None:
    """Put a key that has no certificate yet where the identity key is kept (0600)."""
    _make_home(layout)
    with writing(layout.home):
        write_private(layout.key, key_pem(key))


def install_pair(
    layout: IdentityLayout, pair: Pair, *, spare_foreign_web: bool = False
) -> tuple[Path, ...]:
    """Install an identity and its site's bundle; return the files written, the identity first.

    The key comes before the certificate: a process that looks in between sees a certificate that
    is not of the key, keeps what it has, and looks again.

    Args:
        layout: the project.
        pair: what to install.
        spare_foreign_web: leave the web pair alone when it is not of the identity.

    Raises:
        StartRefused: a file cannot be written.
    """
    spared = spare_foreign_web and _is_foreign(layout)
    _make_home(layout)
    key, chain, bundle = key_pem(pair.key), pem_of(pair.chain), pem_of(pair.bundle)
    with writing(layout.home):
        write_private(layout.key, key)
        write_private(layout.issued_bundle, bundle)
        write_private(layout.certificate, chain)
    tls = layout.tls
    copies = [
        (layout.web_key, key, tls.key_path is not None and not spared),
        (layout.own_bundle, bundle, tls.ca_path is not None),
        (layout.web_certificate, chain, tls.cert_path is not None and not spared),
    ]
    written = [layout.key, layout.certificate, layout.issued_bundle]
    for path, content, wanted in copies:
        if wanted:
            _put(path, content)
            written.append(path)
    return tuple(dict.fromkeys(written))


def install_shared(path: Path, content: bytes) -> None:
    """Put a file that is no secret into `.trust/federation` or beside the identity.

    Raises:
        StartRefused: it cannot be written.
    """
    with writing(_folder_for(path)):
        write_private(path, content, mode=_SHARED)


def remove_shared(path: Path) -> bool:
    """Remove such a file; return False when it was not there."""
    if not path.exists():
        return False
    with writing(path.parent):
        path.unlink()
    return True


def write_out(path: Path, content: bytes) -> None:
    """Write a file that is to be handed over: whole, readable by all, never over a folder.

    Raises:
        StartRefused: it cannot be written.
    """
    try:
        write_private(path, content, mode=_SHARED)
    except OSError as error:
        raise refused(
            f"{path} cannot be written: {error.strerror}", "give --out a file in a folder of yours"
        ) from error


def same_key(certificates: Iterable[x509.Certificate], key: ec.EllipticCurvePrivateKey) -> bool:
    """Tell whether the first certificate is of `key`."""
    try:
        return p256_key_of(next(iter(certificates))) == key.public_key()
    except ContractViolation:
        return False


def _is_foreign(layout: IdentityLayout) -> bool:
    """Tell whether what HTTPS serves was put there by somebody else."""
    if layout.web_certificate == layout.certificate or not layout.web_certificate.exists():
        return False
    try:
        served: Sequence[x509.Certificate] = read_certificates(layout.web_certificate)
        key = load_key(layout.key)
    except StartRefused:
        return False
    return key is not None and not same_key(served, key)


def _make_home(layout: IdentityLayout) -> None:
    try:
        make_private_folder(layout.home)
        layout.home.chmod(0o700)
    except OSError as error:
        raise refused(
            f"{layout.home} cannot be made: {error.strerror}",
            f"make {layout.folder} a folder that this user can write",
        ) from error


def _folder_for(path: Path) -> Path:
    try:
        make_private_folder(path.parent)
    except OSError as error:
        raise refused(
            f"{path.parent} cannot be made: {error.strerror}",
            f"make {path.parent.parent} a folder that this user can write",
        ) from error
    return path.parent


def _put(path: Path, content: bytes) -> None:
    with writing(_folder_for(path)):
        write_private(path, content)
