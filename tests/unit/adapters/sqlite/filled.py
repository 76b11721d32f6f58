"""A closed state file with something in every table, and all that can be read from one."""

from pathlib import Path

from msgspec import structs

from action_row_samples import named
from port_contracts.links import preference
from port_contracts.store_samples import DECISION, DONE, PEER, REPLY, REVISION, RUNNING, draft
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.contracts.audit import AuditFilter, Phase
from trust_runtime.contracts.config import BootRecord
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerKey

ENTRIES = 6
REVISIONS = 5
RECORDS = 40


async def fill(path: Path) -> None:
    """Make the file and close it."""
    store = await open_store(path)
    await store.audit.append([draft(n) for n in range(100, 100 + RECORDS)])
    for number in range(ENTRIES):
        key = LedgerKey(origin="press-1", request_id=f"r{number}")
        entry = structs.replace(RUNNING, key=key)
        decision = structs.replace(DECISION, audit_id=f"audit-w{number}")
        await store.ledger.begin(entry, decision)
        if number % 2:
            outcome = structs.replace(decision, phase=Phase.OUTCOME)
            await store.ledger.finish(key, REPLY, outcome)
    for number in range(1, REVISIONS + 1):
        revision = structs.replace(REVISION, revision=number)
        await store.config.commit(revision, drafts=[], entry=None)
    old = structs.replace(DONE, created_at_ns=1, iat_s=9)
    await store.config.commit(None, drafts=[], entry=old)
    await store.ledger.prune(created_before_ns=2, entries_max=1_000)
    await store.config.save_boot(BootRecord(attempted_revision=2, ready_revision=1))
    peers = [structs.replace(PEER, runtime_id=RuntimeId(f"press-{n}")) for n in range(5)]
    await store.peers.save(peers, [])
    for number in range(ENTRIES):
        await store.action_rows.keep(named(number, created_at_ns=number))
        await store.links.keep(preference(f"press-{number}"), [])
    await store.close()


async def content(store: SqliteStore) -> list[object]:
    """Return everything that the ports give."""
    found: list[object] = [
        store.audit.head(),
        await store.audit.list(AuditFilter(limit=1_000)),
        await store.audit.open_decisions(),
        await store.audit.find("audit-w1"),
        await store.audit.list(AuditFilter(runtime="press-2", limit=1_000)),
        await store.audit.list(AuditFilter(request_id="request-101")),
        await store.ledger.low_water_s(),
        await store.config.newest(),
        await store.config.boot(),
        await store.peers.load(),
    ]
    found += [
        await store.ledger.find(LedgerKey(origin="press-1", request_id=f"r{n}"))
        for n in range(ENTRIES)
    ]
    found += [await store.action_rows.find(f"request-{n}") for n in range(ENTRIES)]
    found.append(await store.links.load())
    found += [await store.config.revision(n) for n in range(REVISIONS + 2)]
    return found
