"""Verbs at the control socket: the local entrance, through the same decision (14.3, 14.4)."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.actions import VERBS, ActionRequest, ActionType, VerbSpec
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.audit import AuditFilter, Outcome
from trust_runtime.contracts.codec import convert, nearest, to_plain
from trust_runtime.contracts.decisions import CheckOutcome
from trust_runtime.contracts.denial import STANDARD_REMEDY, Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId, parse_runtime_id
from trust_runtime.contracts.pairing import PairAnswer, PairStart
from trust_runtime.contracts.policy import Caller, allows
from trust_runtime.contracts.results import ControlReply, DispatchReport
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.policy.payload import verb_denial
from trust_runtime.ports.entropy import Entropy
from trust_runtime.services.actions import Actions
from trust_runtime.services.audit import Audit
from trust_runtime.services.execution import VerbRunner
from trust_runtime.services.pairings import Pairings
from trust_runtime.services.peers import Peers

_SOCKET: Final = "control socket"
_LIST_MAX: Final = 1_000
_PIN_LENGTH: Final = 64
_SEQ_MAX: Final = 2**63 - 1


class Control:
    """Answers control requests; a verb that changes something goes the way of a dispatch."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        actions: Actions,
        audit: Audit,
        peers: Peers,
        pairings: Pairings,
        entropy: Entropy,
        verbs: dict[str, VerbRunner],
        keep_peers: Callable[[], Awaitable[None]],
    ) -> None:
        self._own = own
        self._actions = actions
        self._audit = audit
        self._peers = peers
        self._pairings = pairings
        self._entropy = entropy
        self._verbs = verbs
        self._keep_peers = keep_peers

    async def handle(self, call: ControlCall, caller: Caller) -> ControlReply:
        """Return the reply to one call; a refusal is a reply too."""
        denial = self._denial(call, caller)
        if denial is not None:
            return _refused(call, denial)
        try:
            return await self._run(VERBS[call.type], call, caller)
        except ContractViolation as error:
            return _refused(call, deny(DenialCode.CONTRACT_VIOLATION, str(error)))
        except StoreFailed as error:
            return _refused(call, deny(DenialCode.TRANSPORT_FAILURE, error.reason, error.remedy))

    def _denial(self, call: ControlCall, caller: Caller) -> Denial | None:
        verb = VERBS.get(call.type)
        if verb is None:
            hint = nearest(call.type, list(VERBS))
            return deny(DenialCode.CONTRACT_VIOLATION, f"verb {call.type!r} is unknown{hint}")
        if not allows(caller.role, verb.role):
            return deny(DenialCode.PERMISSION_DENIED, f"requires role {verb.role}")
        return verb_denial(verb, call.params, local=True)

    async def _run(self, verb: VerbSpec, call: ControlCall, caller: Caller) -> ControlReply:
        match verb.name:
            case "shutdown":
                payload = {"command": "shutdown", "params": {"confirm": True}}
                return await self._act(call, caller, action=ActionType.CMD_INVOKE, payload=payload)
            case "config.set":
                return await self._act(
                    call, caller, action=ActionType.CFG_APPLY, payload={"params": call.params}
                )
            case "audit.list":
                records = await self._audit.list(_filter(call.params))
                return _done(call, {"items": records})
            case "audit.get":
                records = await self._audit.find(_text(call.params, "audit_id"))
                return _done(call, {"records": records})
            case "audit.verify":
                return _done(call, await self._audit.verify())
            case "peers.list":
                return _done(call, {"items": self._peer_list()})
            case "peers.pin":
                return await self._pin(call, caller)
            case "pair.start" | "pair.claim" | "pair.list" | "pair.revoke":
                return _paired(call, await self._pair(call, caller))
            case _:
                return _done(call, await self._verbs[verb.name](call.params))

    async def _act(
        self, call: ControlCall, caller: Caller, *, action: ActionType, payload: Any
    ) -> ControlReply:
        request = ActionRequest(
            api_version=API_VERSION,
            request_id=call.request_id or f"control-{self._entropy.uuid7()}",
            connected_via=self._own,
            target_runtimes=[self._own],
            actor=caller.identity,
            action_type=action,
            payload=payload,
        )
        report = await self._actions.dispatch(request, caller)
        result = report.results[0]
        if result.response is not None and result.ok:
            return ControlReply(
                id=call.id,
                ok=True,
                request_id=request.request_id,
                audit_id=result.audit_id,
                result=result.response.result,
            )
        return ControlReply(
            id=call.id,
            ok=False,
            request_id=request.request_id,
            audit_id=result.audit_id,
            error=result.denial_reason,
            denial_code=result.denial_code,
            remedy=_remedy(report),
        )

    async def _pin(self, call: ControlCall, caller: Caller) -> ControlReply:
        runtime_id = parse_runtime_id(_text(call.params, "runtime_id"))
        pin = call.params.get("pin")
        if pin is not None and not _is_pin(pin):
            raise ContractViolation("params.pin", pin, "64 lower-case hex digits, or null")
        draft = self._audit.local(
            "trust.changed",
            outcome=Outcome.EXECUTED,
            detail={"runtime_id": runtime_id, "pin": pin},
        )
        draft = structs.replace(
            draft,
            actor=caller.identity,
            identity=caller.identity,
            role=caller.role,
            request_id=call.request_id or draft.request_id,
        )
        await self._audit.append([draft])
        self._peers.pin(runtime_id, pin)
        await self._keep_peers()
        return ControlReply(
            id=call.id, ok=True, audit_id=draft.audit_id, result={"runtime_id": runtime_id}
        )

    async def _pair(self, call: ControlCall, caller: Caller) -> PairAnswer:
        match call.type:
            case "pair.start":
                return await self._pairings.start(convert(call.params, PairStart), caller)
            case "pair.claim":
                return await self._pairings.claim(_text(call.params, "code"), _SOCKET)
            case "pair.revoke":
                return await self._pairings.revoke(_text(call.params, "token_id"), caller)
            case _:
                return await self._pairings.list(caller)

    def _peer_list(self) -> list[dict[str, Any]]:
        return [
            {
                "runtime_id": peer.record.runtime_id,
                "pin": peer.record.pin,
                "lifecycle_state": peer.lifecycle,
                "trust_reason": peer.trust_reason,
                "last_seen_ns": peer.record.last_seen_ns,
            }
            for peer in sorted(self._peers, key=lambda p: p.record.runtime_id)
        ]


