"""Signed calls to one target and the reading of its answer (contract 5.6, 8.6)."""

import asyncio
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.actions import READS, ConfigOp
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import ActionBody, ActionClaims, MeshMessage
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import action_key, config_key
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.receipt import TargetFacts
from trust_runtime.contracts.results import TargetReply, TargetResult
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS, NS_PER_S, MonotonicNs
from trust_runtime.core import dispatch as core
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.mesh import Mesh, Silence
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing, body_digest

_TRIES: Final = 2
GRACE_MS: Final = 50
"""Longer than the deadline an answer is awaited: a target measures the deadline by beacons and may
be late by the transit of the fastest one, and who is told `timeout` sees nothing begin after it."""
_RUNNING_PAUSE_MS: Final = 100
_READABLE_REASONS: Final = (None, TrustReason.IDENTITY_CHANGED, TrustReason.EXPIRED)


class Call(Struct, frozen=True, kw_only=True):
    """One action, or one operation on the configuration, for one other runtime."""

    target: RuntimeId
    """Whom to ask."""
    action_type: str
    """What to do: an `ActionType` or a `ConfigOp`."""
    payload: Any
    """As given."""
    actor: str
    """The claim."""
    caller: Caller
    """Who asked the origin."""
    request_id: str
    """Key of idempotency."""
    audit_id: str
    """Of the origin's decision."""
    deadline_ns: MonotonicNs
    """When the answer must be there."""
    expects: TargetFacts | None = None
    """What the target is to find at its own end."""

    @property
    def key(self) -> str:
        """Where the target takes it."""
        is_config = self.action_type in set(ConfigOp)
        return config_key(self.target) if is_config else action_key(self.target)


class Calls:
    """Sends actions as signed envelopes; the ledger at the target makes one retry safe."""

    def __init__(
        self,
        *,
        running: Running,
        signing: Signing,
        peers: Peers,
        mesh: Mesh,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._running = running
        self._own = running.settings.runtime_id
        self._signing = signing
        self._peers = peers
        self._mesh = mesh
        self._clock = clock
        self._entropy = entropy

    async def call(self, call: Call) -> TargetReply | TargetResult:
        """Return the target's verified reply, or the result its silence amounts to."""
        body = canonical_json(
            ActionBody(
                action_type=call.action_type,
                payload_json=canonical_json(call.payload).decode(),
            )
        )
        silences = 0
        while (left_ms := self._left_ms(call)) > 0:
            claims = self._claims(call, body)
            message = self._signing.action(call.key, body, claims)
            answer = await self._mesh.query(message, timeout_ms=left_ms + GRACE_MS)
            if isinstance(answer, MeshMessage):
                read = self._read(call, claims, answer)
                if not (isinstance(read, TargetReply) and silences and _still_running(read)):
                    return read
                await asyncio.sleep(min(_RUNNING_PAUSE_MS, left_ms) / MS_PER_S)
            elif answer is Silence.TIMEOUT:
                return core.out_of_time(call.target)
            elif answer is Silence.OVERLOADED:
                return core.overloaded(call.target, sent_before=silences > 0)
            else:
                silences += 1
                if silences == _TRIES:
                    return core.failed(
                        call.target,
                        DenialCode.TARGET_UNREACHABLE,
                        _nobody(call),
                    )
        return core.out_of_time(call.target)

    def _left_ms(self, call: Call) -> int:
        return (call.deadline_ns - self._clock.monotonic_ns()) // NS_PER_MS

    def _claims(self, call: Call, body: bytes) -> ActionClaims:
        now_ns = self._clock.wall_ns()
        deadline_ns = now_ns + (call.deadline_ns - self._clock.monotonic_ns())
        return ActionClaims(
            iss=spiffe_id(self._own),
            aud=spiffe_id(call.target),
            sub=call.actor,
            role=call.caller.role,
            caller=call.caller.identity,
            op=call.action_type,
            request_id=call.request_id,
            audit_id=call.audit_id,
            digest=body_digest(body),
            jti=self._entropy.uuid7(),
            iat=now_ns // NS_PER_S,
            exp=-(-deadline_ns // NS_PER_S),
            deadline_ns=deadline_ns,
            boot_id=self._running.boot_id,
            deadline_uptime_ns=call.deadline_ns - self._running.started_ns,
            expects=call.expects,
        )

    def _read(
        self, call: Call, claims: ActionClaims, answer: MeshMessage
    ) -> TargetReply | TargetResult:
        try:
            signer = self._signing.read_reply(claims, answer)
            reply = decode_json(answer.body, TargetReply)
        except (TokenInvalid, ContractViolation) as error:
            return core.failed(
                call.target,
                DenialCode.TRANSPORT_FAILURE,
                f"the answer of {call.target} cannot be verified: {error}",
            )
        reason = self._peers.admit(signer)
        may_read = self._peers.trust.uses_pins and reason in _READABLE_REASONS
        readable = call.action_type in READS and may_read
        if reason is None or readable:
            return reply
        return core.failed(
            call.target,
            DenialCode.TRANSPORT_FAILURE,
            f"the answer of {call.target} is signed by an untrusted key: {reason}",
        )


def _nobody(call: Call) -> str:
    said = f"nobody answers for {call.target}"
    if call.action_type in READS:
        return said
    # A target that dies while it answers looks like one that was never there.
    return f"{said}; if it died meanwhile, its effect is unknown: ask again, same request_id"


def _still_running(reply: TargetReply) -> bool:
    return reply.retry_after_ms is not None
