"""Requests that nobody was authenticated for: counted, and recorded once a second (D60)."""

import asyncio
from collections import Counter
from typing import Final

from msgspec import structs

from trust_runtime.contracts.audit import AuditDraft, Outcome, Verdict
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.policy import Role
from trust_runtime.ports.log import Log
from trust_runtime.services.audit import Audit

ADDRESSES_MAX: Final = 64
"""So many are told apart within a second; what comes from others is counted together."""

OTHERS: Final = "other addresses"
_PERIOD_S: Final = 1.0


class Refusals:
    """Takes refusals as they happen, and makes at most one record a second of each address."""

    def __init__(self, *, audit: Audit, log: Log) -> None:
        self._audit = audit
        self._log = log
        self._counts: Counter[str] = Counter()
        self._due = asyncio.Event()

    def note(self, address: str) -> None:
        """Count one refusal of a client at `address`; never waits."""
        known = address in self._counts or len(self._counts) < ADDRESSES_MAX
        self._counts[address if known else OTHERS] += 1
        self._due.set()

    async def run(self) -> None:
        """Record what was counted, until cancelled; what a failed store refuses waits for it."""
        while True:
            await self._due.wait()
            self._due.clear()
            counts, self._counts = self._counts, Counter()
            try:
                await self._audit.append([self._draft(*one) for one in sorted(counts.items())])
            except StoreFailed:
                for address, count in counts.items():
                    known = address in self._counts or len(self._counts) < ADDRESSES_MAX
                    self._counts[address if known else OTHERS] += count
                self._due.set()
            else:
                for address, count in sorted(counts.items()):
                    self._log.warn(
                        "auth_failed", f"{count} requests refused", address=address, count=count
                    )
            await asyncio.sleep(_PERIOD_S)

    def _draft(self, address: str, count: int) -> AuditDraft:
        draft = self._audit.local(
            "auth.failed", outcome=Outcome.DENIED, detail={"address": address, "count": count}
        )
        return structs.replace(
            draft,
            actor=f"http://{address}",
            identity="unknown",
            role=Role.VIEWER,
            decision=Verdict.DENIED,
            denial_code=DenialCode.PERMISSION_DENIED,
            count=count,
        )
