"""Request bodies: received within their limit, then one contract type (contract 6.1, stage 8)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from trust_runtime.contracts.codec import convert
from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation
from trust_runtime.core.policy.contract import is_newer_minor, is_request_id

T = TypeVar("T")


async def read_body(receive: Receive, headers: Headers, *, bytes_max: int) -> bytes:
    """Return the whole body; how long it may take is the connection's business.

    Raises:
        BodyTooLarge: it is, or says it will be, longer than `bytes_max`.
        ClientDisconnect: the client went away before its end.
    """
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise BodyTooLarge(f"the body has {announced} bytes, more than {bytes_max}")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > bytes_max:
            raise BodyTooLarge(f"the body has more than {bytes_max} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def to_contract(body: Mapping[str, Any], kind: type[T], *, unsigned: tuple[str, ...] = ()) -> T:
    """Return a body as `kind`.

    Members we do not know are refused, naming the nearest known one, unless the request says that
    it comes from a newer minor version, whose new members are optional (ruling 42).

    Args:
        body: what the JSON door gave.
        kind: the contract.
        unsigned: members that are refused when negative.

    Raises:
        ContractViolation: a member is missing, unknown, or has the wrong type.
    """
    version = body.get("api_version")
    newer = isinstance(version, str) and is_newer_minor(version)
    converted = convert(dict(body), kind, known_only=not newer)
    for name in unsigned:
        number = getattr(converted, name)
        if number is not None and number < 0:
            raise ContractViolation(f"$.{name}", number, "0 or more")
    return converted


def request_id_of(body: Mapping[str, Any]) -> str | None:
    """Return the caller's request id for the error envelope, when it has a usable one."""
    given = body.get("request_id")
    return given if isinstance(given, str) and is_request_id(given) else None
