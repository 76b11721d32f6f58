"""JSON answers and the headers that every one of them carries."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import Final

from starlette.responses import Response

from trust_runtime.contracts.codec import encode_json

JSON: Final = "application/json"
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""What an answer that is no page may load, should a browser show it all the same."""


def json_answer(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `value` as a JSON answer, members in the order of its contract."""
    return bytes_answer(encode_json(value), status=status, headers=headers)


def bytes_answer(
    content: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return ready JSON text as an answer."""
    return Response(content, status, {**common(), **(headers or {})}, media_type=JSON)


def text_answer(content: str, *, media_type: str) -> Response:
    """Return a text for programs that is not JSON."""
    return Response(content.encode(), headers=common(), media_type=media_type)


def page_answer(html: bytes, *, policy: str) -> Response:
    """Return a page; `policy` says what it may load and run."""
    headers = {
        **common(),
        "content-security-policy": policy,
        "x-frame-options": "DENY",
    }
    return Response(html, headers=headers, media_type="text/html; charset=utf-8")


def audit_header(audit_id: str | None) -> dict[str, str]:
    """Return the header that names the record of an answer; nothing when there is none."""
    return {} if audit_id is None else {"x-trust-audit-id": audit_id}


def common() -> dict[str, str]:
    """Return what every answer says."""
    return {
        "date": formatdate(usegmt=True),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "content-security-policy": _NOTHING,
    }
