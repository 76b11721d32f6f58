"""`services.audit`: records are durable first; a crash's open decisions end once (10.1, D27)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec import structs

from fakes.clock import WALL_START_NS, FakeClock
from fakes.entropy import FakeEntropy
from fakes.log import FakeLog
from port_contracts.store_samples import DECISION, DONE, DRAFT, KEY, OUTCOME, RUNNING, draft
from signed_fleet import OWN
from store_that_fails import FailingStore
from trust_runtime.contracts.audit import AuditFilter, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import spiffe_id
from trust_runtime.contracts.ledger import LedgerState
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.results import ResultStatus
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.services.audit import INTERRUPTED, Audit
from trust_runtime.services.store_health import StoreHealth
from virtual_time import run_for_ms, run_virtual, wait_ms

SECRET = "hunter2"  # noqa: S105 - what must never be seen


class Kept:
    """The service with its store."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        self.store = FailingStore()
        self.health = StoreHealth(self.log)
        self.audit = Audit(
            own=OWN,
            store=self.store.audit,
            health=self.health,
            clock=self.clock,
            entropy=FakeEntropy(self.clock),
            log=self.log,
        )

    def fault(self) -> str | None:
        """Return the fault of this moment."""
        return self.health.fault

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        run_virtual(self.clock, work)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_ids_are_new_each_time_and_sort_by_age(kept: Kept) -> None:
    made = [kept.audit.new_id() for _ in range(50)]
    assert made == sorted(set(made))
    assert all(one.startswith("audit-") and len(one) == len("audit-") + 36 for one in made)


def test_what_is_returned_is_durable_and_told(kept: Kept) -> None:
    async def work() -> None:
        kept.store.sync_ms = 40
        appending = asyncio.create_task(kept.audit.append([DECISION, draft(2)]))
        await wait_ms(39)
        assert not appending.done()
        assert kept.log.lines == []
        records = await appending
        assert list(records) == kept.store.durable
        assert [r.seq for r in records] == [1, 2]
        assert kept.audit.head().seq == 2
        assert kept.log.of("audit") == []  # Whoever waited for the records comes first.
        await wait_ms(2)
        assert [line.data["audit_id"] for line in kept.log.of("audit")] == ["audit-1", "audit-2"]
        assert kept.log.lines[0].message == "cfg_apply allowed decision"
        assert kept.log.lines[1].message == "cfg_apply allowed executed"

    kept.run(work)


def test_nothing_to_append_asks_nothing_of_the_store(kept: Kept) -> None:
    async def work() -> None:
        kept.store.break_down()
        assert await kept.audit.append([]) == ()
        assert kept.fault() is None

    kept.run(work)


def test_a_failing_store_is_raised_noted_and_nothing_told(kept: Kept) -> None:
    async def work() -> None:
        kept.store.is_full = True
        with pytest.raises(StoreFailed):
            await kept.audit.append([DRAFT])
        assert kept.fault() == "state.db cannot grow: the disk is full"
        assert kept.store.durable == []
        assert kept.log.of("audit") == []

    kept.run(work)


def test_a_record_that_does_not_fit_is_the_callers_and_no_fault_of_the_store(kept: Kept) -> None:
    async def work() -> None:
        await kept.audit.append([DRAFT])
        with pytest.raises(ContractViolation):
            await kept.audit.append([DRAFT])
        assert kept.fault() is None
        assert len(kept.store.durable) == 1

    kept.run(work)


def test_a_local_event_is_this_runtimes_own_word_without_its_detail(kept: Kept) -> None:
    plain = kept.audit.local("process.start", outcome=Outcome.EXECUTED)
    detailed = kept.audit.local("state.reset", outcome=Outcome.EXECUTED, detail={"x": SECRET})
    assert (plain.origin, plain.target, plain.phase) == (OWN, OWN, Phase.SINGLE)
    assert plain.actor == plain.identity == spiffe_id(OWN)
    assert (plain.role, plain.decision) == (Role.ADMIN, Verdict.ALLOWED)
    assert (plain.timestamp_ns, plain.outcome) == (WALL_START_NS, Outcome.EXECUTED)
    assert plain.audit_id != detailed.audit_id
    assert plain.payload_digest != detailed.payload_digest
    assert SECRET not in repr(detailed)


def test_open_decisions_become_unknown_once(kept: Kept) -> None:
    other = structs.replace(DECISION, audit_id="audit-2", request_id="request-2", role=Role.VIEWER)
    closed = structs.replace(DECISION, audit_id="audit-3")

    async def work() -> None:
        await kept.store.ledger.begin(RUNNING, DECISION)
        await kept.store.audit.append(
            [other, closed, structs.replace(OUTCOME, audit_id="audit-3"), draft(4)]
        )
        await kept.audit.recover(kept.store.ledger)
        made = kept.store.durable[5:]
        assert [record.audit_id for record in made] == ["audit-1", "audit-2"]
        for record, decision in zip(made, (DECISION, other), strict=True):
            assert (record.phase, record.outcome) == (Phase.OUTCOME, Outcome.UNKNOWN)
            assert record.denial_code is DenialCode.TRANSPORT_FAILURE
            assert record.timestamp_ns == WALL_START_NS
            assert record.decision is Verdict.ALLOWED
            for name in ("origin", "target", "actor", "identity", "role", "action_type"):
                assert getattr(record, name) == getattr(decision, name)
            assert record.request_id == decision.request_id
            assert record.payload_digest == decision.payload_digest
        assert [(line.level, line.data) for line in kept.log.of("recovered")] == [
            (LogLevel.WARN, {"decisions": 2, "ledger_entries": 1})
        ]
        await kept.audit.recover(kept.store.ledger)
        assert len(kept.store.durable) == 7
        assert len(kept.log.of("recovered")) == 1

    kept.run(work)


