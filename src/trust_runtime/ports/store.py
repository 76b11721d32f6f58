"""Durable things. One adapter (SQLite) keeps them in one file, so that they commit together.

Every method returns only when what it wrote is on disk. A failure means nothing of that call was
kept. Any call may raise StoreFailed; after a failed sync every later call does.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from trust_runtime.contracts.audit import (
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainHead,
    ChainReport,
)
from trust_runtime.contracts.config import BootRecord, ConfigRevision
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerVerdict
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.results import TargetReply

REVISIONS_KEPT: Final = 1_000
"""So many revisions of the configuration are kept, the newest."""


class AuditLog(Protocol):
    """The append-only, hash-chained table of records."""

    def head(self) -> ChainHead:
        """Return the newest durable record's place; from memory, never waits."""
        ...

    async def append(self, drafts: Sequence[AuditDraft]) -> tuple[AuditRecord, ...]:
        """Append the drafts in order, all or none."""
        ...

    async def find(self, audit_id: str) -> tuple[AuditRecord, ...]:
        """Return the records of one audit id, oldest first; empty when unknown."""
        ...

    async def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """Return matching records, newest first."""
        ...

    async def open_decisions(self) -> tuple[AuditRecord, ...]:
        """Return every decision record that has no outcome record, oldest first."""
        ...

    async def verify(self) -> ChainReport:
        """Recompute the whole chain and check the file under it; reads what is on disk."""
        ...


class LedgerStore(Protocol):
    """Writes remembered by origin and request id."""

    async def find(self, key: LedgerKey) -> LedgerEntry | None:
        """Return what is remembered, or None."""
        ...

    async def low_water_s(self) -> int:
        """Return the `iat` (s) below which entries were pruned; 0 before the first pruning."""
        ...

    async def begin(
        self, entry: LedgerEntry, decision: AuditDraft
    ) -> tuple[LedgerVerdict, LedgerEntry | None]:
        """Decide by `core.ledger` and, when FIRST, keep `entry` and `decision` in one commit.

        Returns the verdict and, unless FIRST or TOO_OLD, the remembered entry.
        """
        ...

    async def finish(
        self, key: LedgerKey, reply: TargetReply, outcome: AuditDraft
    ) -> tuple[AuditRecord, ...]:
        """Keep the result and its outcome record in one commit; the entry becomes DONE."""
        ...

    async def recover(self, reply: TargetReply, outcomes: Sequence[AuditDraft]) -> int:
        """Close every RUNNING entry with `reply` and append `outcomes`, in one commit.

        Called once at start. Returns how many entries were closed.
        """
        ...

    async def prune(self, *, created_before_ns: int, entries_max: int) -> int:
        """Forget DONE entries older than that or beyond that number, raising the low water.

        Entries younger than 24 h are kept whatever their number. Returns how many went.
        """
        ...


class ConfigStore(Protocol):
    """Desired configuration with history."""

    async def newest(self) -> ConfigRevision | None:
        """Return the newest revision, or None before the first write."""
        ...

    async def revision(self, number: int) -> ConfigRevision | None:
        """Return one kept revision."""
        ...

    async def revisions(self, *, before: int | None, limit: int) -> tuple[ConfigRevision, ...]:
        """Return kept revisions older than `before` (None: from the newest on), newest first."""
        ...

    async def reached(self, number: int, at_ns: int) -> None:
        """Keep when (wall clock, ns) a revision was first in force; other calls are ignored."""
        ...

    async def commit(
        self,
        revision: ConfigRevision | None,
        *,
        drafts: Sequence[AuditDraft],
        entry: LedgerEntry | None,
    ) -> tuple[AuditRecord, ...]:
        """Keep a revision (None: the patch changed nothing), its records and its ledger entry.

        All in one commit. The newest `REVISIONS_KEPT` revisions are kept.

        Raises:
            ContractViolation: the revision is not the next one, or the ledger key is taken.
        """
        ...

    async def boot(self) -> BootRecord:
        """Return which revisions were started with."""
        ...

    async def save_boot(self, record: BootRecord) -> None:
        """Keep which revisions were started with."""
        ...


class PeerStore(Protocol):
    """The peer table."""

    async def load(self) -> tuple[PeerRecord, ...]:
        """Return every kept peer, ascending by id."""
        ...

    async def save(self, records: Sequence[PeerRecord], forgotten: Sequence[RuntimeId]) -> None:
        """Keep these records and drop the forgotten ones, in one commit."""
        ...
