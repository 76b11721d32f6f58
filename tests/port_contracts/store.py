"""What every `AuditLog`, `LedgerStore`, `ConfigStore` and `PeerStore` must do."""

import asyncio
from typing import Protocol

import pytest
from msgspec import structs

from port_contracts.store_samples import (
    DECISION,
    DONE,
    DRAFT,
    KEY,
    OUTCOME,
    PEER,
    REPLY,
    REVISION,
    RUNNING,
    done_entry,
    draft,
)
from trust_runtime.contracts.audit import EMPTY_CHAIN, AuditFilter, ChainHead, Phase
from trust_runtime.contracts.config import BootRecord
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerState, LedgerVerdict
from trust_runtime.core.audit_chain import verify_records
from trust_runtime.ports.store import AuditLog, ConfigStore, LedgerStore, PeerStore

DAY_NS = 24 * 3_600 * 1_000_000_000
DAY_S = 24 * 3_600


class World(Protocol):
    """One store that the test can close and open again."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def ledger(self) -> LedgerStore: ...
    @property
    def config(self) -> ConfigStore: ...
    @property
    def peers(self) -> PeerStore: ...

    async def reopen(self) -> None: ...


@pytest.mark.anyio
class AuditLogContract:
    async def test_a_new_log_is_empty(self, world: World) -> None:
        assert world.audit.head() == EMPTY_CHAIN
        assert await world.audit.list(AuditFilter()) == ()
        assert (await world.audit.verify()).problem is None

    async def test_records_are_chained_in_order_and_survive(self, world: World) -> None:
        records = await world.audit.append([draft(1), draft(2)])
        records += await world.audit.append([draft(3)])
        head = ChainHead(seq=3, hash=records[2].hash)
        assert verify_records(EMPTY_CHAIN, records) == (head, None)
        assert world.audit.head() == head
        await world.reopen()
        assert world.audit.head() == head
        assert await world.audit.list(AuditFilter()) == tuple(reversed(records))
        report = await world.audit.verify()
        assert (report.records, report.head, report.problem) == (3, head, None)

    async def test_calls_at_once_make_one_chain(self, world: World) -> None:
        answers = await asyncio.gather(*(world.audit.append([draft(n)]) for n in range(200)))
        records = sorted((r for answer in answers for r in answer), key=lambda r: r.seq)
        assert verify_records(EMPTY_CHAIN, records) == (world.audit.head(), None)
        assert world.audit.head().seq == 200

    async def test_a_second_record_of_id_and_phase_is_refused_alone(self, world: World) -> None:
        await world.audit.append([draft(1)])
        results = await asyncio.gather(
            world.audit.append([draft(2)]),
            world.audit.append([draft(3), draft(1)]),
            world.audit.append([draft(4)]),
            return_exceptions=True,
        )
        assert isinstance(results[1], ContractViolation)
        kept = [r.audit_id for r in await world.audit.list(AuditFilter())]
        assert kept == ["audit-4", "audit-2", "audit-1"]
        assert (await world.audit.verify()).problem is None

    async def test_find_gives_all_phases_oldest_first(self, world: World) -> None:
        await world.audit.append([DECISION, draft(2), OUTCOME])
        found = await world.audit.find(DECISION.audit_id)
        assert [record.phase for record in found] == [Phase.DECISION, Phase.OUTCOME]
        assert await world.audit.find("audit-9") == ()

    async def test_list_filters_and_goes_on_where_it_ended(self, world: World) -> None:
        await world.audit.append(
            [
                draft(1, actor="anna"),
                draft(2, origin="press-2", target=None),
                draft(3, actor="anna", target="site-b/press-3"),
                draft(4, request_id="request-1"),
            ]
        )

        async def listed(**wanted: object) -> list[int]:
            found = await world.audit.list(structs.replace(AuditFilter(), **wanted))
            return [record.seq for record in found]

        assert await listed(request_id="request-1") == [4, 1]
        assert await listed(actor="anna") == [3, 1]
        assert await listed(runtime="press-2") == [4, 2, 1]
        assert await listed(runtime="press-2", actor="anna") == [1]
        assert await listed(limit=2) == [4, 3]
        assert await listed(limit=2, before_seq=3) == [2, 1]
        assert await listed(actor="nobody") == []

    async def test_list_looks_past_many_that_do_not_match(self, world: World) -> None:
        await world.audit.append([draft(0, actor="anna", target="site-b/press-3")])
        await world.audit.append([draft(n, actor="anna") for n in range(1, 1_200)])
        found = await world.audit.list(AuditFilter(actor="anna", runtime="site-b/press-3"))
        assert [record.seq for record in found] == [1]
        assert len(await world.audit.list(AuditFilter(actor="anna", limit=1_000))) == 1_000

    @pytest.mark.parametrize("limit", [0, 1_001])
    async def test_a_limit_out_of_range_is_refused(self, world: World, limit: int) -> None:
        with pytest.raises(ContractViolation, match="limit"):
            await world.audit.list(AuditFilter(limit=limit))

    async def test_texts_of_every_kind_are_kept_and_found(self, world: World) -> None:
        odd = ["a\0b", "a\0c", "a", "'); DROP TABLE audit; --", '"\\', "ä€😀", ""]
        await world.audit.append([draft(n, actor=text) for n, text in enumerate(odd)])
        for text in odd:
            found = await world.audit.list(AuditFilter(actor=text))
            assert [record.actor for record in found] == [text]
        assert (await world.audit.verify()).problem is None

    async def test_a_decision_is_open_until_its_outcome(self, world: World) -> None:
        (decision, _) = await world.audit.append([DECISION, draft(2)])
        await world.reopen()
        assert await world.audit.open_decisions() == (decision,)
        await world.audit.append([OUTCOME])
        assert await world.audit.open_decisions() == ()


@pytest.mark.anyio
class LedgerStoreContract:
    async def test_the_same_request_twice_at_once_is_first_once(self, world: World) -> None:
        begun = await asyncio.gather(*(world.ledger.begin(RUNNING, DECISION) for _ in range(20)))
        verdicts = [verdict for verdict, _ in begun]
        assert verdicts.count(LedgerVerdict.FIRST) == 1
        assert verdicts.count(LedgerVerdict.RUNNING) == 19
        assert world.audit.head().seq == 1

    async def test_first_keeps_entry_and_decision(self, world: World) -> None:
        assert await world.ledger.begin(RUNNING, DECISION) == (LedgerVerdict.FIRST, None)
        await world.reopen()
        assert await world.ledger.find(KEY) == RUNNING
        assert len(await world.audit.open_decisions()) == 1

    async def test_a_decision_that_cannot_be_kept_keeps_no_entry(self, world: World) -> None:
        await world.audit.append([DECISION])
        with pytest.raises(ContractViolation):
            await world.ledger.begin(RUNNING, DECISION)
        assert await world.ledger.find(KEY) is None

    async def test_finish_keeps_result_and_outcome(self, world: World) -> None:
        await world.ledger.begin(RUNNING, DECISION)
        (record,) = await world.ledger.finish(KEY, REPLY, OUTCOME)
        assert record.phase is Phase.OUTCOME
        await world.reopen()
        assert await world.ledger.find(KEY) == DONE
        assert await world.ledger.begin(RUNNING, DECISION) == (LedgerVerdict.REPLAY, DONE)
        other = structs.replace(RUNNING, digest="sha256:bb")
        assert await world.ledger.begin(other, DECISION) == (LedgerVerdict.CONFLICT, DONE)
        assert world.audit.head().seq == 2

    async def test_only_a_running_request_can_finish(self, world: World) -> None:
        with pytest.raises(ContractViolation):
            await world.ledger.finish(KEY, REPLY, OUTCOME)
        await world.ledger.begin(RUNNING, DECISION)
        await world.ledger.finish(KEY, REPLY, OUTCOME)
        with pytest.raises(ContractViolation):
            await world.ledger.finish(KEY, REPLY, structs.replace(OUTCOME, audit_id="audit-2"))
        assert world.audit.head().seq == 2

    async def test_recover_closes_what_runs(self, world: World) -> None:
        await world.ledger.begin(RUNNING, DECISION)
        await world.config.commit(None, drafts=[], entry=done_entry(2, created_at_ns=1))
        reply = structs.replace(REPLY, response=None, audit_id=None)
        assert await world.ledger.recover(reply, [OUTCOME]) == 1
        assert await world.ledger.recover(reply, []) == 0
        entry = await world.ledger.find(KEY)
        assert entry is not None
        assert entry.state is LedgerState.DONE
        assert entry.reply == structs.replace(reply, audit_id=RUNNING.audit_id)
        assert await world.audit.open_decisions() == ()

    async def test_prune_forgets_the_old_and_refuses_them_for_ever(self, world: World) -> None:
        for number in range(4):
            entry = done_entry(number, created_at_ns=number * DAY_NS, iat_s=number * DAY_S)
            await world.config.commit(None, drafts=[], entry=entry)
        assert await world.ledger.low_water_s() == 0
        assert await world.ledger.prune(created_before_ns=2 * DAY_NS, entries_max=100) == 2
        await world.reopen()
        assert await world.ledger.low_water_s() == DAY_S + 1
        again = structs.replace(done_entry(1, created_at_ns=9 * DAY_NS), iat_s=DAY_S)
        assert await world.ledger.begin(again, DECISION) == (LedgerVerdict.TOO_OLD, None)
        kept = done_entry(2, created_at_ns=2 * DAY_NS, iat_s=2 * DAY_S)
        assert await world.ledger.find(kept.key) == kept
        assert world.audit.head() == EMPTY_CHAIN

    async def test_prune_by_number_spares_the_last_day_and_what_runs(self, world: World) -> None:
        running = structs.replace(RUNNING, created_at_ns=0)
        await world.ledger.begin(running, DECISION)
        for number, at_ns in enumerate([1, 2, 3, DAY_NS, DAY_NS + 3]):
            entry = done_entry(100 + number, created_at_ns=at_ns)
            await world.config.commit(None, drafts=[], entry=entry)
        assert await world.ledger.prune(created_before_ns=0, entries_max=5) == 1
        assert await world.ledger.prune(created_before_ns=0, entries_max=0) == 2
        assert await world.ledger.find(KEY) == running
        assert await world.ledger.prune(created_before_ns=DAY_NS, entries_max=0) == 0

    async def test_prune_of_many(self, world: World) -> None:
        entries = [done_entry(n, created_at_ns=n, iat_s=n) for n in range(1_201)]
        await asyncio.gather(*(world.config.commit(None, drafts=[], entry=e) for e in entries))
        assert await world.ledger.prune(created_before_ns=1_200, entries_max=9) == 1_200
        assert await world.ledger.low_water_s() == 1_200


@pytest.mark.anyio
class ConfigStoreContract:
    async def test_before_the_first_write(self, world: World) -> None:
        assert await world.config.newest() is None
        assert await world.config.revision(1) is None
        assert await world.config.boot() == BootRecord()

    async def test_a_commit_is_kept_whole(self, world: World) -> None:
        records = await world.config.commit(REVISION, drafts=[DECISION, OUTCOME], entry=DONE)
        assert [record.seq for record in records] == [1, 2]
        await world.reopen()
        assert await world.config.newest() == REVISION
        assert await world.config.revision(1) == REVISION
        assert await world.ledger.find(KEY) == DONE
        assert world.audit.head().seq == 2

    @pytest.mark.parametrize("number", [0, 1, 3])
    async def test_a_revision_out_of_turn_is_refused(self, world: World, number: int) -> None:
        await world.config.commit(REVISION, drafts=[], entry=None)
        wrong = structs.replace(REVISION, revision=number)
        with pytest.raises(ContractViolation, match="revision"):
            await world.config.commit(wrong, drafts=[DRAFT], entry=DONE)
        assert await world.config.newest() == REVISION
        assert await world.ledger.find(KEY) is None
        assert world.audit.head() == EMPTY_CHAIN

    async def test_a_taken_key_undoes_the_revision(self, world: World) -> None:
        await world.config.commit(None, drafts=[], entry=DONE)
        with pytest.raises(ContractViolation, match="request_id"):
            await world.config.commit(REVISION, drafts=[DRAFT], entry=DONE)
        assert await world.config.newest() is None

    async def test_the_newest_thousand_are_kept(self, world: World) -> None:
        revisions = [structs.replace(REVISION, revision=n) for n in range(1, 1_003)]
        await asyncio.gather(*(world.config.commit(r, drafts=[], entry=None) for r in revisions))
        assert await world.config.newest() == revisions[-1]
        assert await world.config.revision(2) is None
        assert await world.config.revision(3) == revisions[2]

    async def test_revisions_are_listed_newest_first_and_go_on_where_a_list_ended(
        self, world: World
    ) -> None:
        assert await world.config.revisions(before=None, limit=5) == ()
        revisions = [structs.replace(REVISION, revision=n) for n in range(1, 6)]
        for one in revisions:
            await world.config.commit(one, drafts=[], entry=None)
        await world.reopen()

        async def listed(before: int | None, limit: int) -> list[int]:
            found = await world.config.revisions(before=before, limit=limit)
            assert all(one == revisions[one.revision - 1] for one in found)
            return [one.revision for one in found]

        assert await listed(None, 5) == [5, 4, 3, 2, 1]
        assert await listed(None, 2) == [5, 4]
        assert await listed(4, 2) == [3, 2]
        assert await listed(2, 2) == [1]
        assert await listed(1, 2) == []
        assert await listed(2**63 - 1, 1) == [5]

    async def test_when_a_revision_was_reached_is_kept_once(self, world: World) -> None:
        second = structs.replace(REVISION, revision=2)
        await world.config.commit(REVISION, drafts=[], entry=None)
        await world.config.commit(second, drafts=[DRAFT], entry=None)
        await world.config.reached(1, 17)
        await world.config.reached(1, 18)
        await world.config.reached(9, 19)
        await world.reopen()
        assert await world.config.revision(1) == structs.replace(REVISION, reached_at_ns=17)
        assert await world.config.newest() == second
        assert (await world.audit.verify()).problem is None

    async def test_boot_record_is_replaced(self, world: World) -> None:
        await world.config.save_boot(BootRecord(attempted_revision=1))
        await world.config.save_boot(BootRecord(attempted_revision=2, ready_revision=1))
        await world.reopen()
        assert await world.config.boot() == BootRecord(attempted_revision=2, ready_revision=1)


@pytest.mark.anyio
class PeerStoreContract:
    async def test_peers_are_kept_changed_and_forgotten(self, world: World) -> None:
        other = structs.replace(PEER, runtime_id=RuntimeId("a/press-9"))
        assert await world.peers.load() == ()
        await world.peers.save([PEER, other], [])
        await world.reopen()
        assert await world.peers.load() == (other, PEER)
        changed = structs.replace(PEER, left_cleanly=True)
        await world.peers.save([changed], [other.runtime_id, RuntimeId("unknown")])
        assert await world.peers.load() == (changed,)