def test_an_interrupted_write_is_answered_as_unknown_from_then_on(kept: Kept) -> None:
    async def work() -> None:
        await kept.store.ledger.begin(RUNNING, DECISION)
        await kept.audit.recover(kept.store.ledger)
        entry = await kept.store.ledger.find(KEY)
        assert entry is not None
        assert entry.state is LedgerState.DONE
        assert entry.reply is not None
        assert entry.reply.status is ResultStatus.FAILED
        assert entry.reply.denial_code is DenialCode.TRANSPORT_FAILURE
        assert entry.reply.denial_reason == INTERRUPTED
        assert entry.reply.remedy
        assert entry.reply.audit_id == RUNNING.audit_id

    kept.run(work)


def test_a_clean_start_recovers_nothing_and_says_nothing(kept: Kept) -> None:
    async def work() -> None:
        await kept.store.config.commit(None, drafts=[DECISION, OUTCOME], entry=DONE)
        await kept.audit.recover(kept.store.ledger)
        assert len(kept.store.durable) == 2
        assert kept.log.lines == []

    kept.run(work)


def test_a_recovery_that_fails_closes_nothing(kept: Kept) -> None:
    async def work() -> None:
        await kept.store.ledger.begin(RUNNING, DECISION)
        kept.store.fail_write(1)
        with pytest.raises(StoreFailed):
            await kept.audit.recover(kept.store.ledger)
        assert await kept.audit.list(AuditFilter()) == tuple(kept.store.durable)
        assert len(kept.store.durable) == 1
        assert kept.log.of("recovered") == []
        await kept.audit.recover(kept.store.ledger)
        assert kept.store.durable[-1].outcome is Outcome.UNKNOWN

    kept.run(work)


def test_a_failed_store_is_tried_once_a_second_until_it_works(kept: Kept) -> None:
    async def mend() -> None:
        await wait_ms(3_500)
        assert kept.store.writes == 3
        assert kept.fault() is not None
        kept.store.is_full = False
        await wait_ms(499)
        assert kept.fault() is not None
        await wait_ms(2)
        assert kept.fault() is None
        await asyncio.Event().wait()

    async def work() -> None:
        kept.store.is_full = True
        kept.health.failed(StoreFailed("full", "free"))
        kept.store.writes = 0
        await run_for_ms(8_000, kept.audit.watch(), mend())
        # It works since the fourth try, and is left alone.
        assert kept.store.writes == 4
        assert [record.action_type for record in kept.store.durable] == ["store.recovered"]

    kept.run(work)


def test_what_is_owed_is_written_once_and_an_outcome_known_meanwhile_is_let_go(kept: Kept) -> None:
    async def work() -> None:
        await kept.audit.append([DECISION, OUTCOME])
        kept.audit.owe(lambda: kept.audit.append([OUTCOME]))
        kept.audit.owe(lambda: kept.audit.append([draft(2)]))
        kept.store.is_full = True
        await run_for_ms(1_500, kept.audit.watch())
        assert len(kept.store.durable) == 2
        assert kept.fault() is not None
        kept.store.is_full = False
        await run_for_ms(5_000, kept.audit.watch())
        recovered, paid = kept.store.durable[2:]
        assert recovered.action_type == "store.recovered"
        assert paid.audit_id == draft(2).audit_id
        assert kept.fault() is None

    kept.run(work)


def test_what_is_owed_and_fails_again_holds_up_nothing_else(kept: Kept) -> None:
    async def fail() -> None:
        raise StoreFailed("a row is damaged", "repair it")

    async def work() -> None:
        kept.audit.owe(fail)
        kept.audit.owe(lambda: kept.audit.append([draft(2)]))
        await run_for_ms(3_500, kept.audit.watch())
        assert [one.audit_id for one in kept.store.durable] == [draft(2).audit_id]
        assert kept.fault() is None

    kept.run(work)


def test_a_store_that_works_is_not_written_to_by_the_watch(kept: Kept) -> None:
    async def work() -> None:
        await run_for_ms(5_000, kept.audit.watch())
        assert kept.store.writes == 0

    kept.run(work)


def test_the_watch_shows_what_the_fault_is_now(kept: Kept) -> None:
    async def work() -> None:
        kept.health.failed(StoreFailed("state.db is busy", "wait"))
        kept.store.is_full = True
        await run_for_ms(1_500, kept.audit.watch())
        assert kept.fault() == "state.db cannot grow: the disk is full"

    kept.run(work)


