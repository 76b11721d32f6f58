"""Asks the process that runs on a project, over its control socket (D57)."""

import os
import socket
import time
from pathlib import Path
from typing import Final

from trust_runtime.adapters.control_socket.identity import caller_of, peer_uid
from trust_runtime.adapters.control_socket.lines import UNKNOWN_ID
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.codec import decode_json, encode_json
from trust_runtime.contracts.errors import ContractViolation, ExitCode, StartRefused, TrustError
from trust_runtime.contracts.results import ControlReply

REPLY_BYTES_MAX: Final = 64 * 1024 * 1024
_PIECE_BYTES: Final = 65_536


class NobodyAnswers(TrustError):
    """No process listens on the control socket."""


def ask(path: Path, call: ControlCall, timeout_s: float) -> ControlReply:
    """Send one call and return the reply; a refusal is a reply too. Blocks.

    Args:
        path: of the socket.
        call: what to ask.
        timeout_s: for all of it together, in seconds.

    Raises:
        NobodyAnswers: there is no socket, or nobody listens on it.
        StartRefused: it does not answer in time (exit code 13), is another user's, or breaks off.
    """
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            _require_known(connection, path)
            _send(connection, call)
            line = _receive(connection, deadline)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NobodyAnswers(f"nobody answers on {path}") from error
        except (TimeoutError, BlockingIOError) as error:
            raise StartRefused(
                f"no answer on {path} within {timeout_s:g} s",
                "see the log of the runtime; what was asked may still be done",
                ExitCode.TIMEOUT,
            ) from error
        except OSError as error:
            raise StartRefused(
                f"control socket {path} cannot be used: {error.strerror or error}",
                "run this as the user who runs the runtime",
            ) from error
    return _read(line, call, path)


def _require_known(connection: socket.socket, path: Path) -> None:
    """Refuse the answers of another user: anybody may make a socket in a shared folder."""
    own = os.geteuid()
    server = peer_uid(connection)
    if own != 0 and server is not None and caller_of(server, own=own) is None:
        raise StartRefused(
            f"control socket {path} is served by user {server}",
            "run this as the user who runs the runtime",
        )


def _send(connection: socket.socket, call: ControlCall) -> None:
    try:
        connection.sendall(encode_json(call) + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        return  # It was turned away; the reason stands in the answer.


def _receive(connection: socket.socket, deadline: float) -> bytes:
    """Return the answer's line, or what there is of it when the other side ends."""
    received = bytearray()
    while not received.endswith(b"\n") and len(received) <= REPLY_BYTES_MAX:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        try:
            piece = connection.recv(_PIECE_BYTES)
        except ConnectionResetError:
            break
        if not piece:
            break
        received += piece
    return bytes(received)


def _read(line: bytes, call: ControlCall, path: Path) -> ControlReply:
    if len(line) > REPLY_BYTES_MAX:
        raise _unfit(path)
    if not line.endswith(b"\n"):
        raise StartRefused(
            f"the process at {path} ended without an answer",
            "see its log; what was asked may have been done",
        )
    try:
        reply = decode_json(line, ControlReply)
    except ContractViolation as error:
        raise _unfit(path) from error
    if reply.id != call.id and (reply.ok or reply.id != UNKNOWN_ID):
        raise _unfit(path)
    return reply


def _unfit(path: Path) -> StartRefused:
    return StartRefused(
        f"the process at {path} gave an answer that is none",
        "use the trust-runtime of the same version as the process",
    )
