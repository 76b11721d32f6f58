"""The same request at its target: verify, judge, decide again, execute, answer (8.3).

Actions come on `cmd/action`, operations on the configuration on `cfg/agent`: both by one path.
"""

from collections import OrderedDict
from typing import Any, Final

from msgspec import Struct, structs

from trust_runtime.contracts.actions import (
    READS,
    VERB_READ,
    VERB_READS,
    ActionRequest,
    ActionType,
    ConfigOp,
    VerbRead,
)
from trust_runtime.contracts.codec import convert, decode_json, to_plain
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.envelope import ActionBody, ActionClaims, MeshMessage, SignerFacts
from trust_runtime.contracts.errors import (
    BodyTooLarge,
    ContractViolation,
    StoreFailed,
    TokenInvalid,
)
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import action_key, config_key
from trust_runtime.contracts.ledger import LEDGER_READ, LedgerQuestion
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.receipt import MovedFact
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.contracts.strict_json import parse_object
from trust_runtime.contracts.units import API_VERSION, MonotonicNs
from trust_runtime.core.envelope import ReceiptFacts, judge_receipt, time_left_ns
from trust_runtime.core.policy.contract import is_actor, is_request_id
from trust_runtime.core.policy.inbound import counted, decide_inbound
from trust_runtime.core.policy.operations import Decided, decided_as
from trust_runtime.core.preconditions import Preconditions, profile_denial
from trust_runtime.core.receipt import moved_at_target, moved_denial, target_facts
from trust_runtime.core.trust import trust_remedy
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.ports.store import LedgerStore
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_orders import ConfigOrders
from trust_runtime.services.execution import Execution
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.ledger_reads import LedgerReads
from trust_runtime.services.order import Order, refusal
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.sender_refusals import UNKNOWN, SenderRefusals
from trust_runtime.services.signing import Signing, body_digest

WAITING_MAX: Final = 256
_SENDINGS_MAX: Final = 65_536
_AUDIT_ID_LENGTH_MAX: Final = 64
_ACTION_OPS: Final = frozenset({*ActionType, VERB_READ, LEDGER_READ})
_UNREMEMBERED: Final = READS | {LEDGER_READ}


class _Door(Struct, frozen=True, kw_only=True):
    """What is taken on one key, and who executes it."""

    ops: frozenset[str]
    executor: Execution | ConfigOrders


class _Asked(Struct, frozen=True, kw_only=True):
    """What a signed body asks for."""

    op: str
    payload: Any
    decided: Decided


