"""What a state file holds, and how one transaction changes it: the rules of `adapters.sqlite`."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Final, TypeVar

from msgspec import structs

from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainHead,
    Phase,
    WitnessedHead,
)
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.config import BootRecord, ConfigRevision
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.history import RecordedState
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState, LedgerVerdict
from trust_runtime.contracts.links import LinkPreference
from trust_runtime.contracts.pairing import PairedToken
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.results import TargetReply
from trust_runtime.contracts.timeline import TimelineEvent
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.core.audit_chain import link
from trust_runtime.core.ledger import decide_ledger
from trust_runtime.ports.store import REVISIONS_KEPT

T = TypeVar("T")

LIMIT_MAX: Final = 1_000
_KEPT_ANYWAY_NS: Final = 24 * 3_600 * NS_PER_S


@dataclass
class State:
    """Everything in one state file; a transaction works on a copy and is kept or thrown away."""

    records: list[AuditRecord] = field(default_factory=list)
    phases: set[tuple[str, Phase]] = field(default_factory=set)
    entries: dict[LedgerKey, LedgerEntry] = field(default_factory=dict)
    low_water_s: int = 0
    revisions: dict[int, ConfigRevision] = field(default_factory=dict)
    boot: BootRecord = field(default_factory=BootRecord)
    peers: dict[RuntimeId, PeerRecord] = field(default_factory=dict)
    events: dict[str, TimelineEvent] = field(default_factory=dict)
    states: list[tuple[int, RecordedState]] = field(default_factory=list)
    beat_ns: int = 0
    heads: dict[tuple[str, int], WitnessedHead] = field(default_factory=dict)
    action_rows: dict[str, KeptRow] = field(default_factory=dict)
    links: dict[tuple[str, str], LinkPreference] = field(default_factory=dict)
    tokens: tuple[PairedToken, ...] = ()

    def copy(self) -> "State":
        """Return a state that can be changed without changing this one."""
        copied = State.__new__(State)  # Every commit makes one: all fields at once is faster.
        members = vars(self)
        vars(copied).update(members)
        for name in _COLLECTIONS:
            setattr(copied, name, members[name].copy())
        return copied

    @property
    def head(self) -> ChainHead:
        """The newest record's place."""
        if not self.records:
            return EMPTY_CHAIN
        return ChainHead(seq=self.records[-1].seq, hash=self.records[-1].hash)

    def append(self, drafts: Sequence[AuditDraft]) -> tuple[AuditRecord, ...]:
        """Append the drafts to the chain."""
        return tuple(self._append(draft) for draft in drafts)

    def _append(self, draft: AuditDraft) -> AuditRecord:
        place = (draft.audit_id, draft.phase)
        if place in self.phases:
            allowed = f"an audit id without a {draft.phase} record"
            raise ContractViolation("$.audit_id", draft.audit_id, allowed)
        record = link(self.head, draft)
        self.phases.add(place)
        self.records.append(record)
        return record

    def open_decisions(self) -> tuple[AuditRecord, ...]:
        """Return the decisions without outcome, oldest first."""
        return tuple(
            record
            for record in self.records
            if record.phase is Phase.DECISION
            and (record.audit_id, Phase.OUTCOME) not in self.phases
        )

    def listed(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """Return matching records, newest first."""
        if not 1 <= wanted.limit <= LIMIT_MAX:
            raise ContractViolation("$.limit", wanted.limit, f"1..{LIMIT_MAX}")
        before_seq = len(self.records) + 1 if wanted.before_seq is None else wanted.before_seq
        found = [
            record
            for record in reversed(self.records)
            if record.seq < before_seq and _matches(record, wanted)
        ]
        return tuple(found[: wanted.limit])

    def begin(
        self, entry: LedgerEntry, decision: AuditDraft
    ) -> tuple[LedgerVerdict, LedgerEntry | None]:
        """Decide a write and, when it is the first, remember it with its decision."""
        known = self.entries.get(entry.key)
        verdict = decide_ledger(
            known, digest=entry.digest, iat_s=entry.iat_s, low_water_s=self.low_water_s
        )
        if verdict is LedgerVerdict.FIRST:
            self.insert(entry)
            self.append([decision])
        return verdict, known

    def insert(self, entry: LedgerEntry) -> None:
        """Remember a new entry."""
        if entry.key in self.entries:
            allowed = f"a request_id that {entry.key.origin} has not used before"
            raise ContractViolation("$.request_id", entry.key.request_id, allowed)
        self.entries[entry.key] = through_json(entry)

    def finish(
        self, key: LedgerKey, reply: TargetReply, outcome: AuditDraft
    ) -> tuple[AuditRecord, ...]:
        """Keep the result of a running entry and its outcome."""
        entry = self.entries.get(key)
        if entry is None or entry.state is not LedgerState.RUNNING:
            raise ContractViolation("$.request_id", key.request_id, "a running request")
        self._close(entry, reply)
        return self.append([outcome])

    def recover(self, reply: TargetReply, outcomes: Sequence[AuditDraft]) -> int:
        """Close every running entry."""
        running = [e for e in self.entries.values() if e.state is LedgerState.RUNNING]
        for entry in running:
            audit_id = entry.audit_id if reply.audit_id is None else reply.audit_id
            self._close(entry, structs.replace(reply, audit_id=audit_id))
        self.append(outcomes)
        return len(running)

    def prune(self, created_before_ns: int, entries_max: int) -> int:
        """Forget what may go, the oldest first."""
        by_age = sorted(self.entries.values(), key=lambda entry: entry.created_at_ns)
        newest_ns = by_age[-1].created_at_ns if by_age else 0
        went = 0
        for entry in by_age:
            old = entry.created_at_ns <= newest_ns - _KEPT_ANYWAY_NS
            surplus = len(self.entries) > entries_max
            if not (entry.created_at_ns < created_before_ns or (old and surplus)):
                break
            if entry.state is LedgerState.DONE:
                del self.entries[entry.key]
                self.low_water_s = max(self.low_water_s, entry.iat_s + 1)
                went += 1
        return went

    def newest(self) -> ConfigRevision | None:
        """Return the newest revision."""
        return self.revisions[max(self.revisions)] if self.revisions else None

    def older(self, before: int | None, limit: int) -> tuple[ConfigRevision, ...]:
        """Return kept revisions, newest first."""
        found = [n for n in sorted(self.revisions, reverse=True) if before is None or n < before]
        return tuple(self.revisions[number] for number in found[:limit])

    def reached(self, number: int, at_ns: int) -> None:
        """Keep when a revision was first in force."""
        found = self.revisions.get(number)
        if found is not None and found.reached_at_ns is None:
            self.revisions[number] = structs.replace(found, reached_at_ns=at_ns)

    def revise(self, revision: ConfigRevision) -> None:
        """Keep the next revision."""
        due = max(self.revisions, default=0) + 1
        if revision.revision != due:
            raise ContractViolation("$.revision", revision.revision, f"{due}, the next revision")
        self.revisions[due] = through_json(revision)
        self.revisions.pop(due - REVISIONS_KEPT, None)

    def _close(self, entry: LedgerEntry, reply: TargetReply) -> None:
        done = structs.replace(entry, state=LedgerState.DONE, reply=reply)
        self.entries[entry.key] = through_json(done)


_COLLECTIONS: Final = tuple(
    one.name for one in fields(State) if one.default_factory not in (MISSING, BootRecord)
)


class Disk:
    """Outlives the process: what was synced, and what only was written."""

    def __init__(self) -> None:
        self.synced = State()
        self.unsynced: State | None = None

    def crash(self, *, keep_unsynced: bool) -> None:
        """Lose what was not synced; by luck it may have reached the disk, acknowledged or not."""
        if keep_unsynced and self.unsynced is not None:
            self.synced = self.unsynced
        self.unsynced = None


def through_json(value: T) -> T:
    """Return what a state file gives back for `value`."""
    return decode_json(canonical_json(value), type(value))


def _matches(record: AuditRecord, wanted: AuditFilter) -> bool:
    return (
        wanted.request_id in (None, record.request_id)
        and wanted.actor in (None, record.actor)
        and wanted.runtime in (None, record.origin, record.target)
    )
