"""Writes audit records, closes what a crash left open, and reads records back (contract 10)."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from trust_runtime.contracts.actions import ActionType
from trust_runtime.contracts.answers import HeldRecord
from trust_runtime.contracts.audit import (
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainHead,
    ChainReport,
    Outcome,
    Phase,
    Verdict,
)
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.log import Log
from trust_runtime.ports.store import AuditLog, LedgerStore
from trust_runtime.services.histogram import Histogram
from trust_runtime.services.store_health import StoreHealth

INTERRUPTED: Final = "interrupted by a restart; effect unknown"
_RETRY_S: Final = 1.0
_TOLD_AFTER_S: Final = 0.002
_OWED_MAX: Final = 1_024
_ACTIONS: Final = frozenset({*ActionType, "preflight"})
_OTHER_ACTION: Final = "other"


class Audit:
    """The one place where records are made; every caller awaits durability.

    `on_records` is told of records once they are durable.

    Attributes:
        decisions: how many decisions were recorded since the start, by action, verdict and code.
        commit_seconds: how long records took to become durable.
    """

    def __init__(
        self,
        *,
        own: RuntimeId,
        store: AuditLog,
        health: StoreHealth,
        clock: Clock,
        entropy: Entropy,
        log: Log,
    ) -> None:
        self._own = own
        self._store = store
        self._health = health
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._known_actions: set[str] = set()
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        self.commit_seconds = Histogram()
        self._untold: list[AuditRecord] = []
        self._owed: deque[Callable[[], Awaitable[object]]] = deque()
        self.on_records: Callable[[Sequence[AuditRecord]], None] = lambda _records: None

    def new_id(self) -> str:
        """Return a new audit id."""
        return f"audit-{self._entropy.uuid7()}"

    def now_ns(self) -> int:
        """Return the wall clock, for a record's time."""
        return self._clock.wall_ns()

    def head(self) -> ChainHead:
        """Return the newest durable record's place."""
        return self._store.head()

    def local(self, action_type: str, *, outcome: Outcome, detail: Any = None) -> AuditDraft:
        """Return the record of something this runtime did by itself."""
        return AuditDraft(
            audit_id=self.new_id(),
            phase=Phase.SINGLE,
            timestamp_ns=self.now_ns(),
            origin=self._own,
            target=self._own,
            actor=spiffe_id(self._own),
            identity=spiffe_id(self._own),
            role=Role.ADMIN,
            action_type=action_type,
            request_id=action_type,
            decision=Verdict.ALLOWED,
            outcome=outcome,
            payload_digest=digest({} if detail is None else detail),
        )

    async def append(self, drafts: Sequence[AuditDraft]) -> tuple[AuditRecord, ...]:
        """Append drafts and return when they are durable.

        Raises:
            StoreFailed: none of them is.
        """
        if not drafts:
            return ()
        began_ns = self._clock.monotonic_ns()
        try:
            records = await self._store.append(drafts)
        except StoreFailed as error:
            self._health.failed(error)
            raise
        self.commit_seconds.observe(self._clock.monotonic_ns() - began_ns)
        self.tell(records)
        return records

    def tell(self, records: Sequence[AuditRecord]) -> None:
        """Count records that are durable; log them and hand them on within a few milliseconds.

        Whoever waits for a record is answered first: telling of it takes longer than signing.
        """
        for record in records:
            self._count(record)
        if not self._untold:
            asyncio.get_running_loop().call_later(_TOLD_AFTER_S, self.tell_now)
        self._untold.extend(records)

    def tell_now(self) -> None:
        """Log and hand on what waits to be told; nothing may be left when the process ends."""
        records, self._untold = tuple(self._untold), []
        if not records:
            return
        for record in records:
            self._log.info(
                "audit",
                f"{record.action_type} {record.decision} {record.outcome or record.phase}",
                audit_id=record.audit_id,
                request_id=record.request_id,
                origin=record.origin,
                target=record.target,
                denial_code=record.denial_code,
            )
        self.on_records(records)

    async def recover(self, ledger: LedgerStore) -> None:
        """Close every decision that a crash left without outcome: `unknown`, once (D27)."""
        outcomes = [
            _draft(
                record,
                phase=Phase.OUTCOME,
                timestamp_ns=self.now_ns(),
                outcome=Outcome.UNKNOWN,
                denial_code=DenialCode.TRANSPORT_FAILURE,
            )
            for record in await self._store.open_decisions()
        ]
        reply = TargetReply(
            status=ResultStatus.FAILED,
            denial_code=DenialCode.TRANSPORT_FAILURE,
            denial_reason=INTERRUPTED,
            remedy="read the target's state, then send a new request_id if needed",
        )
        closed = await ledger.recover(reply, outcomes)
        if outcomes or closed:
            self._log.warn(
                "recovered",
                f"{len(outcomes)} decisions without outcome became unknown",
                decisions=len(outcomes),
                ledger_entries=closed,
            )

    def owe(self, write: Callable[[], Awaitable[object]]) -> None:
        """Have an outcome that the store refused written once it works again.

        What is not written when the process ends becomes unknown at its next start.
        """
        if len(self._owed) < _OWED_MAX:
            self._owed.append(write)

    async def watch(self) -> None:
        """While the store is failed, try it once a second until it works; until cancelled.

        Outcomes that are owed are written then.
        """
        while True:
            await asyncio.sleep(_RETRY_S)
            if self._health.fault is not None:
                recovered = self.local("store.recovered", outcome=Outcome.EXECUTED)
                try:
                    await self._store.append([recovered])
                except StoreFailed as error:
                    self._health.failed(error)
                    continue
                self._health.works()
            await self._pay()

    async def _pay(self) -> None:
        """Write what is owed; what fails again is owed on, behind the others."""
        for _ in range(len(self._owed)):
            write = self._owed.popleft()
            try:
                with suppress(ContractViolation):  # Its outcome is known already.
                    await write()
            except StoreFailed:
                self._owed.append(write)
                return

    async def find(self, audit_id: str) -> tuple[HeldRecord, ...]:
        """Return the own records of one audit id, oldest first."""
        return tuple(self._held(record) for record in await self._store.find(audit_id))

    async def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """Return matching own records, newest first."""
        return await self._store.list(wanted)

    async def verify(self) -> ChainReport:
        """Recompute the own chain from what is on disk."""
        report = await self._store.verify()
        return msgspec.structs.replace(report, runtime_id=self._own)

    def _count(self, record: AuditRecord) -> None:
        """Count a decision; what came before one is none, nor what this runtime did by itself."""
        by_itself = record.identity == spiffe_id(self._own)
        if by_itself or record.phase is Phase.OUTCOME or record.count is not None:
            return
        if record.decision is Verdict.ALLOWED:
            self._known_actions.add(record.action_type)
        # A denied action may have any name: only names that were allowed once are told apart.
        is_known = record.action_type in self._known_actions or record.action_type in _ACTIONS
        action = record.action_type if is_known else _OTHER_ACTION
        self.decisions[action, record.decision, record.denial_code or ""] += 1

    def _held(self, record: AuditRecord) -> HeldRecord:
        return HeldRecord(
            held_by=self._own,
            **{name: getattr(record, name) for name in record.__struct_fields__},
        )


def _draft(record: AuditRecord, **changes: Any) -> AuditDraft:
    fields = {name: getattr(record, name) for name in AuditDraft.__struct_fields__}
    return AuditDraft(**{**fields, **changes})
