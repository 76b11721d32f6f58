"""Write to the state file named by the first argument; print what is acknowledged, until killed."""

import asyncio
import itertools
import sys
from pathlib import Path

from msgspec import structs

from port_contracts.store_samples import DECISION, REPLY, RUNNING, draft
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.contracts.audit import Phase
from trust_runtime.contracts.ledger import LedgerKey


def say(audit_id: str) -> None:
    sys.stdout.write(f"{audit_id}\n")
    sys.stdout.flush()


async def append(store: SqliteStore, start: int, step: int) -> None:
    for number in itertools.count(start, step):
        await store.audit.append([draft(number)])
        say(f"audit-{number}")


async def execute(store: SqliteStore, start: int) -> None:
    for number in itertools.count(start):
        key = LedgerKey(origin="press-1", request_id=f"write-{number}")
        decision = structs.replace(DECISION, audit_id=f"write-{number}")
        entry = structs.replace(RUNNING, key=key, audit_id=decision.audit_id)
        await store.ledger.begin(entry, decision)
        outcome = structs.replace(decision, phase=Phase.OUTCOME)
        await store.ledger.finish(key, REPLY, outcome)
        say(decision.audit_id)


async def main() -> None:
    start = int(sys.argv[2])
    store = await open_store(Path(sys.argv[1]))
    async with asyncio.TaskGroup() as tasks:
        for lane in range(8):
            tasks.create_task(append(store, start + lane, 8), name=f"append {lane}")
        tasks.create_task(execute(store, start), name="execute")


asyncio.run(main())
