"""The key and certificate of this runtime in `.trust/identity/` (contract 2.3)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from trust_runtime.adapters.pki.certificates import (
    UNREADABLE,
    is_p256,
    make_self_signed,
    p256_key_of,
    pin_of,
    runtime_named_in,
)
from trust_runtime.adapters.pki.private_files import (
    make_private_folder,
    read_private,
    write_private,
)
from trust_runtime.adapters.pki.public_files import pem_of
from trust_runtime.contracts.errors import ContractViolation, ExitCode, StartRefused
from trust_runtime.contracts.ids import RuntimeId

KEY_NAME: Final = "runtime.key"
CERTIFICATE_NAME: Final = "runtime.crt"
_RENEW_BEFORE_S: Final = 30 * 86_400


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who this runtime is, able to sign; never printed, never sent."""

    runtime_id: RuntimeId
    """Canonical id, from the certificate's URI SAN."""
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    """P-256."""
    chain: tuple[x509.Certificate, ...]
    """Own certificate first, then intermediates."""

    @property
    def pin(self) -> str:
        """SHA-256 hex of the DER SubjectPublicKeyInfo."""
        return pin_of(self.key.public_key())

    @property
    def fingerprint(self) -> str:
        """SHA-256 hex of the DER certificate."""
        return self.chain[0].fingerprint(hashes.SHA256()).hex()

    @property
    def not_before_s(self) -> int:
        """Start of validity, seconds since the epoch."""
        return int(self.chain[0].not_valid_before_utc.timestamp())

    @property
    def not_after_s(self) -> int:
        """End of validity, seconds since the epoch."""
        return int(self.chain[0].not_valid_after_utc.timestamp())

    @property
    def chain_pem(self) -> str:
        """The chain as PEM, own certificate first."""
        return pem_of(self.chain).decode("ascii")


def identity_folder(folder: Path) -> Path:
    """Return where the identity of the project in `folder` is kept."""
    return folder / ".trust" / "identity"


def load_or_create_identity(folder: Path, runtime: RuntimeId, *, now_s: int) -> Identity:
    """Return the identity of the project in `folder`, made at the first start (profile `dev`).

    The key is made once and kept for ever. A self-signed certificate is made again with the same
    key when it is missing, names another runtime, or `now_s` is outside its dates or within 30
    days of their end; peers pin the key, so they notice nothing.

    Args:
        folder: the project folder.
        runtime: the canonical id of `runtime.toml`.
        now_s: seconds since the epoch.

    Raises:
        StartRefused: exit 10; a file is damaged, readable by others or cannot be written. Nothing
            is overwritten then.
    """
    home = identity_folder(folder)
    try:
        make_private_folder(home)
        home.chmod(0o700)
        key = _load_own_key(home)
        if key is None:
            key = _create_key(home)
        chain = load_chain(home / CERTIFICATE_NAME, key)
        if chain is None or not _fits(chain[0], runtime, home=home, now_s=now_s):
            chain = (make_self_signed(key, runtime, now_s=now_s),)
            write_private(home / CERTIFICATE_NAME, pem_of(chain))
    except OSError as error:
        raise StartRefused(
            f"the identity in {home} cannot be written: {error.strerror}",
            f"make {home} writable for this user and free some space",
            ExitCode.CONFIG,
        ) from error
    return Identity(runtime_id=runtime, key=key, chain=chain)


def load_identity(folder: Path) -> Identity | None:
    """Return the identity as it is on disk, or None when key or certificate is missing.

    Writes nothing; for `pki show`.

    Raises:
        StartRefused: exit 10; a file is damaged or readable by others.
    """
    home = identity_folder(folder)
    key = _load_own_key(home)
    chain = load_chain(home / CERTIFICATE_NAME, key) if key is not None else None
    if key is None or chain is None:
        return None
    try:
        named = runtime_named_in(chain[0])
    except ContractViolation as error:
        raise _damaged_certificate(home / CERTIFICATE_NAME, str(error)) from error
    return Identity(runtime_id=named, key=key, chain=chain)


def load_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """Return the P-256 key in a PEM file, or None when there is no such file.

    Raises:
        StartRefused: exit 10; it is damaged or readable by others.
    """
    content = read_private(path)
    if content is None:
        return None
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _damaged_key(path, "it is not an unencrypted PEM key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key):
        raise _damaged_key(path, "it is not a P-256 key")
    return key


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, for a file of mode 0600 alone."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_own_key(home: Path) -> ec.EllipticCurvePrivateKey | None:
    key = load_key(home / KEY_NAME)
    if key is None:
        _refuse_orphan(home / KEY_NAME)
    return key


def _refuse_orphan(key_path: Path) -> None:
    """Refuse a certificate whose key is gone: a new key would be a new identity, unasked."""
    certificate = key_path.with_name(CERTIFICATE_NAME)
    if certificate.exists():
        raise StartRefused(
            f"{key_path} is missing although {certificate} is there",
            _restore_or_start_anew(key_path),
            ExitCode.CONFIG,
        )


def _create_key(home: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(home / KEY_NAME, key_pem(key))
    return key


def load_chain(path: Path, key: ec.EllipticCurvePrivateKey) -> tuple[x509.Certificate, ...] | None:
    """Return the certificates in a PEM file, the first one of `key`; None when there is no file.

    Raises:
        StartRefused: exit 10; it is damaged, of another key, or readable by others.
    """
    content = read_private(path)
    if content is None:
        return None
    try:
        chain = tuple(x509.load_pem_x509_certificates(content))
        own = p256_key_of(chain[0])
    except (*UNREADABLE, ContractViolation) as error:
        raise _damaged_certificate(path, "it is not a PEM certificate of a P-256 key") from error
    if own != key.public_key():
        raise _damaged_certificate(path, f"it does not belong to {path.with_name(KEY_NAME)}")
    return chain


def _fits(leaf: x509.Certificate, runtime: RuntimeId, *, home: Path, now_s: int) -> bool:
    """Tell whether the certificate can stay; refuse to replace one that an operator installed."""
    try:
        named: RuntimeId | None = runtime_named_in(leaf)
    except ContractViolation:
        named = None
    starts_s = int(leaf.not_valid_before_utc.timestamp())
    ends_s = int(leaf.not_valid_after_utc.timestamp())
    if leaf.issuer != leaf.subject:
        if named != runtime:
            path = home / CERTIFICATE_NAME
            raise StartRefused(
                f"{path} was issued for {named or 'no runtime'}, not for {runtime}",
                f"issue a certificate for {runtime}, or delete {path} to get a self-signed one",
                ExitCode.CONFIG,
            )
        return True  # Its dates are judged by whoever verifies it.
    return named == runtime and starts_s <= now_s < ends_s - _RENEW_BEFORE_S


def _damaged_key(path: Path, reason: str) -> StartRefused:
    return StartRefused(
        f"{path} is damaged: {reason}", _restore_or_start_anew(path), ExitCode.CONFIG
    )


def _damaged_certificate(path: Path, reason: str) -> StartRefused:
    return StartRefused(
        f"{path} is damaged: {reason}",
        f"restore {path} from a backup, or delete it: it is made again from the same key",
        ExitCode.CONFIG,
    )


def _restore_or_start_anew(key_path: Path) -> str:
    certificate = key_path.with_name(CERTIFICATE_NAME)
    return (
        f"restore {key_path} from a backup; or delete {key_path} and {certificate} for a new "
        "identity, which every peer must then pin by `trust-runtime pki import-bundle --pin`"
    )
