"""Asks other runtimes about their audit logs, and says why one gave no answer (10.2, 10.4)."""

import asyncio
from typing import Any, Final

from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.envelope import ActionClaims, MeshMessage
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import audit_key
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS, NS_PER_S
from trust_runtime.contracts.witness import HashAt, HeldHeads, Unasked, WitnessQuestion
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.mesh import Mesh, Silence
from trust_runtime.services.peers import Peers
from trust_runtime.services.signing import Signing, body_digest

_ASK_MS: Final = 2_000
_HEADS_MS: Final = 10_000
"""One sending of `audit.heads`: whoever is asked verifies its whole log first."""
_HEADS_BUDGET_MS: Final = 20_000
_STALE_WAIT_MS: Final = 3_000
"""So long somebody who is stale may take to be heard again: on a busy machine a moment."""
_UNHEARD_MAX: Final = 5
"""Sendings that nobody answers; one may be lost on a full link, not one after the other."""
_FIRST_PAUSE_MS: Final = 200
_PAUSE_MS_MAX: Final = 2_000

_GONE: Final = {
    Lifecycle.OFFLINE: Unasked(reason="it is offline", remedy="start it, then verify again"),
    Lifecycle.PARTITIONED: Unasked(
        reason="it is partitioned: it has not been heard for long",
        remedy="see trust-runtime fleet matrix for why, then verify again",
    ),
    Lifecycle.STALE: Unasked(
        reason="it is stale: it is not heard at present",
        remedy="see trust-runtime fleet matrix for why, then verify again",
    ),
}
_SILENT: Final = {
    Silence.NOBODY: Unasked(
        reason=f"it is online, but left {_UNHEARD_MAX} questions unanswered",
        remedy="see with trust-runtime fleet status at that runtime whether it trusts this one",
    ),
    Silence.TIMEOUT: Unasked(
        reason=f"no answer within {_HEADS_BUDGET_MS // MS_PER_S} s",
        remedy="run trust-runtime audit verify at that runtime; verify again when it is less busy",
    ),
    Silence.OVERLOADED: Unasked(
        reason="it has too many such questions waiting", remedy="verify again in a minute"
    ),
}


class WitnessAsking:
    """Sends signed questions about audit logs; an answer counts when its signer is trusted."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        peers: Peers,
        signing: Signing,
        mesh: Mesh,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._own = own
        self._peers = peers
        self._signing = signing
        self._mesh = mesh
        self._clock = clock
        self._entropy = entropy

    async def hash_at(self, runtime_id: RuntimeId, seq: int) -> HashAt | None:
        """Return what a runtime says of one of its records, or None without an answer."""
        answer = await self._ask(
            runtime_id, WitnessQuestion.AT, HashAt(seq=seq), timeout_ms=_ASK_MS
        )
        try:
            there = decode_json(answer, HashAt) if isinstance(answer, bytes) else None
        except ContractViolation:
            return None
        return there if there is not None and there.seq == seq else None

    async def heads(self, runtime_id: RuntimeId) -> HeldHeads | Unasked:
        """Return the chain result and the held heads of a runtime, or why it could not be asked.

        A question that nobody takes is sent again, within 20 s altogether.
        """
        began_ns = self._clock.monotonic_ns()
        silence, unheard, pause_ms = Silence.TIMEOUT, 0, _FIRST_PAUSE_MS
        while (past_ms := self._past_ms(began_ns)) < _HEADS_BUDGET_MS:
            gone = self._gone(runtime_id)
            if gone is None:
                timeout_ms = min(_HEADS_MS, _HEADS_BUDGET_MS - past_ms)
                answer = await self._ask(
                    runtime_id, WitnessQuestion.HEADS, {}, timeout_ms=timeout_ms
                )
                if not isinstance(answer, Silence):
                    return _read(answer)
                silence = answer
                unheard += silence is Silence.NOBODY
                if unheard == _UNHEARD_MAX:
                    break
            elif not self._may_come_back(runtime_id) or past_ms >= _STALE_WAIT_MS:
                return gone
            await asyncio.sleep(pause_ms / MS_PER_S)
            pause_ms = min(2 * pause_ms, _PAUSE_MS_MAX)
        return _SILENT[silence]

    def _past_ms(self, began_ns: int) -> int:
        return (self._clock.monotonic_ns() - began_ns) // NS_PER_MS

    def _gone(self, runtime_id: RuntimeId) -> Unasked | None:
        peer = self._peers.get(runtime_id)
        return _GONE.get(Lifecycle.OFFLINE if peer is None else peer.lifecycle)

    def _may_come_back(self, runtime_id: RuntimeId) -> bool:
        peer = self._peers.get(runtime_id)
        return peer is not None and peer.lifecycle is Lifecycle.STALE

    async def _ask(
        self, runtime_id: RuntimeId, question: WitnessQuestion, content: Any, *, timeout_ms: int
    ) -> bytes | Silence | Unasked:
        """Return the body of a verified answer, or why there is none; one sending."""
        body, now_ns = canonical_json(content), self._clock.wall_ns()
        deadline_ns = now_ns + timeout_ms * NS_PER_MS
        claims = ActionClaims(
            iss=spiffe_id(self._own),
            aud=spiffe_id(runtime_id),
            sub=spiffe_id(self._own),
            role=Role.VIEWER,
            caller=spiffe_id(self._own),
            op=question,
            request_id=question,
            audit_id="",
            digest=body_digest(body),
            jti=self._entropy.uuid7(),
            iat=now_ns // NS_PER_S,
            exp=-(-deadline_ns // NS_PER_S),
            deadline_ns=deadline_ns,
        )
        message = self._signing.action(audit_key(runtime_id), body, claims)
        answer = await self._mesh.query(message, timeout_ms=timeout_ms)
        if not isinstance(answer, MeshMessage):
            return answer
        try:
            signer = self._signing.read_reply(claims, answer)
        except TokenInvalid as error:
            return _unreadable(str(error))
        reason = self._peers.admit(signer)
        if reason is not None:
            return Unasked(
                reason=f"its answer is signed by an untrusted key: {reason}",
                remedy="check the identity, then trust-runtime pki import-bundle --pin",
            )
        return answer.body


def _read(answer: bytes | Unasked) -> HeldHeads | Unasked:
    if isinstance(answer, Unasked):
        return answer
    try:
        return decode_json(answer, HeldHeads)
    except ContractViolation as error:
        return _unreadable(str(error))


def _unreadable(why: str) -> Unasked:
    return Unasked(
        reason=f"its answer cannot be understood: {why}",
        remedy="compare the versions of both runtimes",
    )
