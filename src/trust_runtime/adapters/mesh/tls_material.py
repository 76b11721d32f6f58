"""What a TLS link needs from disk: the identity pair and whose certificates are believed (2.3).

Zenoh believes one list of CAs for every peer, so a link says only that some known site vouches for
the other end. Which site may vouch for whom is decided on signed messages, not here (D30).
"""

import hashlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.errors import MeshUnavailable
from trust_runtime.contracts.ids import is_id_part

_BUNDLE_BYTES_MAX: Final = 1_048_576


class MeshTls(Struct, frozen=True, kw_only=True):
    """Where the files of a mesh with TLS are."""

    certificate: Path
    """Own certificate and intermediates, PEM."""

    key: Path
    """Its private key, PEM."""

    own_bundle: Path
    """CAs of the own site, PEM."""

    federation: Path
    """Folder of `SITE.pem`, the CAs of other sites; it may be missing."""

    verify_names: bool = True
    """Whether the dialled name or address must stand in the certificate of the other end."""


@dataclass(frozen=True, kw_only=True)
class TlsMaterial:
    """The files of one moment."""

    roots_pem: bytes = field(repr=False)
    """CAs of the own site and of all federated ones."""

    digest: str
    """SHA-256 hex over all files: another one, and links are no longer made as the files say."""

    context: ssl.SSLContext = field(repr=False)
    """Greets a listener as Zenoh does: same pair, same CAs, same names verified."""

    left_out: tuple[str, ...] = ()
    """Bundles of other sites that cannot be used, each with the reason."""


def read_material(tls: MeshTls) -> TlsMaterial:
    """Read the files.

    Raises:
        MeshUnavailable: a file of the own identity is missing, unreadable or does not fit; a
            damaged bundle of another site is left out instead: it must not end our own mesh.
    """
    own = _read(tls.own_bundle)
    digest = hashlib.sha256()
    for content in (_read(tls.certificate), _read(tls.key), own):
        digest.update(hashlib.sha256(content).digest())
    context = _context(tls, own)
    roots, left_out = [own], []
    for path in _bundles(tls.federation):
        try:
            content = _read(path)
            context.load_verify_locations(cadata=content.decode("ascii"))
        except (MeshUnavailable, ssl.SSLError, ValueError) as error:
            left_out.append(f"{path.name}: {_reason(error)}")
            continue
        digest.update(path.name.encode() + hashlib.sha256(content).digest())
        roots.append(content)
    return TlsMaterial(
        roots_pem=b"\n".join(roots),
        digest=digest.hexdigest(),
        context=context,
        left_out=tuple(left_out),
    )


def _context(tls: MeshTls, own_bundle: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # Zenoh speaks no older one.
    context.check_hostname = tls.verify_names
    try:
        context.load_verify_locations(cadata=own_bundle.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise MeshUnavailable(f"{tls.own_bundle} holds no usable CA: {_reason(error)}") from error
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise MeshUnavailable(
            f"{tls.certificate} and {tls.key} are no pair: {_reason(error)}"
        ) from error
    return context


def _bundles(folder: Path) -> list[Path]:
    try:
        return sorted(
            path for path in folder.iterdir() if path.suffix == ".pem" and is_id_part(path.stem)
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MeshUnavailable(f"{folder} cannot be read: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_BUNDLE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise MeshUnavailable(
            f"{path} is missing: runtime.mesh.tls needs a certificate made by"
            " `trust-runtime pki issue`"
        ) from error
    except OSError as error:
        raise MeshUnavailable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _BUNDLE_BYTES_MAX:
        raise MeshUnavailable(f"{path} is longer than {_BUNDLE_BYTES_MAX} bytes")
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return str(error)
