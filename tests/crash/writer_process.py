"""Make the calls of one life on the real store, and tell each answer on a line of its own.

A line is written only after the call returned: whoever reads it may rely on what it says.
"""

import argparse
import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from crash import mixture
from crash.mixture import Call, Kind, Life, Told
from crash.recovery import recover
from port_contracts.store_samples import REPLY
from trust_runtime.adapters.sqlite import SqliteStore, database, open_store
from trust_runtime.adapters.sqlite.database import Access
from trust_runtime.contracts.audit import AuditRecord
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerVerdict


def main() -> None:
    asked = _arguments()
    if asked.checkpoint_writes:
        # Checkpoints in the middle of a life, which would otherwise come every thousand writes.
        vars(database)["_CHECKPOINT_WRITES"] = asked.checkpoint_writes
    life = Life(seed=asked.seed, first=asked.first, calls=asked.calls, lanes=asked.lanes)
    asyncio.run(_live(asked, life))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    for number in ("seed", "first", "calls", "lanes", "checkpoint_writes"):
        parser.add_argument(number, type=int)
    parser.add_argument("--synchronous", default="FULL")
    parser.add_argument("--early", action="store_true", help="plant a fault: answer, then write")
    parser.add_argument("--leave", action="store_true", help="end without closing the file")
    parser.add_argument("--ballast", type=Path, help="remove this file at the first refusal")
    return parser.parse_args()


def say(event: str, **members: Any) -> None:
    """Write one line in one system call."""
    os.write(1, msgspec.json.encode(Told(event=event, **members)) + b"\n")


async def _live(asked: argparse.Namespace, life: Life) -> None:
    try:
        store = await open_store(asked.path)
        await recover(store)
        await store.database.read(lambda access: _set_synchronous(access, asked.synchronous))
    except StoreFailed as error:
        say("unopened", reason=error.reason)
        return
    say("opened")
    writer = _Writer(store, asked.ballast, early=asked.early)
    for made in mixture.rounds(life):
        await asyncio.gather(*(writer.perform(call) for call in made))
    await writer.look_once_more()
    say("closing")
    if asked.leave:
        os._exit(0)
    await store.close()
    say("done")


def _set_synchronous(access: Access, level: str) -> None:
    """Plant a weaker setting than the product's; `FULL` is what it is anyway."""
    connection: sqlite3.Connection = access.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    if level != "FULL":
        connection.execute(f"PRAGMA synchronous = {level}")


class _Writer:
    """Makes calls and tells what became of them."""

    def __init__(self, store: SqliteStore, ballast: Path | None, *, early: bool) -> None:
        self._store = store
        self._ballast = ballast
        self._early = early
        self._begun: set[int] = set()

    async def perform(self, call: Call) -> None:
        if call.kind is Kind.FINISH and call.of not in self._begun:
            return  # Its beginning was refused: there is nothing to finish.
        if self._early:
            say("kept", number=call.number)
        try:
            answer = await self._make(call)
        except StoreFailed as error:
            say("refused", number=call.number, reason=error.reason)
            if self._ballast is not None:
                self._ballast.unlink(missing_ok=True)
            return
        if call.kind is Kind.BEGIN:
            self._begun.add(call.number)
        say("kept", number=call.number, **answer)

    async def look_once_more(self) -> None:
        """Hear of what failed after the last answer: checkpoints are made behind it."""
        try:
            await self._store.audit.find("nobody's")
        except StoreFailed as error:
            say("refused", reason=error.reason)

    async def _make(self, call: Call) -> dict[str, Any]:
        match call.kind:
            case Kind.APPEND:
                return _told(await self._store.audit.append(mixture.drafts(call)))
            case Kind.BEGIN:
                decision = mixture.drafts(call)[0]
                verdict, _ = await self._store.ledger.begin(mixture.entry(call), decision)
                assert verdict is LedgerVerdict.FIRST
                return _told(await self._store.audit.find(decision.audit_id))
            case Kind.FINISH:
                outcome = mixture.drafts(call)[0]
                return _told(await self._store.ledger.finish(mixture.key(call.of), REPLY, outcome))
            case Kind.COMMIT:
                return await self._commit(call)
            case Kind.PRUNE:
                return await self._prune(call)
            case Kind.ROW:
                row = mixture.row(call)
                return _told(await self._store.action_rows.keep(row, mixture.drafts(call)))
            case Kind.LINK:
                link = mixture.link(call)
                return _told(await self._store.links.keep(link, mixture.drafts(call)))
            case _:
                await self._keep(call)
                return {}

    async def _keep(self, call: Call) -> None:
        store = self._store
        match call.kind:
            case Kind.BOOT:
                await store.config.save_boot(mixture.boot(call))
            case Kind.PEERS:
                await store.peers.save([mixture.peer(call)], [mixture.forgotten(call)])
            case Kind.HEADS:
                await store.heads.save([mixture.head(call)])
            case Kind.EVENTS:
                now_ns = mixture.START_NS + call.number
                await store.timeline.append(mixture.events(call), now_ns=now_ns)
            case Kind.STATE:
                await store.history.record(mixture.state(call))
            case _:
                raise AssertionError(call.kind)

    async def _prune(self, call: Call) -> dict[str, Any]:
        before_ns = mixture.START_NS + call.number - mixture.PRUNED_BEHIND
        ledger = self._store.ledger
        await ledger.prune(created_before_ns=before_ns, entries_max=10**9)
        return {"low_water_s": await ledger.low_water_s()}

    async def _commit(self, call: Call) -> dict[str, Any]:
        newest = await self._store.config.newest()
        place = 1 if newest is None else newest.revision + 1
        records = await self._store.config.commit(
            mixture.revision(call, place), drafts=mixture.drafts(call), entry=mixture.entry(call)
        )
        return {**_told(records), "revision": place}


def _told(records: tuple[AuditRecord, ...]) -> dict[str, Any]:
    return {"records": [(one.seq, one.audit_id, one.phase.value, one.hash) for one in records]}


if __name__ == "__main__":
    main()
