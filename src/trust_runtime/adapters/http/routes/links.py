"""`links` and `links/transport` (contract 6.13)."""

from starlette.responses import Response

from trust_runtime.adapters.http.answers import audit_header, json_answer
from trust_runtime.adapters.http.bodies import to_contract
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.contracts.links import (
    LinkAnswer,
    LinkPage,
    LinkRemoved,
    LinkSet,
    TransportWrite,
)
from trust_runtime.contracts.units import API_VERSION

MEMBERS = ("source", "target")


async def get_links(_asked: Asked, backend: Backend) -> Response:
    """Return every link preference in force, also those of the configuration."""
    items = backend.operating.links.list()
    return json_answer(LinkPage(api_version=API_VERSION, items=items))


async def post_transport(asked: Asked, backend: Backend) -> Response | Refusal:
    """Store how process data travels from this runtime to another one, or say why not."""
    write = to_contract(asked.body, TransportWrite)
    answer = await backend.operating.links.set(write, asked.caller)
    if answer.preference is None:
        return _refused(answer)
    done = LinkSet(
        ok=True,
        preference=answer.preference,
        audit_id=answer.audit_id,
        warnings=answer.warnings,
    )
    return json_answer(done, headers=audit_header(answer.audit_id))


async def delete_link(asked: Asked, backend: Backend) -> Response | Refusal:
    """Forget a preference that was set through the API."""
    source, target = (asked.query.get(name, "") for name in MEMBERS)
    answer = await backend.operating.links.remove(source, target, asked.caller)
    if answer.preference is None:
        return _refused(answer)
    done = LinkRemoved(ok=True, removed=answer.preference, audit_id=answer.audit_id)
    return json_answer(done, headers=audit_header(answer.audit_id))


def _refused(answer: LinkAnswer) -> Refusal:
    assert answer.denial is not None  # noqa: S101 - one of the two is there
    return refusal_of(answer.denial, headers=audit_header(answer.audit_id))
