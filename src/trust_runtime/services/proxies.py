"""`POST control/proxy` and `POST /api/control`: verbs over HTTP, by the one decision (14.3)."""

from trust_runtime.contracts.actions import VERBS, ActionType
from trust_runtime.contracts.answers import Unanswered
from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest, to_plain
from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.proxies import (
    ControlRequest,
    DirectRequest,
    NotProxied,
    ProxyRequest,
)
from trust_runtime.contracts.results import ControlReply
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.policy.contract import is_actor, is_request_id
from trust_runtime.core.policy.payload import redacted_payload
from trust_runtime.core.proxy import action_of, answer_of, form_denial, to_request
from trust_runtime.ports.entropy import Entropy
from trust_runtime.services.actions import Actions
from trust_runtime.services.audit import Audit
from trust_runtime.services.fleet import Fleet

_REPLY_ID = 1


class Proxies:
    """Maps each verb to its action and has that dispatched; there is no other way to a verb."""

    def __init__(
        self, *, own: RuntimeId, actions: Actions, fleet: Fleet, audit: Audit, entropy: Entropy
    ) -> None:
        self._own = own
        self._actions = actions
        self._fleet = fleet
        self._audit = audit
        self._entropy = entropy

    async def proxy(
        self, wanted: ProxyRequest, caller: Caller
    ) -> ControlReply | Unanswered | NotProxied:
        """Have a verb run at any runtime of the fleet and return its reply.

        Raises:
            StoreFailed: a malformed request could not be recorded.
        """
        return await self._run(wanted, caller, reply_id=_REPLY_ID, prefix="proxy")

    async def control(
        self, wanted: DirectRequest, caller: Caller
    ) -> ControlReply | Unanswered | NotProxied:
        """Have a verb run here and return its reply.

        Raises:
            StoreFailed: a malformed request could not be recorded.
        """
        here = ProxyRequest(
            api_version=API_VERSION,
            actor=caller.identity,
            target_runtime=self._own,
            control_request=ControlRequest(
                type=wanted.type, params=wanted.params, request_id=wanted.request_id
            ),
        )
        return await self._run(here, caller, reply_id=wanted.id, prefix="control")

    async def _run(
        self, wanted: ProxyRequest, caller: Caller, *, reply_id: int, prefix: str
    ) -> ControlReply | Unanswered | NotProxied:
        denial = form_denial(wanted, self._fleet.decision_facts())
        if denial is not None:
            draft = self._refusal(wanted, caller, denial)
            await self._audit.append([draft])
            return NotProxied(denial=denial, audit_id=draft.audit_id)
        request_id = wanted.control_request.request_id or f"{prefix}-{self._entropy.uuid7()}"
        request = to_request(wanted, own=self._own, request_id=request_id)
        report = await self._actions.dispatch(request, caller)
        return answer_of(report, reply_id=reply_id)

    def _refusal(self, wanted: ProxyRequest, caller: Caller, denial: Denial) -> AuditDraft:
        """Return the record of a request that was none."""
        asked, audit_id = wanted.control_request, self._audit.new_id()
        verb = VERBS.get(asked.type)
        given = asked.request_id
        return AuditDraft(
            audit_id=audit_id,
            phase=Phase.SINGLE,
            timestamp_ns=self._audit.now_ns(),
            origin=self._own,
            actor=wanted.actor if is_actor(wanted.actor) else "unknown",
            identity=caller.identity,
            role=caller.role,
            action_type=ActionType.CMD_INVOKE if verb is None else action_of(verb),
            verb=None if verb is None else verb.name,
            request_id=given if given is not None and is_request_id(given) else audit_id,
            decision=Verdict.DENIED,
            denial_code=denial.code,
            outcome=Outcome.DENIED,
            payload_digest=digest(redacted_payload({"params": to_plain(asked.params)})),
        )
