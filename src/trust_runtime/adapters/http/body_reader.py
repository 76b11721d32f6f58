"""The process that reads large bodies: a text comes in, its values or what is wrong go out.

    python -P -m trust_runtime.adapters.http.body_reader BYTES_MAX

Each message, either way, is its length in four bytes and then itself. The process ends with its
input, so none is left behind by a runtime that was killed. It yields to everything else: who sends
a megabyte can wait.
"""

import os
import sys
from contextlib import suppress
from typing import Any, BinaryIO, Final

from msgspec import Struct

from trust_runtime.contracts.codec import pack
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.strict_json import parse_object

LENGTH_BYTES: Final = 4
_NICENESS: Final = 10


class Misfit(Struct, frozen=True, kw_only=True):
    """What is wrong with a text, as `ContractViolation` says it."""

    path: str
    """Where it stood."""

    value: str
    """What was given."""

    allowed: str
    """What would have been accepted."""


class Said(Struct, frozen=True, kw_only=True):
    """What is said about a text."""

    members: dict[str, Any] = {}
    """The members of its object."""

    misfit: Misfit | None = None
    """Why there are none to give."""


def length_of(message: bytes) -> bytes:
    """Return what stands before a message."""
    return len(message).to_bytes(LENGTH_BYTES, "big")


def judge(text: bytes, *, bytes_max: int) -> Said:
    """Return what the JSON door says about `text`.

    Raises:
        BodyTooLarge: it is longer than `bytes_max`.
    """
    try:
        return Said(members=parse_object(text, bytes_max=bytes_max))
    except ContractViolation as error:
        return Said(misfit=Misfit(path=error.path, value=str(error.value), allowed=error.allowed))


def answer_all(incoming: BinaryIO, outgoing: BinaryIO, *, bytes_max: int) -> None:
    """Answer one text after the other until the input ends."""
    while True:
        length = int.from_bytes(incoming.read(LENGTH_BYTES), "big")
        text = incoming.read(length)
        if not length or len(text) < length:
            return
        answer = pack(judge(text, bytes_max=bytes_max))
        outgoing.write(length_of(answer) + answer)
        outgoing.flush()


def main() -> int:
    """Answer what asks on the standard streams."""
    os.nice(_NICENESS)
    with suppress(BrokenPipeError):  # The runtime is gone, and with it who wanted to know.
        answer_all(sys.stdin.buffer, sys.stdout.buffer, bytes_max=int(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
