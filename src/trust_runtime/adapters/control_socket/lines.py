"""One line of the control socket to a call, and a reply to one line (contract 14.4)."""

from typing import Final

from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.codec import convert, encode_json, to_plain
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation
from trust_runtime.contracts.results import ControlReply
from trust_runtime.contracts.strict_json import BODY_BYTES_MAX, parse_object

LINE_BYTES_MAX: Final = BODY_BYTES_MAX
"""Most bytes of a line, without its end."""

UNKNOWN_ID: Final = 0
"""The `id` in the reply to what has no readable one."""


def read_call(line: bytes) -> ControlCall | ControlReply:
    """Return the call in a line, or the reply that refuses it."""
    given = UNKNOWN_ID
    try:
        members = parse_object(line.removesuffix(b"\n"), bytes_max=LINE_BYTES_MAX)
        given = _id_in(members)
        return convert(members, ControlCall)
    except BodyTooLarge:
        return too_long()
    except ContractViolation as error:
        return refuse(deny(DenialCode.CONTRACT_VIOLATION, str(error)), call_id=given)


def write_reply(reply: ControlReply) -> bytes:
    """Return a reply as a line; `id` is always in it."""
    return encode_json({"id": reply.id, **to_plain(reply)}) + b"\n"


def refuse(denial: Denial, *, call_id: int = UNKNOWN_ID) -> ControlReply:
    """Return the reply that carries a refusal."""
    return ControlReply(
        id=call_id,
        ok=False,
        error=denial.reason,
        denial_code=denial.code,
        remedy=denial.remedy,
    )


def too_long() -> ControlReply:
    """Return the reply to a line beyond the limit."""
    return refuse(
        deny(
            DenialCode.CONTRACT_VIOLATION,
            f"the line has more than {LINE_BYTES_MAX} bytes",
            "send a shorter request; this connection ends",
        )
    )


def cut_off() -> ControlReply:
    """Return the reply to a line without its end: what it says may be a part of what was meant."""
    return refuse(
        deny(
            DenialCode.CONTRACT_VIOLATION,
            "the line has no end",
            "end the request with a line feed",
        )
    )


def _id_in(members: dict[str, object]) -> int:
    given = members.get("id")
    return given if type(given) is int else UNKNOWN_ID
