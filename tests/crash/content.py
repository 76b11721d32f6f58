"""Everything that a store's ports give, each thing by the number of the call that kept it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from crash import mixture
from crash.mixture import Call, Kind
from trust_runtime.adapters.sqlite import SqliteStore
from trust_runtime.contracts.action_rows import KeptRow
from trust_runtime.contracts.audit import AuditFilter, AuditRecord
from trust_runtime.contracts.config import BootRecord
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerEntry
from trust_runtime.contracts.timeline import TimelineFilter

Thing = tuple[str, ...]
"""What kind it is, and its name."""

_PAGE: Final = 1_000
_DIFFERS: Final = "differs"
"""Appended to the name of a thing that is not what its call kept."""

_NOBODYS: Final = -2
"""The version of a value that no call kept."""


@dataclass(slots=True, kw_only=True)
class Content:
    """What is in the file."""

    records: list[AuditRecord]
    """Oldest first."""
    low_water_s: int
    entries: dict[int, LedgerEntry] = field(default_factory=dict)
    """By the number of the call that made them."""
    revisions: dict[int, int] = field(default_factory=dict)
    """Revision to the number of its call."""
    things: list[Thing] = field(default_factory=list)
    """Ledger entries, revisions, events and states; what is there twice stands here twice."""
    places: dict[str, int] = field(default_factory=dict)
    """The version of each value that newer ones replace."""


async def read_content(store: SqliteStore, calls: Sequence[Call]) -> Content:
    """Read everything.

    Raises:
        StoreFailed: some of it cannot be read.
    """
    content = Content(records=await _records(store), low_water_s=await store.ledger.low_water_s())
    await _read_ledger(store, calls, content)
    await _read_revisions(store, content)
    await _read_events(store, calls, content)
    await _read_states(store, calls, content)
    await _read_places(store, calls, content)
    return content


async def _records(store: SqliteStore) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    before: int | None = None
    while page := await store.audit.list(AuditFilter(limit=_PAGE, before_seq=before)):
        records += page
        before = page[-1].seq
    return records[::-1]


async def _read_ledger(store: SqliteStore, calls: Sequence[Call], content: Content) -> None:
    for call in calls:
        if call.kind not in {Kind.BEGIN, Kind.COMMIT}:
            continue
        found = await store.ledger.find(mixture.key(call.number))
        if found is None:
            continue
        content.entries[call.number] = found
        made = mixture.entry(call)
        same = (found.digest, found.audit_id, found.created_at_ns, found.iat_s) == (
            *(made.digest, made.audit_id, made.created_at_ns),
            made.iat_s,
        )
        content.things.append(("ledger", str(call.number), *([] if same else [_DIFFERS])))


async def _read_revisions(store: SqliteStore, content: Content) -> None:
    newest = await store.config.newest()
    for place in range(1, 1 if newest is None else newest.revision + 1):
        found = await store.config.revision(place)
        if found is None:
            raise StoreFailed(f"revision {place} is missing below {newest}", "none")
        number = int(found.document["number"])
        content.revisions[place] = number
        same = found == mixture.revision(Call(number=number, kind=Kind.COMMIT), place)
        content.things.append(("revision", str(number), *([] if same else [_DIFFERS])))


async def _read_events(store: SqliteStore, calls: Sequence[Call], content: Content) -> None:
    asked = {
        event.event_id: event
        for call in calls
        if call.kind is Kind.EVENTS
        for event in mixture.events(call)
    }
    since: str | int = 0
    while page := await store.timeline.list(TimelineFilter(since=since, limit=_PAGE)):
        for event in page:
            same = asked.get(event.event_id) == event
            content.things.append(("event", event.event_id, *([] if same else [_DIFFERS])))
        since = page[-1].event_id


async def _read_states(store: SqliteStore, calls: Sequence[Call], content: Content) -> None:
    states = (mixture.state(call) for call in calls if call.kind is Kind.STATE)
    asked = {state.at_ns: state for state in states}
    until_ns = 2**62
    while part := await store.history.until(until_ns):
        for entry in part:
            same = asked.get(entry.at_ns) == entry
            content.things.append(("state", str(entry.at_ns), *([] if same else [_DIFFERS])))
        until_ns = part[0].at_ns - 1


def _row_as_kept(row: KeptRow) -> KeptRow:
    number = row.row.created_at_ns - mixture.START_NS
    return mixture.row(Call(number=number, kind=Kind.ROW))


async def _read_places(store: SqliteStore, calls: Sequence[Call], content: Content) -> None:
    boot = await store.config.boot()
    if boot != BootRecord():
        number = boot.ready_revision
        same = boot == mixture.boot(Call(number=number, kind=Kind.BOOT))
        content.places["boot"] = number if same else _NOBODYS
    for peer in await store.peers.load():
        number = peer.last_seen_ns
        same = peer == mixture.peer(Call(number=number, kind=Kind.PEERS))
        content.places[f"peer {peer.runtime_id}"] = number if same else _NOBODYS
    for request_id in sorted({mixture.row(c).request_id for c in calls if c.kind is Kind.ROW}):
        row = await store.action_rows.find(request_id)
        if row is not None:
            number = row.row.created_at_ns - mixture.START_NS
            # An open row carries the one it displaced, which must be as whole as it is itself.
            same = all(
                structs.replace(kept, former=None) == _row_as_kept(kept)
                for kept in (row, row.former)
                if kept is not None
            )
            content.places[f"row {request_id}"] = number if same else 0
    for link in await store.links.load():
        number = link.updated_at_ns - mixture.START_NS
        same = link == mixture.link(Call(number=number, kind=Kind.LINK))
        content.places[f"link {link.target}"] = number if same else 0
    for head in await store.heads.load():
        number = head.head.seq
        same = head == mixture.head(Call(number=number, kind=Kind.HEADS))
        content.places[f"head {head.runtime_id}"] = number if same else _NOBODYS