def _done(call: ControlCall, result: Any) -> ControlReply:
    return ControlReply(id=call.id, ok=True, request_id=call.request_id, result=to_plain(result))


def _paired(call: ControlCall, answer: PairAnswer) -> ControlReply:
    if answer.denial is not None:
        return structs.replace(_refused(call, answer.denial), audit_id=answer.audit_id)
    done = _done(call, answer.started or answer.claimed or answer.page or answer.revoked)
    return structs.replace(done, audit_id=answer.audit_id)


def _refused(call: ControlCall, denial: Denial) -> ControlReply:
    return ControlReply(
        id=call.id,
        ok=False,
        request_id=call.request_id,
        error=denial.reason,
        denial_code=denial.code,
        remedy=denial.remedy,
    )


def _remedy(report: DispatchReport) -> str | None:
    """Return what to do about a refused action: the decision's word, else that of the code."""
    checks = [check for decision in report.preflight.decisions for check in decision.checks]
    said = next((check.remedy for check in checks if check.outcome is CheckOutcome.DENY), None)
    return said or (None if report.denial_code is None else STANDARD_REMEDY[report.denial_code])


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise ContractViolation(f"params.{name}", value, "a text")
    return value


def _is_pin(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) == _PIN_LENGTH
        and all(character in "0123456789abcdef" for character in value)
    )


def _filter(params: dict[str, Any]) -> AuditFilter:
    limit = params.get("limit", 100)
    if not isinstance(limit, int) or not 1 <= limit <= _LIST_MAX:
        raise ContractViolation("params.limit", limit, f"1..{_LIST_MAX}")
    cursor = params.get("cursor")
    if cursor is not None and not (isinstance(cursor, int) and 0 < cursor <= _SEQ_MAX):
        raise ContractViolation("params.cursor", cursor, f"a sequence number, 1..{_SEQ_MAX}")
    texts: dict[str, str | None] = {}
    for name in ("request_id", "actor", "runtime"):
        texts[name] = _text(params, name) if params.get(name) is not None else None
    return AuditFilter(**texts, limit=limit, before_seq=cursor)
