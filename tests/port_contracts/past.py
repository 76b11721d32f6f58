"""What every `TimelineStore`, `HistoryStore` and `HeadStore` must do."""

from typing import Protocol

import pytest
from msgspec import structs

from trust_runtime.contracts.audit import ChainHead, WitnessedHead
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.history import (
    EdgeChanges,
    NodeChanges,
    RecordedState,
    StateDelta,
)
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.timeline import (
    KEPT_NS,
    Category,
    Severity,
    TimelineEvent,
    TimelineFilter,
)
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.heads import HeadStore
from trust_runtime.ports.timeline import HistoryStore, TimelineStore

NOW_NS = 1_700_000_000_000_000_000
HOUR_NS = 3_600 * NS_PER_S
HOURS_KEPT = 720
FEW = 5
"""How many entries the small stores of these tests keep."""


class World(Protocol):
    """One store that the test can close and open again; the small faces keep `FEW` entries."""

    @property
    def timeline(self) -> TimelineStore: ...
    @property
    def small_timeline(self) -> TimelineStore: ...
    @property
    def history(self) -> HistoryStore: ...
    @property
    def small_history(self) -> HistoryStore: ...
    @property
    def heads(self) -> HeadStore: ...

    async def reopen(self) -> None: ...


def event(number: int, at_ns: int = NOW_NS, **changes: object) -> TimelineEvent:
    """Return an event under its own id."""
    made = TimelineEvent(
        event_id=f"evt-{number}",
        timestamp_ns=at_ns,
        category=Category.COMMUNICATION,
        severity=Severity.INFO,
        runtime_id="press-1",
        summary="ä\0€😀",
        data={"n": 2**64 - 1},
    )
    return structs.replace(made, **changes)


def whole(at_ns: int) -> RecordedState:
    """Return a keyframe."""
    return RecordedState(at_ns=at_ns, whole=Topology(nodes=(), edges=(), host_groups=()))


def step(at_ns: int) -> RecordedState:
    """Return a step."""
    return RecordedState(
        at_ns=at_ns,
        delta=StateDelta(nodes=NodeChanges(remove=(str(at_ns),)), edges=EdgeChanges()),
    )


def head(number: int, at_ns: int = NOW_NS, runtime_id: str = "press-1") -> WitnessedHead:
    """Return a head that was seen at some time."""
    return WitnessedHead(
        runtime_id=runtime_id, head=ChainHead(seq=number, hash="a" * 64), seen_at_ns=at_ns
    )


@pytest.mark.anyio
class TimelineStoreContract:
    async def test_events_are_kept_once_in_order_and_survive(self, world: World) -> None:
        late, early = event(1, NOW_NS), event(2, NOW_NS - 1, observer="press-2")
        assert await world.timeline.append([late, early], now_ns=NOW_NS) == 2
        again = structs.replace(late, summary="something else")
        assert await world.timeline.append([again, event(3), event(3)], now_ns=NOW_NS) == 1
        assert await world.timeline.append([], now_ns=NOW_NS) == 0
        await world.reopen()
        assert await world.timeline.list(TimelineFilter()) == (late, early, event(3))

    async def test_list_filters(self, world: World) -> None:
        await world.timeline.append(
            [
                event(1, NOW_NS + 1),
                event(2, NOW_NS + 2, category=Category.SECURITY),
                event(3, NOW_NS + 3, runtime_id="press-2"),
                event(4, NOW_NS + 4),
            ],
            now_ns=NOW_NS + 4,
        )

        async def listed(**wanted: object) -> list[str]:
            found = await world.timeline.list(structs.replace(TimelineFilter(), **wanted))
            return [one.event_id.removeprefix("evt-") for one in found]

        assert await listed() == ["1", "2", "3", "4"]
        assert await listed(limit=2) == ["3", "4"]
        assert await listed(since="evt-1", limit=2) == ["2", "3"]
        assert await listed(since="evt-4") == []
        assert await listed(since=NOW_NS + 2) == ["3", "4"]
        assert await listed(since=0, limit=1) == ["1"]
        assert await listed(until_ns=NOW_NS + 2) == ["1", "2"]
        assert await listed(until_ns=NOW_NS + 3, limit=2) == ["2", "3"]
        assert await listed(category=Category.COMMUNICATION) == ["1", "3", "4"]
        assert await listed(runtime="press-2") == ["3"]
        assert await listed(runtime="press-2", category=Category.SECURITY) == []
        assert await listed(since=2**64) == []
        assert await listed(until_ns=2**64) == ["1", "2", "3", "4"]

    @pytest.mark.parametrize("limit", [0, 1_001])
    async def test_a_limit_out_of_range_is_refused(self, world: World, limit: int) -> None:
        with pytest.raises(ContractViolation, match="limit"):
            await world.timeline.list(TimelineFilter(limit=limit))

    async def test_going_on_after_an_event_that_is_not_kept_is_refused(self, world: World) -> None:
        await world.timeline.append([event(1)], now_ns=NOW_NS)
        with pytest.raises(ContractViolation, match="since"):
            await world.timeline.list(TimelineFilter(since="evt-2"))

    async def test_the_oldest_give_way_by_number(self, world: World) -> None:
        await world.small_timeline.append([event(n) for n in range(FEW)], now_ns=NOW_NS)
        await world.small_timeline.append([event(n) for n in (0, 7, 8)], now_ns=NOW_NS)
        found = await world.small_timeline.list(TimelineFilter())
        assert [one.event_id for one in found] == ["evt-2", "evt-3", "evt-4", "evt-7", "evt-8"]

    async def test_the_oldest_give_way_by_age(self, world: World) -> None:
        old, young = event(1, NOW_NS), event(2, NOW_NS + 1)
        await world.timeline.append([old, young], now_ns=NOW_NS + 1)
        await world.timeline.append([event(3, NOW_NS + KEPT_NS)], now_ns=NOW_NS + KEPT_NS)
        assert len(await world.timeline.list(TimelineFilter())) == 3
        last = event(4, NOW_NS + KEPT_NS + 1)
        await world.timeline.append([last], now_ns=NOW_NS + KEPT_NS + 1)
        found = await world.timeline.list(TimelineFilter())
        assert [one.event_id for one in found] == ["evt-2", "evt-3", "evt-4"]

    async def test_a_clock_that_is_years_away_makes_nothing_go(self, world: World) -> None:
        ages = [event(1), event(2, NOW_NS + 10 * KEPT_NS), event(3), event(4, 0)]
        for one in ages:
            await world.timeline.append([one], now_ns=NOW_NS)
        assert await world.timeline.list(TimelineFilter()) == tuple(ages)
        # Alone it stays as well, until something younger comes after it.
        later_ns = NOW_NS + 2 * KEPT_NS
        await world.timeline.append([event(5, 1)], now_ns=later_ns)
        assert [e.event_id for e in await world.timeline.list(TimelineFilter())] == ["evt-5"]


