"""A seeded mixture of durable calls, and what each of them keeps.

Writer and checker both read it here: whatever a call keeps is made from its number alone.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

import msgspec
from msgspec import structs

from action_row_samples import named
from port_contracts.links import preference
from port_contracts.store_samples import DECISION, DONE, DRAFT, PEER, REPLY, REVISION, RUNNING
from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.audit import AuditDraft, ChainHead, Outcome, Phase, WitnessedHead
from trust_runtime.contracts.config import BootRecord, ConfigRevision
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.history import EdgeChanges, NodeChanges, RecordedState, StateDelta
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey
from trust_runtime.contracts.links import LinkPreference
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent
from trust_runtime.contracts.units import NS_PER_S

START_NS: Final = DRAFT.timestamp_ns
LIFE_NUMBERS: Final = 1_000
"""Each life of a file takes its numbers from a range of its own, this wide."""

PRUNED_BEHIND: Final = 20
"""A PRUNE forgets the finished entries that are so many numbers older."""

_PEERS: Final = 5
_LINE: Final = "x" * 97


@unique
class Kind(StrEnum):
    """Which durable call."""

    APPEND = "append"
    BEGIN = "begin"
    FINISH = "finish"
    COMMIT = "commit"
    BOOT = "boot"
    PEERS = "peers"
    HEADS = "heads"
    EVENTS = "events"
    STATE = "state"
    ROW = "row"
    LINK = "link"
    PRUNE = "prune"


_DECK: Final = (*Kind, Kind.APPEND, Kind.APPEND, Kind.BEGIN, Kind.BEGIN, Kind.FINISH)
_ALONE: Final = {Kind.COMMIT, Kind.STATE}
"""Once a round: the next revision, and the next instant, are known only after the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One durable call."""

    number: int
    kind: Kind
    of: int = 0
    """FINISH: the number of its BEGIN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One run of the writer: which calls it makes."""

    seed: int
    first: int
    """Its smallest number; a multiple of LIFE_NUMBERS."""
    calls: int
    lanes: int = 1
    """At most so many calls wait for the disk together."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the writer."""

    event: str
    """`opened`, `kept`, `refused`, `closing` or `done`; `unopened` when the file was refused."""
    number: int = 0
    """Of the call."""
    records: tuple[tuple[int, str, str, str], ...] = ()
    """Of the call's audit records: place, id, phase, hash."""
    revision: int = 0
    """COMMIT: which revision it became."""
    low_water_s: int = 0
    """PRUNE: where the low water stood afterwards."""
    reason: str = ""
    """Why it was refused."""

    @property
    def is_passing(self) -> bool:
        """Whether the refusal promised that nothing was kept and that later calls may work."""
        return self.event == "refused" and "is full" in self.reason


def rounds(life: Life) -> Iterator[tuple[Call, ...]]:
    """Yield the calls of a life; those of one round are made together."""
    chance = random.Random(life.seed)  # noqa: S311 - a sample, no secret
    number, end = life.first, life.first + life.calls
    deck: list[Kind] = []
    begun: deque[int] = deque()
    while number < end:
        made: list[Call] = []
        for _ in range(min(chance.randint(1, life.lanes), end - number)):
            if not deck:
                deck = chance.sample(_DECK, len(_DECK))
            made.append(_call(number, deck.pop(), begun, made))
            number += 1
        begun += [call.number for call in made if call.kind is Kind.BEGIN]
        yield tuple(made)


def _call(number: int, kind: Kind, begun: deque[int], made: list[Call]) -> Call:
    if kind is Kind.FINISH and begun:
        return Call(number=number, kind=kind, of=begun.popleft())
    if kind is Kind.FINISH or (kind in _ALONE and any(call.kind is kind for call in made)):
        kind = Kind.BEGIN
    return Call(number=number, kind=kind)


