"""Events: made once, kept, shared when they are about this runtime."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from fakes.store import FakeStore
from fakes.timeline import FakeTimeline
from signed_fleet import OTHER, OWN, Listener, Speaker
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import ALL_TIMELINES, timeline_key
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent, TimelineFilter
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.timeline import FROM_PEER_MAX, NEWEST, WAITING_MAX, Timeline
from virtual_time import run_for_ms, run_virtual, wait_ms

THIRD = RuntimeId("press-3")


class Scene:
    """One runtime with a timeline on a store."""

    def __init__(self) -> None:
        self.here = Listener()
        self.sync_s = 0.0
        self.store = FakeStore(sync_s=lambda: self.sync_s)
        self.health = StoreHealth(self.here.log)
        self.timeline = self.again()
        self.made: list[TimelineEvent] = []
        self.timeline.on_event = self.made.append

    def again(self) -> Timeline:
        return Timeline(
            own=OWN,
            running=self.here.running,
            peers=self.here.peers,
            signing=self.here.signing,
            mesh=self.here.wire,
            store=FakeTimeline(self.store),
            health=self.health,
            clock=self.here.clock,
            entropy=self.here.chance,
        )

    def tell(self, summary: str = "something", **more: Any) -> None:
        self.timeline.tell(Category.COMMUNICATION, Severity.INFO, summary, **more)

    def hear(self, speaker: Speaker, event: TimelineEvent, key: str | None = None) -> None:
        """Take an event as another runtime tells it."""
        speaker.seq += 1
        owner = key or timeline_key(speaker.runtime)
        self.here.wire.takers[ALL_TIMELINES](speaker.broadcast(TokenType.EVENT, owner, event))

    @property
    def sent(self) -> list[MeshMessage]:
        return [message for _, message in self.here.wire.sent]

    @property
    def durable(self) -> list[str]:
        return [event.summary for event in self.store.disk.synced.events.values()]

    def run(self, main: Callable[[], Awaitable[None]], *, length_ms: float = 0) -> None:
        """Run `main`, and the service beside it when there is a length."""

        async def work() -> None:
            async def beside() -> None:
                await main()

            if length_ms:
                await run_for_ms(length_ms, self.timeline.run(), beside())
            else:
                await main()

        run_virtual(self.here.clock, work)


def event(number: int = 1, **changes: Any) -> TimelineEvent:
    made = TimelineEvent(
        event_id=f"evt-{number}",
        timestamp_ns=1_790_000_000_000_000_000,
        category=Category.CONFIG,
        severity=Severity.WARNING,
        runtime_id=OTHER,
        summary=f"event {number}",
    )
    return structs.replace(made, **changes)


def test_an_event_about_itself_is_kept_and_told_signed() -> None:
    scene = Scene()

    async def main() -> None:
        scene.tell("all is well", request_id="r", audit_id="a", data={"n": 1})
        await wait_ms(10)

    scene.run(main, length_ms=20)
    (made,) = scene.made
    assert structs.replace(made, event_id="", timestamp_ns=0) == TimelineEvent(
        event_id="",
        timestamp_ns=0,
        category=Category.COMMUNICATION,
        severity=Severity.INFO,
        runtime_id=OWN,
        request_id="r",
        audit_id="a",
        summary="all is well",
        data={"n": 1},
    )
    assert made.event_id.startswith("evt-")
    assert made.timestamp_ns == 1_790_000_000_000_000_000
    assert list(scene.store.disk.synced.events.values()) == [made]
    assert scene.timeline.newest() == (made,)
    (message,) = scene.sent
    signer, claims = scene.here.signing.read_broadcast(TokenType.EVENT, message)
    assert (signer.runtime_id, message.key) == (OWN, timeline_key(OWN))
    assert (claims.seq, claims.boot_id) == (1, scene.here.running.boot_id)
    assert decode_json(message.body, TimelineEvent) == made


def test_an_event_about_another_is_kept_and_not_told_on() -> None:
    scene = Scene()

    async def main() -> None:
        scene.tell(about=OTHER)
        await scene.timeline.flush()

    scene.run(main)
    (made,) = scene.store.disk.synced.events.values()
    assert (made.runtime_id, made.observer) == (OTHER, OWN)
    assert scene.sent == []


def test_each_told_event_has_its_own_id_and_number() -> None:
    scene = Scene()
    for _ in range(3):
        scene.tell()
    assert len({one.event_id for one in scene.made}) == 3
    read = [scene.here.signing.read_broadcast(TokenType.EVENT, one) for one in scene.sent]
    assert [claims.seq for _, claims in read] == [1, 2, 3]


def test_an_event_of_a_trusted_peer_is_kept_once_and_not_told_on() -> None:
    scene = Scene()
    speaker = scene.here.online()
    told = event(observer=THIRD)

    async def main() -> None:
        scene.hear(speaker, told)
        scene.hear(speaker, told)
        await scene.timeline.flush()

    scene.run(main)
    # It is that runtime's own word, whatever else it says.
    assert list(scene.store.disk.synced.events.values()) == [structs.replace(told, observer=None)]
    assert scene.sent == []
    assert scene.timeline.dropped == 0


def test_whatever_is_no_word_of_a_trusted_peer_about_itself_is_dropped() -> None:
    scene = Scene()
    speaker = scene.here.online()
    scene.hear(speaker, event(runtime_id=OWN))
    scene.hear(speaker, event(runtime_id=THIRD))
    assert scene.timeline.dropped == 2
    speaker.seq += 1
    noise = speaker.broadcast(TokenType.EVENT, timeline_key(OTHER), {"event_id": 5})
    scene.timeline.take(noise)
    assert scene.timeline.dropped == 3
    scene.hear(speaker, event(), key=timeline_key(THIRD))
    scene.hear(scene.here.speaker(THIRD), event(runtime_id=THIRD))
    scene.hear(speaker, event(summary="x" * 17_000))
    assert scene.here.peers.rejected == {"signature": 1, "event": 1, "too_long": 1}
    assert scene.made == []


@pytest.mark.parametrize(
    ("at_ns", "is_kept"), [(-1, False), (0, True), (2**63 - 1, True), (2**63, False)]
)
def test_a_time_that_no_store_can_keep_is_dropped(at_ns: int, is_kept: bool) -> None:  # noqa: FBT001 - a column
    scene = Scene()
    scene.hear(scene.here.online(), event(timestamp_ns=at_ns))
    assert (len(scene.made), scene.timeline.dropped) == (is_kept, not is_kept)


def test_a_peer_has_a_quota_a_minute_and_others_have_theirs() -> None:
    scene = Scene()
    speaker, third = scene.here.online(), scene.here.online(THIRD)
    for number in range(FROM_PEER_MAX + 5):
        scene.hear(speaker, event(number))
    assert (len(scene.made), scene.timeline.dropped) == (FROM_PEER_MAX, 5)
    scene.hear(third, event(1_000, runtime_id=THIRD))
    assert len(scene.made) == FROM_PEER_MAX + 1
    scene.here.clock.advance_ms(59_999)
    scene.hear(speaker, event(1_001))
    assert scene.timeline.dropped == 6
    scene.here.clock.advance_ms(1)
    scene.hear(speaker, event(1_002))
    assert scene.timeline.dropped == 6


def test_what_cannot_be_kept_waits_until_it_can() -> None:
    scene = Scene()

    async def main() -> None:
        scene.store.is_full = True
        scene.tell("first")
        await wait_ms(100)
        scene.tell("second")
        await wait_ms(2_000)
        assert scene.health.fault is not None
        assert scene.durable == []
        scene.store.is_full = False
        await wait_ms(1_000)
        assert scene.durable == ["first", "second"]

    scene.run(main, length_ms=4_000)
    assert scene.timeline.dropped == 0


def test_what_waits_is_bounded_and_the_oldest_goes() -> None:
    scene = Scene()

    async def main() -> None:
        scene.store.is_full = True
        for number in range(WAITING_MAX + 3):
            scene.tell(str(number), about=OTHER)
        assert scene.timeline.dropped == 3
        with pytest.raises(StoreFailed):
            await scene.timeline.flush()
        with pytest.raises(StoreFailed):
            await scene.timeline.list(TimelineFilter())
        scene.store.is_full = False
        await scene.timeline.flush()

    scene.run(main)
    assert scene.durable == [str(number) for number in range(3, WAITING_MAX + 3)]


def test_events_made_while_others_are_kept_come_after_them() -> None:
    scene = Scene()
    scene.sync_s = 0.05

    async def main() -> None:
        scene.tell("first")
        await wait_ms(20)
        scene.tell("second")
        # A list waits for what was made before it, whoever keeps it.
        listed = await scene.timeline.list(TimelineFilter())
        assert [one.summary for one in listed] == ["first", "second"]

    scene.run(main, length_ms=300)
    assert scene.durable == ["first", "second"]


def test_a_list_is_filtered_by_the_store() -> None:
    scene = Scene()

    async def main() -> None:
        scene.tell("first")
        scene.tell("second", about=OTHER)
        listed = await scene.timeline.list(TimelineFilter(runtime=OTHER))
        assert [one.summary for one in listed] == ["second"]
        with pytest.raises(ContractViolation):
            await scene.timeline.list(TimelineFilter(since="evt-unknown"))

    scene.run(main)


def test_the_newest_are_at_hand_and_taken_up_at_a_start() -> None:
    scene = Scene()
    for number in range(NEWEST + 2):
        scene.tell(str(number), about=OTHER)
    assert [one.summary for one in scene.timeline.newest()] == [
        str(number) for number in range(2, NEWEST + 2)
    ]
    again = scene.again()
    again.load([event(1), event(2)])
    again.tell(Category.AUDIT, Severity.INFO, "third")
    assert [one.summary for one in again.newest()] == ["event 1", "event 2", "third"]
