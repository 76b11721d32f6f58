"""A Zenoh session of our own beside the fleet: what an attacker on the mesh port can do."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zenoh
from msgspec import Struct, json

from trust_runtime.gates.security.keys import Sending
from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import LOOPBACK

QUERY_S: Final = 3.0
_LINK_S: Final = 2.5


class Badge(Struct, frozen=True, kw_only=True):
    """What somebody shows to get a link."""

    roots: Path | None = None
    """PEM of the CAs believed; None: no TLS."""
    certificate: Path | None = None
    """Own certificate; None: none is shown."""
    key: Path | None = None
    """Its key."""
    password: str | None = None
    """Of user `trust`."""


@contextlib.contextmanager
def stranger(node: Node, badge: Badge) -> Iterator[zenoh.Session]:
    """Yield a session that tries to link to the mesh port of a runtime.

    Raises:
        zenoh.ZError: nobody lets it in.
    """
    scheme = "tcp" if badge.roots is None else "tls"
    values: dict[str, object] = {
        "mode": "client",
        "connect/endpoints": [f"{scheme}/{LOOPBACK}:{node.mesh_port}"],
        "connect/exit_on_failure": True,
        "connect/timeout_ms": 2_000,
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": False,
    }
    if badge.roots is not None:
        values["transport/link/tls/root_ca_certificate"] = str(badge.roots)
        values["transport/link/tls/verify_name_on_connect"] = False
        values["transport/link/tls/close_link_on_expiration"] = False
    if badge.certificate is not None and badge.key is not None:
        values["transport/link/tls/enable_mtls"] = True
        values["transport/link/tls/connect_certificate"] = str(badge.certificate)
        values["transport/link/tls/connect_private_key"] = str(badge.key)
    if badge.password is not None:
        values["transport/auth/usrpwd/user"] = "trust"
        values["transport/auth/usrpwd/password"] = badge.password
    config = zenoh.Config()
    for name, value in values.items():
        config.insert_json5(name, json.encode(value).decode())
    session = zenoh.open(config)
    try:
        yield session
    finally:
        session.close()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks it.


def is_linked(session: zenoh.Session) -> bool:
    """Tell whether anybody is at the other end."""
    return bool(list(session.info.routers_zid()) + list(session.info.peers_zid()))


def gets_link(node: Node, badge: Badge) -> bool:
    """Tell whether somebody with that badge hears a beacon of the runtime."""
    try:
        with stranger(node, badge) as session:
            return hears(session)
    except zenoh.ZError:
        return False


def hears(session: zenoh.Session) -> bool:
    """Tell whether a beacon of anybody comes in."""
    heard: list[str] = []
    subscriber = session.declare_subscriber(
        "truST/*/*/svc/beacon", lambda sample: heard.append(str(sample.key_expr))
    )
    end_s = time.monotonic() + _LINK_S
    while not heard and time.monotonic() < end_s:
        time.sleep(0.05)
    subscriber.undeclare()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks it.
    return bool(heard)


def query(
    session: zenoh.Session, target: str, sending: Sending, *, key: str = "cmd/action"
) -> bytes | None:
    """Send one query and return what is answered; None: nothing."""
    for reply in session.get(
        f"truST/{target}/{key}",
        payload=sending.body,
        attachment=sending.token or None,
        timeout=QUERY_S,
    ):
        if reply.ok is not None:
            return reply.ok.payload.to_bytes()
    return None