def test_records_are_found_with_their_holder_and_listed_newest_first(kept: Kept) -> None:
    async def work() -> None:
        elsewhere = {"origin": "press-9"}
        records = await kept.audit.append(
            [
                structs.replace(DECISION, **elsewhere),
                draft(2),
                structs.replace(OUTCOME, **elsewhere),
            ]
        )
        found = await kept.audit.find("audit-1")
        assert [(one.held_by, one.phase) for one in found] == [
            (OWN, Phase.DECISION),
            (OWN, Phase.OUTCOME),
        ]
        assert [one.hash for one in found] == [records[0].hash, records[2].hash]
        assert await kept.audit.find("audit-9") == ()
        assert await kept.audit.list(AuditFilter(limit=2)) == (records[2], records[1])

    kept.run(work)


def test_verification_names_the_own_runtime_and_the_first_bad_record(kept: Kept) -> None:
    async def work() -> None:
        await kept.audit.append([draft(number) for number in range(1, 4)])
        report = await kept.audit.verify()
        assert (report.runtime_id, report.records, report.problem) == (OWN, 3, None)
        kept.store.durable[1] = structs.replace(kept.store.durable[1], actor="somebody else")
        report = await kept.audit.verify()
        assert (report.runtime_id, report.records) == (OWN, 1)
        assert report.problem is not None
        assert report.problem.seq == 2

    kept.run(work)


def counted(kept: Kept) -> dict[tuple[str, str, str], int]:
    return dict(kept.audit.decisions)


def test_decisions_are_counted_once_by_action_verdict_and_code(kept: Kept) -> None:
    denied = {"decision": Verdict.DENIED, "denial_code": DenialCode.PERMISSION_DENIED}

    async def work() -> None:
        await kept.audit.append([DECISION, draft(2), draft(3, **denied)])
        await kept.audit.append([OUTCOME])
        kept.store.fail_write(1)
        with pytest.raises(StoreFailed):
            await kept.audit.append([draft(4)])

    kept.run(work)
    assert counted(kept) == {
        ("cfg_apply", "allowed", ""): 2,
        ("cfg_apply", "denied", "permission_denied"): 1,
    }


def test_what_is_no_decision_is_not_counted_as_one(kept: Kept) -> None:
    async def work() -> None:
        await kept.audit.append([kept.audit.local("process.start", outcome=Outcome.EXECUTED)])
        await kept.audit.append([draft(1, count=7, decision=Verdict.DENIED)])

    kept.run(work)
    assert counted(kept) == {}


def test_names_that_a_caller_makes_up_are_counted_as_one(kept: Kept) -> None:
    async def work() -> None:
        for number in range(5):
            made_up = {"action_type": f"made-up-{number}", "decision": Verdict.DENIED}
            await kept.audit.append([draft(number, **made_up)])
        await kept.audit.append([draft(8, action_type="link.set")])
        await kept.audit.append([draft(9, action_type="link.set", decision=Verdict.DENIED)])

    kept.run(work)
    assert counted(kept) == {
        ("other", "denied", ""): 5,
        ("link.set", "allowed", ""): 1,
        ("link.set", "denied", ""): 1,
    }


def test_a_commit_is_timed_until_it_is_durable_and_a_failed_one_is_not(kept: Kept) -> None:
    kept.store.sync_ms = 7

    async def work() -> None:
        await kept.audit.append([draft(1)])
        kept.store.fail_write(1)
        with pytest.raises(StoreFailed):
            await kept.audit.append([draft(2)])

    kept.run(work)
    values = {(s.suffix, s.labels): s.value for s in kept.audit.commit_seconds.samples()}
    assert values[("_count", ())] == 1
    assert values[("_bucket", (("le", "0.005"),))] == 0
    assert values[("_bucket", (("le", "0.01"),))] == 1


def test_how_many_a_record_stands_for_is_in_it_and_in_its_hash(kept: Kept) -> None:
    async def work() -> None:
        one, many = await kept.audit.append([draft(1), draft(2, count=3)])
        assert (one.count, many.count) == (None, 3)
        assert b'"count"' not in encode_json(one)
        report = await kept.audit.verify()
        assert (report.records, report.problem) == (2, None)

    kept.run(work)


def test_what_was_not_told_yet_is_told_at_the_end_once_and_in_order(kept: Kept) -> None:
    async def work() -> None:
        heard: list[str] = []
        kept.audit.on_records = lambda records: heard.extend(r.audit_id for r in records)
        await kept.audit.append([draft(1)])
        await kept.audit.append([draft(2)])
        kept.audit.tell_now()
        assert heard == ["audit-1", "audit-2"]
        await wait_ms(5)
        assert heard == ["audit-1", "audit-2"]
        await kept.audit.append([draft(3)])
        await wait_ms(5)
        assert heard == ["audit-1", "audit-2", "audit-3"]
        assert len(kept.log.of("audit")) == 3

    kept.run(work)
