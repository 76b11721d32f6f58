"""Actions of senders that are not trusted: every one counted, recorded once a second each (D60)."""

import asyncio
from collections import Counter, OrderedDict
from typing import Final

from msgspec import structs

from trust_runtime.contracts.audit import AuditDraft, Outcome, Verdict
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.services.audit import Audit

SENDERS_MAX: Final = 64
"""So many are told apart within a second; what comes from others is counted together."""

UNKNOWN: Final = "unknown"
"""Whoever signed nothing that can be read."""

OTHERS: Final = "other senders"
_PERIOD_S: Final = 1.0


class SenderRefusals:
    """Decides which refusal of a sender gets a record now, and counts all others into the next."""

    def __init__(self, *, audit: Audit, clock: Clock, log: Log) -> None:
        self._audit = audit
        self._clock = clock
        self._log = log
        self._recorded_ns: OrderedDict[str, int] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}

    def take(self, sender: str, reason: str) -> int:
        """Count a refusal; return how many a record made now stands for, 0 when none is due.

        Whoever cannot keep that record hands the number back with `give_back`.
        """
        sender = self._told_apart(sender)
        self._counts[sender] += 1
        count = self._due(sender)
        if count:
            self._reasons.pop(sender, None)
        else:
            self._reasons[sender] = reason
        return count

    def give_back(self, sender: str, count: int, reason: str) -> None:
        """Take back what could not be recorded; it goes into a later record."""
        sender = self._told_apart(sender)
        self._counts[sender] += count
        self._reasons.setdefault(sender, reason)

    async def record(self, sender: str, count: int, reason: str) -> str | None:
        """Record that many refusals as one; return the record's id, None when the store failed."""
        self._log.warn("auth_failed", f"{count} unusable actions refused: {reason}", sender=sender)
        draft = self._draft(sender, count, reason)
        try:
            await self._audit.append([draft])
        except StoreFailed:
            self.give_back(sender, count, reason)
            return None
        return draft.audit_id

    async def run(self) -> None:
        """Record once a second what was counted, until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_S)
            for sender in sorted(self._counts):
                await self._flush(sender, self._due(sender))

    async def flush(self) -> None:
        """Record everything that was counted, at the end of the process."""
        for sender in sorted(self._counts):
            await self._flush(sender, self._counts.pop(sender))

    async def _flush(self, sender: str, count: int) -> None:
        if count:
            await self.record(sender, count, self._reasons.pop(sender, "not trusted"))

    def _due(self, sender: str) -> int:
        """Return and forget what is counted of a sender, unless it was recorded just now."""
        now_ns = self._clock.monotonic_ns()
        before_ns = self._recorded_ns.get(sender)
        if before_ns is not None and now_ns - before_ns < NS_PER_S:
            return 0
        self._recorded_ns[sender] = now_ns
        self._recorded_ns.move_to_end(sender)
        return self._counts.pop(sender, 0)

    def _told_apart(self, sender: str) -> str:
        """Return under which name a sender is counted."""
        if sender in self._counts or sender in self._recorded_ns:
            return sender
        old_ns = self._clock.monotonic_ns() - NS_PER_S
        while self._recorded_ns and next(iter(self._recorded_ns.values())) <= old_ns:
            self._recorded_ns.popitem(last=False)
        told_apart = len(self._counts.keys() | self._recorded_ns.keys())
        return sender if told_apart < SENDERS_MAX or sender in (UNKNOWN, OTHERS) else OTHERS

    def _draft(self, sender: str, count: int, reason: str) -> AuditDraft:
        draft = self._audit.local(
            "auth.failed",
            outcome=Outcome.DENIED,
            detail={"sender": sender, "count": count, "reason": reason},
        )
        return structs.replace(
            draft,
            actor=sender,
            identity=UNKNOWN,
            role=Role.VIEWER,
            decision=Verdict.DENIED,
            denial_code=DenialCode.PERMISSION_DENIED,
            count=count,
        )
