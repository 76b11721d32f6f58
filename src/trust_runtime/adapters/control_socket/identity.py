"""Who is at the other end of a Unix socket, as the kernel says it (contract 14.4)."""

import socket
import struct
import sys
from asyncio.trsock import TransportSocket
from typing import Final

from trust_runtime.contracts.policy import Caller, Role

if sys.platform == "linux":
    _LEVEL, _OPTION = socket.SOL_SOCKET, socket.SO_PEERCRED
    _CREDENTIALS: Final = struct.Struct("iII")  # struct ucred: pid, uid, gid
else:
    _LEVEL, _OPTION = 0, 1  # macOS: SOL_LOCAL, LOCAL_PEERCRED
    _CREDENTIALS: Final = struct.Struct("II68x")  # struct xucred: version, uid, groups

_ROOT: Final = 0


def caller_of(uid: int | None, *, own: int) -> Caller | None:
    """Return who a user is to a process of user `own`: admin when the same or root, else nobody."""
    if uid is None or uid not in {own, _ROOT}:
        return None
    return Caller(identity=f"uid://{uid}", role=Role.ADMIN)


def peer_uid(connection: socket.socket | TransportSocket) -> int | None:
    """Return the user of the connected peer at the time it connected; None: not to be known."""
    try:
        raw = connection.getsockopt(_LEVEL, _OPTION, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(raw)[1])
    except (OSError, struct.error):  # It is gone already, or no Unix socket.
        return None
