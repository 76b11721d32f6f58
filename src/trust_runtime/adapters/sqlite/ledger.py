"""The ledger of writes in `state.db`. Implements `ports.store.LedgerStore`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import structs

from trust_runtime.adapters.sqlite.audit_rows import append_drafts
from trust_runtime.adapters.sqlite.database import Access, Database
from trust_runtime.adapters.sqlite.ledger_rows import (
    find_entry,
    insert_entry,
    low_water_s,
    prune_some,
    replace_entry,
    running_entries,
)
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState, LedgerVerdict
from trust_runtime.contracts.results import TargetReply
from trust_runtime.core.ledger import decide_ledger

_PRUNED_AT_ONCE: Final = 500

Begun = tuple[LedgerVerdict, LedgerEntry | None]


class SqliteLedger:
    """Entries and the audit records that belong to them, in one commit each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: LedgerKey) -> LedgerEntry | None:
        """See `LedgerStore.find`."""
        return await self._database.read(partial(find_entry, key=key), for_write=True)

    async def low_water_s(self) -> int:
        """See `LedgerStore.low_water_s`."""
        return await self._database.read(low_water_s, for_write=True)

    async def begin(self, entry: LedgerEntry, decision: AuditDraft) -> Begun:
        """See `LedgerStore.begin`.

        Raises:
            ContractViolation: the log already has a decision of that audit id.
            StoreFailed: nothing was kept.
        """
        return await self._database.write(lambda access: _begin(access, entry, decision))

    async def finish(
        self, key: LedgerKey, reply: TargetReply, outcome: AuditDraft
    ) -> tuple[AuditRecord, ...]:
        """See `LedgerStore.finish`.

        Raises:
            ContractViolation: nothing runs under that key, or its outcome is known already.
            StoreFailed: nothing was kept.
        """

        def work(access: Access) -> tuple[AuditRecord, ...]:
            entry = find_entry(access, key)
            if entry is None or entry.state is not LedgerState.RUNNING:
                raise ContractViolation("$.request_id", key.request_id, "a running request")
            replace_entry(access, _done(entry, reply))
            return append_drafts(access, [outcome])

        return await self._database.write(work)

    async def recover(self, reply: TargetReply, outcomes: Sequence[AuditDraft]) -> int:
        """See `LedgerStore.recover`; a reply without audit id gets that of its entry."""
        drafts = tuple(outcomes)

        def work(access: Access) -> int:
            running = running_entries(access)
            for entry in running:
                own = reply
                if own.audit_id is None:
                    own = structs.replace(own, audit_id=entry.audit_id)
                replace_entry(access, _done(entry, own))
            append_drafts(access, drafts)
            return len(running)

        return await self._database.write(work)

    async def prune(self, *, created_before_ns: int, entries_max: int) -> int:
        """See `LedgerStore.prune`; in several short commits, the oldest first."""
        work = partial(
            prune_some,
            created_before_ns=created_before_ns,
            entries_max=entries_max,
            rows_max=_PRUNED_AT_ONCE,
        )
        pruned = 0
        while True:
            went = await self._database.write(work)
            pruned += went
            if went < _PRUNED_AT_ONCE:
                return pruned


def _begin(access: Access, entry: LedgerEntry, decision: AuditDraft) -> Begun:
    known = find_entry(access, entry.key)
    verdict = decide_ledger(
        known, digest=entry.digest, iat_s=entry.iat_s, low_water_s=low_water_s(access)
    )
    if verdict is LedgerVerdict.FIRST:
        insert_entry(access, entry)
        append_drafts(access, [decision])
    return verdict, known


def _done(entry: LedgerEntry, reply: TargetReply) -> LedgerEntry:
    return structs.replace(entry, state=LedgerState.DONE, reply=reply)
