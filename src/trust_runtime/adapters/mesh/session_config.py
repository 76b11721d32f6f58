"""How our Zenoh sessions are configured (contract 5.2; decisions 5, 31, 46).

The shared secret never stands in a log: `MeshOptions` does not print it, and a `zenoh.Config`,
which prints its password in clear, never leaves this package.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import zenoh
from msgspec import Struct

from trust_runtime.adapters.mesh.access import access_control
from trust_runtime.adapters.mesh.tls_material import MeshTls, TlsMaterial
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId

MESH_USER: Final = "trust"
"""Zenoh user name of every runtime; the password makes the difference."""

_PASSWORD_LABEL: Final = b"trust-mesh-v1"
_PLACEHOLDER: Final = "REPLACE_"

_ACCEPT_TIMEOUT_MS: Final = 2_000
_OPEN_TIMEOUT_MS: Final = 2_000  # Closing waits as long for a handshake that nobody answers.
_ACCEPT_PENDING_MAX: Final = 1_000
_SESSIONS_MAX: Final = 1_000
_MESSAGE_BYTES_MAX: Final = 4 * 2**20
_KEEP_ALIVES_PER_LEASE: Final = 4
_BLOCK_US_MAX: Final = 50_000  # A put that must not be lost holds its caller no longer than this.
_CLIENT_CONNECT_MS: Final = 1_000
_INTRODUCE_MS: Final = 1_000
_FOR_EVER_MS: Final = -1  # In the background; 0 would mean one try and no other.


class MeshOptions(Struct, frozen=True, kw_only=True):
    """What one runtime's mesh session needs to know.

    Raises:
        ContractViolation: another role, or a token without a file to hand it to Zenoh.
    """

    owner: RuntimeId
    """Whose session it is: nothing is said under another runtime's keys, and nobody else speaks
    under its own."""

    role: str
    """`peer` or `client`."""

    listen: tuple[str, ...] = ()
    """Concrete locators to listen on, `tcp/IP:PORT` or `tls/IP:PORT`; a client has none."""

    connect: tuple[str, ...] = ()
    """Locators to connect to and to stay connected with, of the same scheme."""

    tls: MeshTls | None = None
    """Certificates; None: links are plain TCP."""

    auth_token: str | None = None
    """Shared secret of the mesh; None admits everybody; `REPLACE_...` admits nobody."""

    users_file: Path | None = None
    """Where Zenoh reads the password from while it opens; needed with `auth_token`.

    In a private folder (0700); written with mode 0600 and removed again once it was read.
    """

    lease_ms: int = 1_000
    """Silence after which others give up our links, in milliseconds; announced to them."""

    retry_ms_max: int = 4_000
    """Longest pause between two tries to reach an address of `connect`, in milliseconds."""

    def __post_init__(self) -> None:
        if self.role not in {"peer", "client"}:
            raise ContractViolation("runtime.mesh.role", self.role, "peer or client")
        if self.auth_token is not None and self.users_file is None:
            raise ContractViolation("users_file", None, "a path, since there is an auth_token")
        for locator in (*self.listen, *self.connect):
            if not locator.startswith(self.scheme):
                raise ContractViolation("locator", locator, f"{self.scheme}HOST:PORT")

    @property
    def scheme(self) -> str:
        """How every locator of this mesh begins: `tls/` or `tcp/`."""
        return "tcp/" if self.tls is None else "tls/"

    def __repr__(self) -> str:
        """Return everything but the secret."""
        token = None if self.auth_token is None else "..."
        return (
            f"MeshOptions(owner={self.owner!r}, role={self.role!r}, listen={self.listen!r}, "
            f"connect={self.connect!r}, tls={self.tls!r}, auth_token={token!r}, "
            f"users_file={self.users_file!r}, lease_ms={self.lease_ms!r}, "
            f"retry_ms_max={self.retry_ms_max!r})"
        )


def mesh_password(token: str) -> str:
    """Return the Zenoh password for a mesh token: base64url (no padding) of HMAC-SHA256.

    A placeholder that nobody replaced gives a password that nobody else has.
    """
    if token.startswith(_PLACEHOLDER):
        return secrets.token_urlsafe(32)
    digest = hmac.digest(token.encode(), _PASSWORD_LABEL, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def session_config(
    options: MeshOptions, password: str | None, material: TlsMaterial | None = None
) -> zenoh.Config:
    """Return the configuration of a runtime's own session.

    Args:
        options: of the runtime.
        password: of the mesh; None: everybody is admitted.
        material: what `options.tls` holds on disk.
    """
    return _config(session_values(options, password, material))


def session_values(
    options: MeshOptions, password: str | None, material: TlsMaterial | None = None
) -> dict[str, object]:
    """Return the same as plain values, Zenoh key to value."""
    client = options.role == "client"
    values: dict[str, object] = {
        **_common_values(options, password, material),
        "mode": options.role,
        "connect/endpoints": options.connect,
        # A peer opens whether or not others are there; a client is nothing without its router.
        "connect/exit_on_failure": client,
        "connect/timeout_ms": _CLIENT_CONNECT_MS if client else _FOR_EVER_MS,
    }
    if not client:
        values["listen/endpoints"] = options.listen
        values["listen/exit_on_failure"] = True
    if password is not None and options.users_file is not None:
        values["transport/auth/usrpwd/dictionary_file"] = str(options.users_file)
    return values


def introducer_config(
    options: MeshOptions,
    password: str | None,
    remote: str,
    *,
    material: TlsMaterial | None = None,
) -> zenoh.Config:
    """Return the configuration of a session that makes our listener and `remote` acquainted.

    It listens nowhere and connects to nobody it hears of, so nobody else notices it.
    """
    values: dict[str, object] = {
        **_common_values(options, password, material),
        "mode": "peer",
        "listen/endpoints": (),
        "connect/endpoints": (options.listen[0], remote),
        # In the foreground: a session cannot close while a connection of it is under way.
        "connect/exit_on_failure": True,
        "connect/timeout_ms": _INTRODUCE_MS,
        "scouting/gossip/autoconnect": {"router": [], "peer": [], "client": []},
    }
    return _config(values)


@contextlib.contextmanager
def users_file(path: Path | None, password: str | None) -> Iterator[None]:
    """Keep the dictionary of users on disk while Zenoh opens, readable by our user alone.

    Raises:
        OSError: the file cannot be written.
    """
    if path is None or password is None:
        yield
        return
    path.unlink(missing_ok=True)  # Left over by a process killed in this very moment.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w") as file:
        file.write(f"{MESH_USER}:{password}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _common_values(
    options: MeshOptions, password: str | None, material: TlsMaterial | None
) -> dict[str, object]:
    values: dict[str, object] = {
        # Whatever gossip tells of an address of another scheme is not connected to.
        "transport/link/protocols": [options.scheme.removesuffix("/")],
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": True,
        # Without this, open waits 0.5 s for peers that may not exist.
        "open/return_conditions/connect_scouted": False,
        "connect/retry": {
            "period_init_ms": 100,
            "period_max_ms": options.retry_ms_max,
            "period_increase_factor": 2,
        },
        "adminspace/enabled": False,
        "access_control": access_control(options.owner),
        "transport/link/tx/lease": options.lease_ms,
        "transport/link/tx/keep_alive": _KEEP_ALIVES_PER_LEASE,
        "transport/link/tx/queue/congestion_control/block/wait_before_close": _BLOCK_US_MAX,
        "transport/link/rx/max_message_size": _MESSAGE_BYTES_MAX,
        "transport/unicast/accept_timeout": _ACCEPT_TIMEOUT_MS,
        "transport/unicast/accept_pending": _ACCEPT_PENDING_MAX,
        "transport/unicast/open_timeout": _OPEN_TIMEOUT_MS,
        "transport/unicast/max_sessions": _SESSIONS_MAX,
        "transport/unicast/compression/enabled": False,
        "transport/shared_memory/enabled": False,
    }
    if password is not None:
        values["transport/auth/usrpwd/user"] = MESH_USER
        values["transport/auth/usrpwd/password"] = password
    if options.tls is not None and material is not None:
        values.update(_tls_values(options.tls, material))
    return values


def _tls_values(tls: MeshTls, material: TlsMaterial) -> dict[str, object]:
    section = "transport/link/tls/"
    return {
        section + "root_ca_certificate_base64": base64.b64encode(material.roots_pem).decode(),
        section + "listen_certificate": str(tls.certificate),
        section + "listen_private_key": str(tls.key),
        section + "connect_certificate": str(tls.certificate),
        section + "connect_private_key": str(tls.key),
        section + "enable_mtls": True,
        section + "verify_name_on_connect": tls.verify_names,
        section + "close_link_on_expiration": True,
    }


def _config(values: Mapping[str, Any]) -> zenoh.Config:
    config = zenoh.Config()
    for key, value in values.items():
        config.insert_json5(key, msgspec.json.encode(value).decode())
    return config
