"""`config`, `config/desired`, `config/history` and `config/rollback` (contract 6.10 to 6.12)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs
from starlette.datastructures import Headers
from starlette.responses import Response

from trust_runtime.adapters.http.answers import audit_header, json_answer
from trust_runtime.adapters.http.bodies import to_contract
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.adapters.http.naming import addressed
from trust_runtime.adapters.http.query import whole_number
from trust_runtime.adapters.http.targets import PRIVILEGED, unanswered
from trust_runtime.contracts.answers import ConfigAnswer, Unanswered
from trust_runtime.contracts.config import (
    HISTORY_LIMIT_MAX,
    REVISION_MAX,
    ConfigRollback,
    DesiredWrite,
    HistoryParams,
)
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.pages import DesiredDone

_ETAG: Final = re.compile(r'"([\x21\x23-\x7e]+)"')
_PRECONDITION_FAILED: Final = 412
_ITEMS_DEFAULT: Final = "50"


async def get_config(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return the documents; the `ETag` is that of `desired`."""
    target = addressed(asked.query.get("target"), backend)
    if isinstance(target, Refusal):
        return target
    shown = await backend.config.view(target, asked.caller)
    if isinstance(shown, Unanswered):
        return unanswered(shown)
    etag = {"etag": f'"{shown.content.meta.desired_etag}"'}
    return json_answer(shown.content, headers=etag | audit_header(shown.audit_id))


async def get_history(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return revisions, newest first, secrets redacted; fewer than asked for when they are long.

    With `revision` that one alone and its whole document; one that is not kept any more is refused.
    """
    query = asked.query
    target = addressed(query.get("target"), backend)
    if isinstance(target, Refusal):
        return target
    shown = await backend.config.history(target, _wanted(query), asked.caller)
    if isinstance(shown, Unanswered):
        return unanswered(shown)
    return json_answer(shown.content, headers=audit_header(shown.audit_id))


def _wanted(query: Mapping[str, str]) -> HistoryParams:
    def number(name: str) -> int | None:
        text = query.get(name)
        return None if text is None else whole_number(name, text, least=1, most=REVISION_MAX)

    limit = query.get("limit", _ITEMS_DEFAULT)
    if "revision" in query and not query.keys().isdisjoint({"limit", "before"}):
        raise ContractViolation("query.revision", query["revision"], "no `limit`, no `before`")
    return HistoryParams(
        limit=whole_number("limit", limit, least=1, most=HISTORY_LIMIT_MAX),
        before=number("before"),
        revision=number("revision"),
    )


async def post_desired(asked: Asked, backend: Backend) -> Response | Refusal:
    """Store a patch, or say why not and show the documents as they are."""
    target = addressed(asked.query.get("target"), backend)
    if isinstance(target, Refusal):
        return target
    write = to_contract(asked.body, DesiredWrite, unsigned=("expected_revision",))
    if_match = parse_if_match(asked.headers)
    return _told(await backend.config.write_desired(target, write, asked.caller, if_match=if_match))


async def post_rollback(asked: Asked, backend: Backend) -> Response | Refusal:
    """Store the document of an older revision as a new one, or say why not."""
    target = addressed(asked.query.get("target"), backend)
    if isinstance(target, Refusal):
        return target
    rollback = to_contract(asked.body, ConfigRollback, unsigned=("revision", "expected_revision"))
    return _told(await backend.config.roll_back(target, rollback, asked.caller))


def parse_if_match(headers: Headers) -> str | None:
    """Return the etag of `If-Match` without its quotes, `*`, or None when there is none.

    Raises:
        ContractViolation: it is weak, a list, repeated, or not in quotes.
    """
    given = headers.getlist("if-match")
    if not given:
        return None
    text = given[0].strip()
    match = _ETAG.fullmatch(text)
    if len(given) == 1 and text == "*":
        return text
    if len(given) > 1 or match is None:
        raise ContractViolation("If-Match", ", ".join(given), 'one strong "ETAG" in quotes, or *')
    return match[1]


def _told(answer: ConfigAnswer | Unanswered) -> Response | Refusal:
    if isinstance(answer, Unanswered):
        return unanswered(answer)
    if answer.denial is not None:
        return _refused(answer, answer.denial)
    done = DesiredDone(
        ok=True,
        changed=answer.changed,
        audit_id=answer.audit_id,
        meta=answer.meta,
        status=answer.status,
        replayed=answer.replayed,
    )
    return json_answer(done, headers=audit_header(answer.audit_id))


def _refused(answer: ConfigAnswer, denial: Denial) -> Refusal:
    refusal = refusal_of(denial)
    members: dict[str, Any] = {}
    if denial.code is DenialCode.REVISION_CONFLICT:
        members = {
            "required_action": "rebase_required",
            "desired": answer.desired,
            "reported": answer.reported,
            "meta": answer.meta,
            "status": answer.status,
        }
    elif denial.code is DenialCode.ACL_DENIED_CFG_WRITE:
        members = dict(PRIVILEGED)
    return structs.replace(
        refusal,
        status=_PRECONDITION_FAILED if answer.if_match_failed else refusal.status,
        members=_present(members),
        headers=audit_header(answer.audit_id),
    )


def _present(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members that have a value: one without is omitted (contract 1.3)."""
    return {name: value for name, value in members.items() if value is not None}
