"""Codes and tokens: `/api/pair/*` and `/api/pairings` (contract 6.4)."""

from typing import Final

from msgspec import structs
from starlette.responses import Response

from trust_runtime.adapters.http.answers import audit_header, json_answer
from trust_runtime.adapters.http.bodies import to_contract
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.pairing import PairAnswer, PairClaim, PairStart

_TOO_MANY: Final = 429


async def post_pair_start(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return a code for somebody who shall get a token of their own; owner and role are fixed here.

    It is valid once, for 300 s. A further code for the same owner ends the one before.
    """
    start = to_contract(asked.body, PairStart, unsigned=("token_days", "overlap_s"))
    return _told(await backend.operating.pairings.start(start, asked.caller))


async def post_pair_claim(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return the token of a code, once; each address has five tries a minute.

    Five wrong codes end every code that waits.
    """
    claim = to_contract(asked.body, PairClaim)
    answer = await backend.operating.pairings.claim(claim.code, asked.address)
    return _told(answer)


async def get_pairings(asked: Asked, backend: Backend) -> Response | Refusal:
    """Return every token that was given out, with owner, role and dates; none of them itself."""
    return _told(await backend.operating.pairings.list(asked.caller))


async def delete_pairing(asked: Asked, backend: Backend) -> Response | Refusal:
    """End a token at once and for ever; streams it opened end too."""
    token_id = asked.path["token_id"]
    return _told(await backend.operating.pairings.revoke(token_id, asked.caller))


def _told(answer: PairAnswer) -> Response | Refusal:
    headers = audit_header(answer.audit_id)
    if answer.denial is not None:
        refusal = structs.replace(refusal_of(answer.denial), headers=headers)
        too_many = answer.denial.code is DenialCode.OVERLOADED
        return structs.replace(refusal, status=_TOO_MANY) if too_many else refusal
    done = answer.started or answer.claimed or answer.page or answer.revoked
    return json_answer(done, headers=headers)