class Target:
    """Takes what other runtimes ask of this one; nothing unsigned has any effect.

    Attributes:
        refusals: what was refused before a decision, for its records once a second.
    """

    def __init__(  # noqa: PLR0913 - one port or service each
        self,
        *,
        running: Running,
        signing: Signing,
        peers: Peers,
        fleet: Fleet,
        ledger: LedgerStore,
        audit: Audit,
        execution: Execution,
        config: ConfigOrders,
        clock: Clock,
        log: Log,
    ) -> None:
        self._running = running
        self._signing = signing
        self._peers = peers
        self._fleet = fleet
        self._ledger = ledger
        self._ledger_reads = LedgerReads(ledger)
        self._audit = audit
        self._execution = execution
        own = running.settings.runtime_id
        self._doors = {
            action_key(own): _Door(ops=_ACTION_OPS, executor=execution),
            config_key(own): _Door(ops=frozenset(ConfigOp), executor=config),
        }
        self._clock = clock
        self._log = log
        self._sendings: OrderedDict[str, None] = OrderedDict()
        self.refusals = SenderRefusals(audit=audit, clock=clock, log=log)

    async def answer(self, message: MeshMessage) -> MeshMessage | None:
        """Answer one query; what nobody signed gets no answer, and is counted."""
        try:
            signer, claims = self._signing.read_action(message)
        except TokenInvalid as error:
            await self._count_refused(error.reason)
            return None
        with self._running.in_flight:
            try:
                reply = await self._handle(message, signer, claims)
            except StoreFailed as error:
                reply = TargetReply(
                    status=ResultStatus.FAILED,
                    denial_code=DenialCode.TRANSPORT_FAILURE,
                    denial_reason=error.reason,
                    remedy=error.remedy,
                )
            return self._signing.reply(claims, message.key, reply)

    async def _handle(
        self, message: MeshMessage, signer: SignerFacts, claims: ActionClaims
    ) -> TargetReply:
        origin = signer.runtime_id
        parsed = self._parse(message, claims)
        if isinstance(parsed, Denial):
            # What it asks is not known, so there is no decision to record: counted, like noise.
            await self._count_refused(parsed.reason)
            return refusal(parsed)
        untrusted = self._untrusted(signer, claims)
        facts = await self._facts(message, signer, claims)
        denial = untrusted or self._judge(signer, claims, facts)
        if claims.op == LEDGER_READ:
            here = self._fleet.decision_facts()
            lacking = Preconditions(profile=here.profile, unmet=here.unmet)
            denial = denial or profile_denial(lacking)
            return refusal(denial) if denial else await self._tell_ledger(origin, parsed.payload)
        order = self._order(origin, claims, parsed, facts=facts)
        if untrusted is not None:
            return await self._refuse_untrusted(order, untrusted)
        if denial is None:
            denial = decide_inbound(
                self._request(claims, parsed.decided),
                order.caller,
                self._fleet.decision_facts(),
                origin=origin,
                form_only=order.op is not None,
            )
        moved = () if denial else await self._moved(origin, claims)
        if moved:
            denial = moved_denial(moved, claims.request_id)
        if denial is not None:
            return structs.replace(await self._execution.refuse(order, denial), moved=moved)
        return await self._doors[message.key].executor.execute(order)

    async def _moved(self, origin: RuntimeId, claims: ActionClaims) -> tuple[MovedFact, ...]:
        """Return what is not as the receipt says; a write that was done has moved it itself."""
        if claims.expects is None:
            return ()
        known = await self._ledger_reads.read(origin, claims.request_id)
        if known.state is not None:
            return ()
        own = self._running.settings.runtime_id
        return moved_at_target(own, claims.expects, target_facts(self._fleet.word_of(own)))

    def _parse(self, message: MeshMessage, claims: ActionClaims) -> _Asked | Denial:
        """Return what a signed body asks for, or why that is nothing this key takes."""
        try:
            body = decode_json(message.body, ActionBody)
            # The door takes objects, a payload may be anything: it comes in as a member of one.
            payload = parse_object(b'{"payload":' + body.payload_json.encode() + b"}")["payload"]
        except (ContractViolation, BodyTooLarge, UnicodeEncodeError) as error:
            return deny(DenialCode.CONTRACT_VIOLATION, f"the body is not readable: {error}")
        door, decided = self._doors.get(message.key), decided_as(claims.op, payload)
        fits = (
            body.action_type == claims.op
            and door is not None
            and claims.op in door.ops
            and is_request_id(claims.request_id)
            and is_actor(claims.sub)
            and claims.audit_id.startswith("audit-")
            and len(claims.audit_id) <= _AUDIT_ID_LENGTH_MAX
            and (claims.op != VERB_READ or _verb_of(payload) is not None)
        )
        if not fits or decided is None:
            return deny(DenialCode.CONTRACT_VIOLATION, "claims and body do not fit the contract")
        return _Asked(op=claims.op, payload=payload, decided=decided)

    def _untrusted(self, signer: SignerFacts, claims: ActionClaims) -> Denial | None:
        reason = self._peers.admit(signer)
        if reason is None or self._may_read(claims, reason):
            return None
        return deny(
            DenialCode.PERMISSION_DENIED,
            f"{signer.runtime_id} is untrusted here: {reason}",
            trust_remedy(self._running.settings.profile),
        )

    async def _facts(
        self, message: MeshMessage, signer: SignerFacts, claims: ActionClaims
    ) -> ReceiptFacts:
        peer = self._peers.get(signer.runtime_id)
        has_effect = claims.op not in _UNREMEMBERED
        low_water_s = await self._ledger.low_water_s() if has_effect else 0
        return ReceiptFacts(
            own=self._running.settings.runtime_id,
            body_digest=body_digest(message.body),
            now_ns=self._clock.wall_ns(),
            offset_ns=None if peer is None else peer.offset_ns,
            own_ns=self._clock.monotonic_ns(),
            uptime_offset_ns=None if peer is None else peer.uptime_offset_ns(claims.boot_id),
            has_effect=has_effect,
            low_water_s=low_water_s,
            # The ledger answers a write that comes twice; a read would be executed again.
            jti_seen=not has_effect and claims.jti in self._sendings,
        )

    def _judge(
        self, signer: SignerFacts, claims: ActionClaims, facts: ReceiptFacts
    ) -> Denial | None:
        self._sendings[claims.jti] = None
        while len(self._sendings) > _SENDINGS_MAX:
            self._sendings.popitem(last=False)
        return judge_receipt(claims, signer, facts)

    def _may_read(self, claims: ActionClaims, reason: TrustReason) -> bool:
        doubled = reason is TrustReason.DUPLICATE_INSTANCE
        return claims.op in READS and self._peers.trust.uses_pins and not doubled

    def _order(
        self, origin: RuntimeId, claims: ActionClaims, asked: _Asked, *, facts: ReceiptFacts
    ) -> Order:
        own = self._running.settings.runtime_id
        return Order(
            origin=origin,
            caller=counted(Caller(identity=claims.iss, role=claims.role), origin=origin, own=own),
            actor=claims.sub,
            action_type=asked.decided.action_type,
            op=ConfigOp(asked.op) if asked.op in set(ConfigOp) else None,
            payload=asked.payload,
            request_id=claims.request_id,
            audit_id=claims.audit_id,
            iat_s=claims.iat,
            deadline_ns=MonotonicNs(facts.own_ns + time_left_ns(claims, facts)),
            verb=_verb_of(asked.payload) if asked.op == VERB_READ else None,
        )

    def _request(self, claims: ActionClaims, decided: Decided) -> ActionRequest:
        own = self._running.settings.runtime_id
        members: dict[str, Any] = {
            "api_version": API_VERSION,
            "request_id": claims.request_id,
            "connected_via": own,
            "target_runtimes": [own],
            "actor": claims.sub,
            "action_type": decided.action_type,
            "payload": decided.payload,
        }
        verb = _verb_of(decided.payload) if claims.op == VERB_READ else None
        return ActionRequest(**members) if verb is None else VerbRead(verb=verb, **members)

    async def _tell_ledger(self, origin: RuntimeId, payload: Any) -> TargetReply:
        """Tell an origin what became of a write of its own; decides nothing, records nothing."""
        try:
            question = convert(payload, LedgerQuestion, known_only=False)
        except ContractViolation as error:
            return refusal(deny(DenialCode.CONTRACT_VIOLATION, str(error)))
        entry = await self._ledger_reads.read(origin, question.request_id)
        answered = ControlReply(id=1, ok=True, result=to_plain(entry))
        return TargetReply(status=ResultStatus.EXECUTED, response=answered)

    async def _count_refused(self, reason: str) -> None:
        """Count what is refused before any decision; recorded at most once a second (D60)."""
        count = self.refusals.take(UNKNOWN, reason)
        if count:
            await self.refusals.record(UNKNOWN, count, reason)

    async def _refuse_untrusted(self, order: Order, denial: Denial) -> TargetReply:
        """Refuse an order of a sender that is not trusted; recorded at most once a second (D60)."""
        sender = spiffe_id(order.origin)
        count = self.refusals.take(sender, denial.reason)
        if count != 1:
            audit_id = None
            if count:
                audit_id = await self.refusals.record(sender, count, denial.reason)
            return refusal(denial, audit_id=audit_id)
        try:
            return await self._execution.refuse(order, denial)
        except StoreFailed:
            self.refusals.give_back(sender, count, denial.reason)
            raise


def _verb_of(payload: Any) -> str | None:
    """Return the verb a proxied read names, or None when it names none that only reads."""
    verb = payload.get("command") if isinstance(payload, dict) else None
    return verb if isinstance(verb, str) and verb in VERB_READS else None
