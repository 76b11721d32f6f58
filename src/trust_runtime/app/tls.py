"""Which certificates a project uses for HTTPS, and which bundle proves them (contract 2.3, 4.2)."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from trust_runtime.adapters.http.tls import TlsFiles, load_pair
from trust_runtime.adapters.pki.identity import CERTIFICATE_NAME, KEY_NAME, identity_folder
from trust_runtime.contracts.settings import Settings

_BUNDLE: Final = "ca.pem"


class Proof(Struct, frozen=True, kw_only=True):
    """What a client of the own machine needs to ask a project's runtime."""

    endpoint: str
    """Scheme, host and port."""

    ca: Path | None
    """Certificates that prove the runtime; None for plain HTTP."""

    token: str | None
    """The token of `runtime.toml`, if one is asked for."""


def web_url(settings: Settings) -> str:
    """Return where HTTP is served, as its configuration has it."""
    return f"{'https' if settings.web.tls else 'http'}://{settings.web.listen}"


def tls_files(folder: Path, settings: Settings) -> TlsFiles:
    """Return the pair of the HTTPS listener: the configured one, else that of the identity."""
    tls = settings.tls
    if tls.cert_path is not None and tls.key_path is not None:
        return TlsFiles(certificate=folder / tls.cert_path, key=folder / tls.key_path)
    home = identity_folder(folder)
    return TlsFiles(certificate=home / CERTIFICATE_NAME, key=home / KEY_NAME)


def require_tls(folder: Path, settings: Settings) -> None:
    """Refuse a project whose configured pair cannot be served; the identity's may be made yet.

    Raises:
        StartRefused: exit 10; naming the file.
    """
    if settings.web.enabled and settings.web.tls and settings.tls.cert_path is not None:
        load_pair(tls_files(folder, settings))


def proof_of(folder: Path, settings: Settings) -> Proof:
    """Return how the runtime of a project is asked from this machine."""
    listen = settings.web.listen
    ip = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.ip, listen.ip)  # noqa: S104 - what it stands for
    host = f"[{ip}]" if ":" in ip else ip
    scheme = "https" if settings.web.tls else "http"
    token = settings.control_token if settings.web.auth == "token" else None
    usable = token is not None and not token.is_placeholder
    return Proof(
        endpoint=f"{scheme}://{host}:{listen.port}",
        ca=_bundle(folder, settings) if settings.web.tls else None,
        token=token.value if token is not None and usable else None,
    )


def _bundle(folder: Path, settings: Settings) -> Path:
    """Return what proves the runtime: the bundle of its site, else its own certificate."""
    if settings.tls.ca_path is not None:
        return folder / settings.tls.ca_path
    bundle = identity_folder(folder) / _BUNDLE
    return bundle if bundle.exists() else tls_files(folder, settings).certificate
