"""Open a state file as the product does at its start, and compare it with what was told of it.

Acknowledged: there, whole, once. Refused because the disk is full: not there. Anything else that
was asked for: there as a whole or not at all. And nothing that nobody asked for.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import structs

from crash import mixture
from crash.content import Content, Thing, read_content
from crash.mixture import Call, Kind, Life, Told
from crash.recovery import recover
from port_contracts.store_samples import REPLY
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditDraft,
    AuditRecord,
    ChainHead,
    Outcome,
    Phase,
)
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerEntry, LedgerState
from trust_runtime.contracts.results import ResultStatus

ABSENT: Final = -1
"""The version of a place where nothing is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """A life of the file as far as it came."""

    life: Life
    told: tuple[Told, ...]

    @property
    def kept(self) -> int:
        """How many calls were answered."""
        return sum(line.event == "kept" for line in self.told)


@dataclass(slots=True, kw_only=True)
class Findings:
    """What the comparison showed; each text names the call and what is wrong."""

    acknowledged: int = 0
    """Calls of the newest life that were answered."""
    refused: int = 0
    """Calls of the newest life that were refused, and files that were not opened."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    refusal: str | None = None
    """Why the product would not open the file or found it damaged; None when it is in order."""
    head: ChainHead = EMPTY_CHAIN
    """Where the chain ends, before recovery."""
    hashes: dict[int, str] = field(default_factory=dict)
    """The hash of each record."""

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.broken)


async def check(path: Path, past: Sequence[Lived]) -> Findings:
    """Open, recover, compare; open once more and see that nothing is left to recover.

    All lives are compared; acknowledged and refused count the newest alone.
    """
    findings = Findings(acknowledged=past[-1].kept)
    findings.refused = sum(line.event in {"refused", "unopened"} for line in past[-1].told)
    findings.broken += _answers_after_a_fault(past)
    try:
        store = await open_store(path)
    except StoreFailed as error:
        findings.refusal = error.reason
        findings.broken.append(f"not opened: {error.reason}")
        return findings
    try:
        await _check_opened(store, past, findings)
        await store.close()
        store = await open_store(path)
        if await recover(store) or store.audit.head().seq != len(findings.hashes):
            findings.broken.append("recovery did something again")
    except StoreFailed as error:
        findings.refusal = error.reason
        findings.broken.append(f"not readable: {error.reason}")
    finally:
        await store.close()
    return findings


async def _check_opened(store: SqliteStore, past: Sequence[Lived], findings: Findings) -> None:
    findings.head = store.audit.head()
    await recover(store)
    report = await store.audit.verify()
    if report.problem is not None:
        findings.refusal = report.problem.detail
        findings.broken.append(f"damaged at {report.problem.seq}: {report.problem.detail}")
    calls = {call.number: call for lived in past for call in _calls(lived.life)}
    content = await read_content(store, list(calls.values()))
    findings.hashes = {record.seq: record.hash for record in content.records}
    _Comparison(calls, past, content, findings).run()


def _calls(life: Life) -> Iterator[Call]:
    for made in mixture.rounds(life):
        yield from made


def _answers_after_a_fault(past: Sequence[Lived]) -> Iterator[str]:
    """A fault that does not pass, such as a failed sync, ends the service until reopened."""
    for lived in past:
        fault: str | None = None
        for line in lived.told:
            if line.event == "refused" and not line.is_passing:
                fault = fault or line.reason
            elif line.event == "kept" and fault is not None:
                yield f"call {line.number} was answered after {fault!r}"


class _Comparison:
    """Everything that was asked for against everything that is there."""

    def __init__(
        self,
        calls: dict[int, Call],
        past: Sequence[Lived],
        content: Content,
        findings: Findings,
    ) -> None:
        self._calls = calls
        self._content = content
        self._findings = findings
        lines = [line for lived in past for line in lived.told]
        self._kept = {line.number: line for line in lines if line.event == "kept"}
        self._passing = {line.number for line in lines if line.is_passing}
        prunes = [call.number for call in calls.values() if call.kind is Kind.PRUNE]
        self._pruned_below = max(prunes, default=0) - mixture.PRUNED_BEHIND
        self._drafts = {
            _name(draft): draft for call in calls.values() for draft in mixture.drafts(call)
        }
        self._things = Counter(content.things)
        self._things.update(self._record_things())

    def run(self) -> None:
        explained: set[Thing] = set()
        for call in self._calls.values():
            things = _things(call)
            explained.update(things)
            self._compare(call, things)
        for number, line in sorted(self._kept.items()):
            self._compare_line(number, line)
        self._compare_outcomes()
        self._compare_places()
        for thing in sorted(self._things.keys() - explained):
            self._findings.broken.append(f"nobody asked for {thing}")
        low_water_s = max((line.low_water_s for line in self._kept.values()), default=0)
        if self._content.low_water_s < low_water_s:
            self._findings.lost.append(f"the low water {low_water_s}")

    def _record_things(self) -> Iterator[Thing]:
        """Yield what each record is; the outcomes that recovery wrote are judged elsewhere."""
        for record in self._content.records:
            if record.outcome is Outcome.UNKNOWN:
                continue
            expected = self._drafts.get(_name(record))
            if expected is not None and _draft_of(record) != expected:
                self._findings.broken.append(f"record {record.seq} says something else")
            yield ("record", *_name(record))

    def _compare(self, call: Call, things: tuple[Thing, ...]) -> None:
        counts = [self._count(call, thing) for thing in things]
        named = f"call {call.number} ({call.kind})"
        if any(count > 1 for count in counts):
            self._findings.doubled.append(named)
        if call.number in self._kept:
            if 0 in counts:
                missing = [thing for thing, count in zip(things, counts, strict=True) if not count]
                self._findings.lost.append(f"{named}: {missing}")
        elif call.number in self._passing:
            if any(counts):
                self._findings.broken.append(f"{named} was refused and is there")
        elif 0 in counts and any(counts):
            self._findings.broken.append(f"{named} is there in part")

    def _count(self, call: Call, thing: Thing) -> int:
        count = self._things[thing]
        if count or thing[0] != "ledger":
            return count
        # A finished entry may have been pruned, and then nothing of its age is executed again.
        gone = call.number < min(self._pruned_below, self._content.low_water_s)
        own = _name(mixture.drafts(call)[0])
        return self._things["record", *own] if gone else 0

    def _compare_line(self, number: int, line: Told) -> None:
        """The places and hashes that were told, and the number of the revision."""
        for seq, *named in line.records:
            records = self._content.records
            there = records[seq - 1] if seq <= len(records) else None
            found = there and [there.audit_id, there.phase.value, there.hash]
            if found != named:
                self._findings.lost.append(f"call {number}: record {seq} is not {named}")
        if line.revision and self._content.revisions.get(line.revision) != number:
            self._findings.lost.append(f"call {number}: revision {line.revision}")

    def _compare_outcomes(self) -> None:
        """Every decision has one outcome: what was done, or unknown."""
        outcomes: dict[str, list[AuditRecord]] = {}
        for record in self._content.records:
            if record.phase is Phase.OUTCOME:
                outcomes.setdefault(record.audit_id, []).append(record)
        for call in self._calls.values():
            named = f"audit-{call.number}"
            decided = ("record", named, Phase.DECISION.value) in self._things
            ended = outcomes.pop(named, [])
            if call.kind is Kind.BEGIN and len(ended) != int(decided):
                which = self._findings.doubled if len(ended) > 1 else self._findings.broken
                which.append(f"{len(ended)} outcomes of {named}")
            for record in ended:
                self._compare_outcome(call, record)
        self._findings.broken += [f"an outcome of {named}" for named in sorted(outcomes)]

    def _compare_outcome(self, call: Call, record: AuditRecord) -> None:
        entry = self._content.entries.get(call.number)
        if record.outcome is Outcome.UNKNOWN:
            begun = mixture.drafts(call)[0]
            expected = structs.replace(
                begun,
                phase=Phase.OUTCOME,
                timestamp_ns=record.timestamp_ns,
                outcome=Outcome.UNKNOWN,
                denial_code=DenialCode.TRANSPORT_FAILURE,
            )
            if _draft_of(record) != expected:
                self._findings.broken.append(f"record {record.seq} says something else")
        if entry is not None and not _agrees(entry, record.outcome):
            self._findings.broken.append(f"the ledger contradicts record {record.seq}")

    def _compare_places(self) -> None:
        """Where newer values replace older ones: the newest acknowledged one, or a newer one."""
        versions: dict[str, list[tuple[int, int]]] = {}
        for call in self._calls.values():
            for place, version in _versions(call).items():
                if call.number not in self._passing:
                    versions.setdefault(place, []).append((call.number, version))
        for place, written in sorted(versions.items()):
            kept = [at for at, (number, _) in enumerate(written) if number in self._kept]
            allowed = {version for _, version in written[kept[-1] if kept else 0 :]}
            if not kept:
                allowed.add(ABSENT)
            found = self._content.places.get(place, ABSENT)
            if found not in allowed:
                which = self._findings.lost if kept else self._findings.broken
                which.append(f"{place} has version {found}, not {sorted(allowed)[:3]}")


def _agrees(entry: LedgerEntry, outcome: Outcome | None) -> bool:
    """Tell whether a ledger entry has ended as its outcome record says."""
    if entry.state is not LedgerState.DONE or entry.reply is None:
        return False
    if outcome is Outcome.EXECUTED:
        return entry.reply == REPLY
    return entry.reply.status is ResultStatus.FAILED


def _name(record: AuditDraft | AuditRecord) -> tuple[str, str]:
    return (record.audit_id, record.phase.value)


def _draft_of(record: AuditRecord) -> AuditDraft:
    return AuditDraft(**{name: getattr(record, name) for name in AuditDraft.__struct_fields__})


def _things(call: Call) -> tuple[Thing, ...]:
    """Return what is there once when the call was kept."""
    number = str(call.number)
    things: list[Thing] = [("record", *_name(draft)) for draft in mixture.drafts(call)]
    match call.kind:
        case Kind.BEGIN:
            things += [("ledger", number)]
        case Kind.COMMIT:
            things += [("ledger", number), ("revision", number)]
        case Kind.EVENTS:
            things += [("event", event.event_id) for event in mixture.events(call)]
        case Kind.STATE:
            things += [("state", str(mixture.state(call).at_ns))]
        case _:
            pass
    return tuple(things)


def _versions(call: Call) -> dict[str, int]:
    """Return the places that the call writes, and what stands there afterwards."""
    match call.kind:
        case Kind.BOOT:
            return {"boot": call.number}
        case Kind.PEERS:
            forgotten, kept = mixture.forgotten(call), mixture.peer(call).runtime_id
            return {f"peer {forgotten}": ABSENT, f"peer {kept}": call.number}
        case Kind.ROW:
            return {f"row {mixture.row(call).request_id}": call.number}
        case Kind.LINK:
            return {f"link {mixture.link(call).target}": call.number}
        case Kind.HEADS:
            return {f"head {mixture.head(call).runtime_id}": call.number}
        case _:
            return {}