def drafts(call: Call) -> tuple[AuditDraft, ...]:
    """Return the audit records that the call asks for."""
    number = call.number
    ids = {"audit_id": f"audit-{number}", "request_id": f"request-{number}"}
    # From a hundred bytes to several pages, so that pages split and overflow.
    actor = f"{DRAFT.actor}-{_LINE * (number * 7 % 23)}"
    match call.kind:
        case Kind.APPEND:
            return tuple(
                structs.replace(DRAFT, **{**ids, "audit_id": f"audit-{number}-{part}"}, actor=actor)
                for part in range(1 + number % 3)
            )
        case Kind.BEGIN:
            return (structs.replace(DECISION, **ids, actor=actor),)
        case Kind.FINISH:
            begun = drafts(Call(number=call.of, kind=Kind.BEGIN))[0]
            return (structs.replace(begun, phase=Phase.OUTCOME, outcome=Outcome.EXECUTED),)
        case Kind.COMMIT | Kind.ROW | Kind.LINK:
            return (structs.replace(DRAFT, **ids),)
        case _:
            return ()


def key(number: int) -> LedgerKey:
    """Return the ledger key of a BEGIN or COMMIT."""
    return LedgerKey(origin="press-1", request_id=f"request-{number}")


def entry(call: Call) -> LedgerEntry:
    """Return what BEGIN or COMMIT puts into the ledger."""
    sample = RUNNING if call.kind is Kind.BEGIN else DONE
    return structs.replace(
        sample,
        key=key(call.number),
        audit_id=f"audit-{call.number}",
        created_at_ns=START_NS + call.number,
        iat_s=call.number,
        reply=None if call.kind is Kind.BEGIN else REPLY,
    )


def revision(call: Call, place: int) -> ConfigRevision:
    """Return what COMMIT keeps as revision `place`."""
    document = {"number": call.number, "text": _LINE * (call.number % 40)}
    return structs.replace(
        REVISION, revision=place, document=document, audit_id=f"audit-{call.number}"
    )


def boot(call: Call) -> BootRecord:
    """Return what BOOT keeps."""
    return BootRecord(attempted_revision=call.number + 1, ready_revision=call.number)


def peer(call: Call) -> PeerRecord:
    """Return the peer that PEERS keeps."""
    return structs.replace(
        PEER,
        runtime_id=RuntimeId(f"press-{10 + call.number % _PEERS}"),
        last_seen_ns=call.number,
        addresses=(f"127.0.0.1:{5_000 + call.number % 1_000}",),
    )


def forgotten(call: Call) -> RuntimeId:
    """Return the peer that PEERS forgets."""
    return RuntimeId(f"press-{10 + (call.number + 2) % _PEERS}")


def head(call: Call) -> WitnessedHead:
    """Return the head that HEADS keeps."""
    return WitnessedHead(
        runtime_id=f"press-{10 + call.number % _PEERS}",
        head=ChainHead(seq=call.number, hash=f"{call.number:064x}"),
        seen_at_ns=START_NS + 60 * call.number * NS_PER_S,
    )


def row(call: Call) -> KeptRow:
    """Return the row that ROW keeps; its id is taken again and again."""
    made = named(call.number % _PEERS, created_at_ns=START_NS + call.number)
    unsettled = ("press-2",) if call.number % 2 else ()
    return structs.replace(made, digest=_LINE * (call.number % 60), unsettled=unsettled)


def link(call: Call) -> LinkPreference:
    """Return the preference that LINK keeps."""
    made = preference(f"press-{10 + call.number % _PEERS}")
    return structs.replace(made, updated_at_ns=START_NS + call.number)


def events(call: Call) -> tuple[TimelineEvent, ...]:
    """Return what EVENTS appends."""
    return tuple(
        TimelineEvent(
            event_id=f"evt-{call.number}-{part}",
            timestamp_ns=START_NS + call.number,
            category=Category.CONFIG,
            severity=Severity.INFO,
            runtime_id="press-1",
            summary=_LINE * (call.number % 5),
        )
        for part in range(1 + call.number % 4)
    )


def state(call: Call) -> RecordedState:
    """Return what STATE records."""
    at_ns = START_NS + call.number
    if call.number % 3 == 0:
        return RecordedState(at_ns=at_ns, whole=Topology(nodes=(), edges=(), host_groups=()))
    groups = ((_LINE * (call.number % 50),),)
    delta = StateDelta(nodes=NodeChanges(), edges=EdgeChanges(), host_groups=groups)
    return RecordedState(at_ns=at_ns, delta=delta)
