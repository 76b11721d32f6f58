"""`POST config/desired` and `config/rollback`: the local entrance to the one agent (6.11, 6.12)."""

from collections.abc import Mapping
from typing import Any, Final

from trust_runtime.contracts.actions import ActionType, ConfigOp
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
    HistoryParams,
    RollbackParams,
    WriteParams,
)
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.core.config.change import Refusal
from trust_runtime.core.policy.config_request import (
    keys_denial,
    request_denial,
    role_denial,
    scope_denial,
)
from trust_runtime.ports.clock import Clock
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_orders import ConfigOrders
from trust_runtime.services.order import Order, now_s
from trust_runtime.services.peers import Peers
from trust_runtime.services.store_health import StoreHealth

_BUDGET_MS: Final = 1_500


class DesiredWrites:
    """Takes local configuration writes through decision, ledger and records."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        config: ConfigOrders,
        audit: Audit,
        peers: Peers,
        health: StoreHealth,
        clock: Clock,
    ) -> None:
        self._own = own
        self._config = config
        self._audit = audit
        self._peers = peers
        self._health = health
        self._clock = clock

    async def view(self) -> ConfigView:
        """Return what `GET config` shows."""
        return await self._config.view()

    async def history(self, wanted: HistoryParams) -> ConfigHistory:
        """Return what `GET config/history` shows.

        Raises:
            StoreFailed: it cannot be read.
        """
        return await self._config.history(wanted)

    async def write_desired(
        self, write: DesiredWrite, caller: Caller, *, if_match: str | None
    ) -> ConfigAnswer:
        """Store a patch, or return why not; every decision is recorded before the answer.

        Raises:
            StoreFailed: nothing was kept.
        """
        asked = write_params(write, if_match)
        order = self._order(write, caller, op=ConfigOp.WRITE, payload=to_plain(asked))
        try:
            denial = self._denial(write, caller, write.desired)
            if denial is not None:
                return await self._config.refuse(order, Refusal(denial=denial))
            return await self._config.write(order, asked, remember=write.request_id is not None)
        except StoreFailed as error:
            self._health.failed(error)
            raise

    async def roll_back(self, rollback: ConfigRollback, caller: Caller) -> ConfigAnswer:
        """Store an older document as a new revision, or return why not; recorded either way.

        Raises:
            StoreFailed: nothing was kept.
        """
        asked = rollback_params(rollback)
        order = self._order(rollback, caller, op=ConfigOp.ROLLBACK, payload=to_plain(asked))
        try:
            denial = self._denial(rollback, caller, {})
            if denial is not None:
                return await self._config.refuse(order, Refusal(denial=denial))
            return await self._config.roll_back(
                order, asked, remember=rollback.request_id is not None
            )
        except StoreFailed as error:
            self._health.failed(error)
            raise

    def _denial(
        self, asked: DesiredWrite | ConfigRollback, caller: Caller, patch: Mapping[str, Any]
    ) -> Denial | None:
        """Return the first failing check of contract 6.11 that needs no documents."""
        denial = request_denial(asked.api_version, asked.actor, asked.request_id)
        if denial is not None:
            return denial
        if self._health.fault is not None:
            raise StoreFailed(self._health.fault, self._health.remedy or "")
        denial = scope_denial(asked.actor, caller)
        if denial is not None:
            return denial
        if self._peers.own_trust_reason is not None:
            return deny(
                DenialCode.PERMISSION_DENIED,
                f"{self._own} itself is untrusted: {self._peers.own_trust_reason}",
                "stop the other process with this id, or repair the identity",
            )
        return keys_denial(patch) or role_denial(patch, caller.role)

    def _order(
        self, asked: DesiredWrite | ConfigRollback, caller: Caller, *, op: ConfigOp, payload: Any
    ) -> Order:
        audit_id = self._audit.new_id()
        return Order(
            origin=self._own,
            caller=caller,
            actor=asked.actor,
            action_type=ActionType.CFG_APPLY,
            op=op,
            payload=payload,
            # A write without a request id is remembered by nobody; its record is named by itself.
            request_id=audit_id if asked.request_id is None else asked.request_id,
            audit_id=audit_id,
            iat_s=now_s(self._clock),
            deadline_ns=MonotonicNs(self._clock.monotonic_ns() + _BUDGET_MS * NS_PER_MS),
        )


def write_params(write: DesiredWrite, if_match: str | None) -> WriteParams:
    """Return what a write asks of the agent."""
    return WriteParams(
        params=write.desired,
        expected_revision=write.expected_revision,
        expected_etag=write.expected_etag,
        if_match=if_match,
    )


def rollback_params(rollback: ConfigRollback) -> RollbackParams:
    """Return what a rollback asks of the agent."""
    return RollbackParams(revision=rollback.revision, expected_revision=rollback.expected_revision)
