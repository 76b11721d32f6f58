"""`services.sender_refusals`: each is counted, a sender makes one record a second (D60)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.clock import FakeClock
from fakes.entropy import FakeEntropy
from fakes.log import FakeLog
from signed_fleet import OWN
from store_that_fails import FailingStore
from trust_runtime.contracts.audit import Outcome, Verdict
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Role
from trust_runtime.services.audit import Audit
from trust_runtime.services.sender_refusals import OTHERS, SENDERS_MAX, UNKNOWN, SenderRefusals
from trust_runtime.services.store_health import StoreHealth
from virtual_time import run_for_ms, run_virtual, wait_ms


class Kept:
    """The service with its log of records."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        self.store = FailingStore()
        self.audit = Audit(
            own=OWN,
            store=self.store.audit,
            health=StoreHealth(self.log),
            clock=self.clock,
            entropy=FakeEntropy(self.clock),
            log=self.log,
        )
        self.refusals = SenderRefusals(audit=self.audit, clock=self.clock, log=self.log)

    async def refuse(self, sender: str) -> None:
        count = self.refusals.take(sender, "untrusted")
        if count:
            await self.refusals.record(sender, count, "untrusted")

    @property
    def told(self) -> list[tuple[str, int | None]]:
        return [(record.actor, record.count) for record in self.store.durable]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_record_says_who_why_and_how_many(kept: Kept) -> None:
    async def work() -> None:
        await kept.refuse("spiffe://trust/x/eve")

    run_virtual(kept.clock, work)
    [record] = kept.store.durable
    assert (record.action_type, record.actor) == ("auth.failed", "spiffe://trust/x/eve")
    assert (record.identity, record.role) == (UNKNOWN, Role.VIEWER)
    assert (record.decision, record.outcome) == (Verdict.DENIED, Outcome.DENIED)
    assert (record.denial_code, record.count) == (DenialCode.PERMISSION_DENIED, 1)
    assert not kept.audit.decisions


def test_more_senders_than_can_be_told_apart_are_counted_together(kept: Kept) -> None:
    async def work() -> None:
        for number in range(SENDERS_MAX + 10):
            await kept.refuse(f"s{number:03}")
            await kept.refuse(UNKNOWN)
        await kept.refusals.flush()
        await wait_ms(1_000)
        await kept.refuse("later")

    run_virtual(kept.clock, work)
    told = dict(kept.told)
    assert len(told) <= SENDERS_MAX + 3
    assert sum(count or 0 for _, count in kept.told) == 2 * (SENDERS_MAX + 10) + 1
    assert OTHERS in told
    assert told["later"] == 1


@given(st.lists(st.tuples(st.integers(0, 700), st.sampled_from("abc")), max_size=60))
def test_none_is_missing_and_none_has_two_records_in_a_second(
    refused: list[tuple[int, str]],
) -> None:
    kept = Kept()

    async def work() -> None:
        for pause_ms, sender in refused:
            await wait_ms(pause_ms)
            await kept.refuse(sender)

    async def whole() -> None:
        length_ms = sum(pause_ms for pause_ms, _ in refused) + 3_000
        await run_for_ms(length_ms, work(), kept.refusals.run())

    run_virtual(kept.clock, whole)
    for sender in "abc":
        counts = [count or 0 for actor, count in kept.told if actor == sender]
        assert sum(counts) == sum(other == sender for _, other in refused)
        times = [r.timestamp_ns for r in kept.store.durable if r.actor == sender]
        assert all(b - a >= 10**9 for a, b in itertools.pairwise(times))


def test_what_a_failed_store_did_not_keep_is_kept_later(kept: Kept) -> None:
    async def work() -> None:
        kept.store.fail_write(1)
        await kept.refuse("a")
        assert kept.told == []
        await run_for_ms(2_500, kept.refusals.run())

    run_virtual(kept.clock, work)
    assert kept.told == [("a", 1)]
