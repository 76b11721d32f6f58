"""The certificate of the HTTPS listener: loaded, checked, exchanged while it serves (6.1, 2.3)."""

import asyncio
import os
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.errors import ExitCode, StartRefused

LOOK_S: Final = 1.0
"""How often the files are looked at; a new certificate is served within twice that."""

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""For TLS 1.2; TLS 1.3 has no others than such: forward secrecy and authenticated encryption."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class TlsFiles(Struct, frozen=True, kw_only=True):
    """Where the pair is."""

    certificate: Path
    """PEM: the server's own certificate, then those between it and its CA."""

    key: Path
    """PEM, not encrypted, for its owner alone."""


def load_pair(files: TlsFiles) -> ssl.SSLContext:
    """Return what the listener needs to prove itself.

    Raises:
        StartRefused: exit 10; a file is missing, exposed, damaged, or they are no pair.
    """
    _require_usable(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password: an encrypted key is refused instead of being asked about.
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unreadable"
        raise _unfit(
            f"{files.certificate} and {files.key} are no usable pair: {reason}",
            "write a PEM certificate and its own unencrypted PEM key there",
        ) from error
    return context


def _require_usable(files: TlsFiles) -> None:
    for name, path in (("certificate", files.certificate), ("key", files.key)):
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            raise _unfit(
                f"the {name} {path} cannot be read: {error.strerror}",
                "have it issued with: trust-runtime pki issue --ca DIR --project DIR; or set"
                " runtime.tls.cert_path and runtime.tls.key_path to files that this user reads",
            ) from error
        if path == files.key and mode & _OTHERS:
            raise _unfit(
                f"{path} has mode {stat.S_IMODE(mode):04o}: group or others may use it",
                f"chmod 600 {path}",
            )


def _unfit(reason: str, remedy: str) -> StartRefused:
    return StartRefused(reason, remedy, ExitCode.CONFIG)


class ServerTls:
    """The pair that is served; a new one takes its place whole, or not at all.

    Attributes:
        context: for the listener; each handshake takes the pair that is newest then.
    """

    def __init__(
        self,
        files: TlsFiles,
        *,
        tell: Callable[[str], None] = lambda _text: None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Load the pair.

        Args:
            files: where it is.
            tell: told when a new one is served.
            warn: told when what lies there now cannot be; the former is served on.

        Raises:
            StartRefused: see `load_pair`.
        """
        self._files = files
        self._tell = tell
        self._warn = warn
        self._seen = _looks(files)
        self._newest = load_pair(files)
        self.context = self._newest
        self.context.sni_callback = self._choose

    async def run(self) -> None:
        """Look at the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Serve what lies there now, if it has changed and is fit."""
        seen = _looks(self._files)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._newest = load_pair(self._files)
        except StartRefused as refused:
            self._warn(f"the former certificate is served on: {refused.reason}; {refused.remedy}")
        else:
            self._tell(f"{self._files.certificate} is served from now on")

    def _choose(
        self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        handshake.context = self._newest


def _looks(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    """Return what tells one state of the files from another."""
    found: list[tuple[int, int, int] | None] = []
    for path in (files.certificate, files.key):
        try:
            now = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((now.st_ino, now.st_mtime_ns, now.st_size))
    return tuple(found)
