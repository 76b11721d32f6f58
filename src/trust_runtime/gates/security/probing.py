"""What asking a process takes: answers, waiting, ports and the forms of values."""

import json
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from trust_runtime.gates.cases import CaseFailed

LOOPBACK: Final = "127.0.0.1"


CLOUD: Final = "/api/runtime-cloud"


ANSWER_S: Final = 15.0


READY_S: Final = 40.0


_LOOK_S: Final = 0.1


_PORTS: Final = range(20_000, 32_000)


class NotStarted(Exception):
    """What a check needs is not there: it says nothing of what is to be checked."""


class Answer(Struct, frozen=True, kw_only=True):
    """What one request was answered."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Names in lower case."""
    text: str
    """The body."""

    @property
    def json(self) -> Any:
        """The body as JSON; an empty object where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return {}

    @property
    def code(self) -> str | None:
        """The denial code, if there is one."""
        found = self.json
        return found.get("denial_code") if isinstance(found, dict) else None


def until(holds: Callable[[], bool], *, within_s: float, otherwise: Callable[[], str]) -> None:
    """Wait until it holds.

    Raises:
        CaseFailed: it does not within the time.
    """
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end_s:
            raise CaseFailed(f"not within {within_s:.0f} s: {otherwise()}")
        time.sleep(_LOOK_S)


def free_port() -> int:
    """Return a loopback TCP port nobody listens on now.

    Below those that the system hands out to whoever connects: one of these would be taken by a
    connection of anybody between here and the start of the process.
    """
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as listener:
            try:
                listener.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


def as_bytes(body: object) -> bytes:
    """Return a body as it travels."""
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def wipe(folder: Path) -> None:
    """Remove a folder of an earlier run."""
    shutil.rmtree(folder, ignore_errors=True)


def as_toml(value: object) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = ", ".join(
            "{" + ", ".join(f"{key} = {as_toml(one)}" for key, one in row.items()) + "}"
            for row in value
        )
        return f"[{rows}]"
    return json.dumps(value)