@pytest.mark.anyio
class HistoryStoreContract:
    async def test_before_the_first_entry(self, world: World) -> None:
        assert await world.history.until(NOW_NS) == ()
        assert await world.history.last_beat_ns() == 0

    async def test_from_the_newest_keyframe_on_and_survives(self, world: World) -> None:
        entries = [whole(10), step(20), whole(30), step(40), step(40), step(50)]
        for entry in entries:
            assert await world.history.record(entry) == entry.at_ns
        await world.reopen()

        async def until(at_ns: int) -> list[int]:
            return [entries.index(one) for one in await world.history.until(at_ns)]

        assert await until(9) == []
        assert await until(10) == [0]
        assert await until(29) == [0, 1]
        assert await until(30) == [2]
        assert await until(39) == [2]
        assert await world.history.until(40) == tuple(entries[2:5])
        assert await world.history.until(50) == tuple(entries[2:])
        assert await world.history.until(NOW_NS) == tuple(entries[2:])

    async def test_a_clock_set_back_puts_no_entry_before_the_one_it_follows_on(
        self, world: World
    ) -> None:
        entries = (whole(100), step(60), step(110))
        assert [await world.history.record(entry) for entry in entries] == [100, 100, 110]
        assert await world.history.until(99) == ()
        assert await world.history.until(100) == entries[:2]
        assert await world.history.until(110) == entries

    async def test_the_oldest_give_way_by_number_and_by_age(self, world: World) -> None:
        entries = [whole(n) for n in range(FEW)]
        for entry in (*entries, whole(FEW)):
            await world.small_history.record(entry)
        assert await world.small_history.until(0) == ()
        assert await world.small_history.until(1) == (entries[1],)
        await world.small_history.record(whole(2 + KEPT_NS))
        assert await world.small_history.until(1) == ()
        assert await world.small_history.until(2) == (entries[2],)

    async def test_steps_whose_keyframe_is_gone_are_given_without_it(self, world: World) -> None:
        for entry in (whole(0), *(step(n) for n in range(1, FEW + 1))):
            await world.small_history.record(entry)
        assert [one.at_ns for one in await world.small_history.until(2)] == [1, 2]

    async def test_the_newest_sign_of_life_counts(self, world: World) -> None:
        await world.history.beat(NOW_NS)
        assert await world.history.last_beat_ns() == NOW_NS
        await world.history.beat(NOW_NS - 5)
        await world.reopen()
        assert await world.history.last_beat_ns() == NOW_NS - 5
        await world.history.record(whole(NOW_NS + 1))
        assert await world.history.last_beat_ns() == NOW_NS + 1
        assert await world.history.until(NOW_NS) == ()


@pytest.mark.anyio
class HeadStoreContract:
    async def test_the_newest_of_each_is_loaded_by_id_and_survives(self, world: World) -> None:
        assert await world.heads.load() == ()
        noted = structs.replace(head(4, runtime_id="b/press-2"), contradiction="cut")
        await world.heads.save([head(1), noted])
        await world.heads.save([head(2)])
        await world.reopen()
        assert await world.heads.load() == (noted, head(2))

    async def test_one_an_hour_is_kept_and_the_newest(self, world: World) -> None:
        start_ns = NOW_NS - NOW_NS % HOUR_NS
        seen = [
            head(1, start_ns),
            head(2, start_ns + HOUR_NS - 1),
            head(3, start_ns + HOUR_NS),
        ]
        for one in seen:
            await world.heads.save([one])
        await world.heads.save([head(9, runtime_id="press-2")])
        newest = seen[2]
        assert await world.heads.kept(RuntimeId("press-1")) == (seen[1], newest, newest)
        assert await world.heads.kept(RuntimeId("press-3")) == ()

    async def test_hours_older_than_thirty_days_go(self, world: World) -> None:
        start_ns = NOW_NS - NOW_NS % HOUR_NS
        first, second = head(1, start_ns), head(2, start_ns + HOUR_NS)
        other = head(5, start_ns, "press-2")
        last = head(3, start_ns + HOURS_KEPT * HOUR_NS)
        await world.heads.save([first, second, other])
        await world.heads.save([structs.replace(last, seen_at_ns=last.seen_at_ns - 1)])
        assert (await world.heads.kept(RuntimeId("press-1")))[0] == first
        await world.heads.save([last])
        assert (await world.heads.kept(RuntimeId("press-1")))[0] == second
        assert await world.heads.kept(RuntimeId("press-2")) == (other, other)
        assert await world.heads.load() == (last, other)
