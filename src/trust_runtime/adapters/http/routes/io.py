"""`io/config` (contract 6.15)."""

from typing import Final

from starlette.responses import Response

from trust_runtime.adapters.http.answers import audit_header, json_answer
from trust_runtime.adapters.http.bodies import to_contract
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.adapters.http.naming import addressed, named_runtime
from trust_runtime.adapters.http.targets import unanswered
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.io import IoSaved, IoWrite

_SAVED: Final = "I/O config saved; restart needed"


async def get_io_config(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return drivers and safe state; secret parameters are hidden."""
    target = addressed(asked.query.get("target"), backend)
    if isinstance(target, Refusal):
        return target
    shown = await backend.operating.io.view(target, asked.caller)
    if isinstance(shown, Unanswered):
        return unanswered(shown)
    return json_answer(shown.content, headers=audit_header(shown.audit_id))


async def post_io_config(asked: Asked, backend: Backend) -> Response | Refusal:
    """Write drivers and safe state; in force at the next start of the process."""
    write = to_contract(asked.body, IoWrite)
    target = named_runtime(write.target_runtime, backend)
    if isinstance(target, Refusal):
        return target
    answer = await backend.operating.io.write(target, write, asked.caller)
    if isinstance(answer, Unanswered):
        return unanswered(answer)
    if answer.denial is not None or answer.etag is None:
        assert answer.denial is not None  # noqa: S101 - one of the two is there
        return refusal_of(answer.denial, headers=audit_header(answer.audit_id))
    done = IoSaved(
        ok=True,
        message=_SAVED,
        etag=answer.etag,
        audit_id=answer.audit_id,
        replayed=answer.replayed,
    )
    return json_answer(done, headers=audit_header(answer.audit_id))
