"""How a client makes sure that it speaks to the runtime it means (contract 6.1)."""

import ssl
from pathlib import Path

from trust_runtime.contracts.errors import NoAnswer


def verification(endpoint: str, ca: Path | None) -> ssl.SSLContext | bool:
    """Return what is demanded of the server: a certificate of `ca`, or of the system's CAs.

    A file without any CA pins the certificates in it: whoever has their key is the runtime, under
    whatever name it is reached.

    Args:
        endpoint: plain HTTP needs nothing.
        ca: PEM certificates; None: those the system trusts.

    Raises:
        NoAnswer: the file cannot be used, so nothing can be proved.
    """
    if not endpoint.lower().startswith("https:"):
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        raise NoAnswer(
            f"{ca} holds no certificates that can be used: {error}",
            "name the CA bundle of the runtime's site with --ca FILE",
        ) from error
    # A leaf that is trusted itself needs nothing above it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not context.get_ca_certs():
        context.check_hostname = False
    return context
