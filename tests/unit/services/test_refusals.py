"""`services.refusals`: at most one record a second and address, with the count (D60)."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fakes.clock import FakeClock
from fakes.entropy import FakeEntropy
from fakes.log import FakeLog
from signed_fleet import OWN
from store_that_fails import FailingStore
from trust_runtime.contracts.audit import Outcome, Verdict
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Role
from trust_runtime.services.audit import Audit
from trust_runtime.services.refusals import ADDRESSES_MAX, OTHERS, Refusals
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
        self.refusals = Refusals(audit=self.audit, log=self.log)

    def run(self, work: Callable[[], Coroutine[Any, Any, None]], *, ms: float) -> None:
        async def both() -> None:
            await run_for_ms(ms, self.refusals.run(), work())

        run_virtual(self.clock, both)

    @property
    def told(self) -> list[tuple[str, int | None]]:
        return [(record.actor, record.count) for record in self.store.durable]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_the_first_is_recorded_at_once_and_the_rest_of_its_second_together(kept: Kept) -> None:
    async def flood() -> None:
        kept.refusals.note("10.0.0.9")
        await wait_ms(1)
        assert kept.told == [("http://10.0.0.9", 1)]
        for _ in range(500):
            kept.refusals.note("10.0.0.9")
            kept.refusals.note("10.0.0.8")
            await wait_ms(1)
        assert len(kept.told) == 1

    kept.run(flood, ms=3_000)
    assert kept.told == [("http://10.0.0.9", 1), ("http://10.0.0.8", 500), ("http://10.0.0.9", 500)]


def test_nothing_is_written_while_nobody_is_refused(kept: Kept) -> None:
    async def quiet() -> None:
        await wait_ms(5_000)

    kept.run(quiet, ms=6_000)
    assert kept.store.writes == 0


def test_a_record_says_who_was_not_known(kept: Kept) -> None:
    async def one() -> None:
        kept.refusals.note("10.0.0.9")

    kept.run(one, ms=10)
    [record] = kept.store.durable
    assert record.action_type == "auth.failed"
    assert (record.identity, record.role) == ("unknown", Role.VIEWER)
    assert (record.decision, record.outcome) == (Verdict.DENIED, Outcome.DENIED)
    assert record.denial_code is DenialCode.PERMISSION_DENIED
    [line] = [line for line in kept.log.lines if line.event == "auth_failed"]
    assert line.data == {"address": "10.0.0.9", "count": 1}
    assert not kept.audit.decisions


def test_many_addresses_are_counted_together(kept: Kept) -> None:
    async def flood() -> None:
        for number in range(ADDRESSES_MAX + 3):
            kept.refusals.note(f"10.0.0.{number}")
        kept.refusals.note("10.0.0.0")

    kept.run(flood, ms=10)
    told = dict(kept.told)
    assert len(told) == ADDRESSES_MAX + 1
    assert told[f"http://{OTHERS}"] == 3
    assert told["http://10.0.0.0"] == 2


def test_what_a_failed_store_refuses_is_recorded_later(kept: Kept) -> None:
    async def fail() -> None:
        kept.store.fail_write(1)
        kept.refusals.note("10.0.0.9")
        await wait_ms(10)
        assert kept.told == []
        kept.refusals.note("10.0.0.9")

    kept.run(fail, ms=1_500)
    assert kept.told == [("http://10.0.0.9", 2)]
