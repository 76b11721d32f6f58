"""The states the fleet went through: every past instant, or that it is not known."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.clock import FakeClock
from fakes.disk import Disk
from fakes.log import FakeLog
from fakes.store import FakeStore
from fakes.timeline import FakeHistory
from signed_fleet import boot
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.fleet import Node, Topology, TrustState
from trust_runtime.contracts.history import StateDelta
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.delta import diff
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.history import History, PastState
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.stream import Reader, Stream
from virtual_time import run_for_ms, run_virtual, wait_ms


class Shown(Fleet):
    """A fleet whose state the test sets."""

    def __init__(self) -> None:
        self.now = state()

    def topology(self) -> Topology:
        return self.now


def state(*names: str, last_seen_ns: int = 0) -> Topology:
    """Return a state with these runtimes."""
    return Topology(
        nodes=tuple(
            Node(
                runtime_id=name,
                site="default-site",
                display_name=name,
                role="MEMBER",
                lifecycle_state=Lifecycle.ONLINE,
                trust_state=TrustState.TRUSTED,
                last_seen_ns=last_seen_ns,
            )
            for name in names
        ),
        edges=(),
        host_groups=(),
    )


class Scene:
    """One runtime with a history; `restart` makes the next process on the same disk."""

    def __init__(self) -> None:
        self.clock = FakeClock(booted_ns=1_000)
        self.start_ns = self.clock.wall_ns()
        self.disk = Disk()
        self.fleet = Shown()
        self.changes: list[tuple[Topology, Topology]] = []
        self.restart()

    def restart(self) -> None:
        self.disk.crash(keep_unsynced=False)
        self.store = FakeStore(self.disk)
        self.health = StoreHealth(FakeLog())
        self.stream = Stream(boot(1))
        self.history = History(
            fleet=self.fleet,
            stream=self.stream,
            store=FakeHistory(self.store),
            health=self.health,
            clock=self.clock,
        )
        self.history.on_change = lambda before, after: self.changes.append((before, after))

    async def show(self, *names: str, after_ms: float = 0) -> None:
        """Let time pass, then have these runtimes be the fleet, and record it."""
        self.clock.advance_ms(after_ms)
        self.fleet.now = state(*names)
        await self.history.record_now()

    async def at(self, ms: float) -> PastState:
        return await self.history.at(self.start_ns + round(ms * NS_PER_MS))

    async def names(self, ms: float) -> list[str] | str:
        """Return who was in the fleet so long after the start, or why that is not known."""
        found = await self.at(ms)
        if found.topology is None:
            return found.unknown_because
        return [node.runtime_id for node in found.topology.nodes]

    def kinds(self) -> list[str]:
        """Return what kind of entries are durable, oldest first."""
        return [
            "ended" if entry.ended else "step" if entry.whole is None else "whole"
            for _, entry in self.disk.synced.states
        ]

    def join(self) -> Reader:
        joined = self.stream.join(None)
        assert joined is not None
        return joined[0]

    def run(self, main: Callable[[], Awaitable[None]], *, length_ms: float = 0) -> None:
        """Run `main`, and the service beside it when there is a length."""

        async def work() -> None:
            async def beside() -> None:
                await main()

            if length_ms:
                await run_for_ms(length_ms, self.history.run(), beside())
            else:
                await main()

        run_virtual(self.clock, work)


GONE = "this runtime did not run then"
NOTHING = "nothing is recorded of that time"
LOST = "the records could not be kept then"
AGAIN = "the clock was set back, and that time passes a second time"


def test_every_past_instant_is_rebuilt() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        await scene.show("a", "b", after_ms=10)
        await scene.show("b", after_ms=10)
        await scene.show("b", after_ms=10)
        assert await scene.names(9.999) == NOTHING
        assert await scene.names(10) == ["a"]
        assert await scene.names(19.999) == ["a"]
        assert await scene.names(20) == ["a", "b"]
        assert await scene.names(40) == ["b"]
        assert (await scene.at(40)).recorded_at_ns == scene.start_ns + 30 * NS_PER_MS
        assert await scene.names(40.001) == "that instant is still to come"

    scene.run(main)
    assert scene.kinds() == ["whole", "step", "step"]


def test_the_passing_of_time_is_not_recorded_or_told() -> None:
    scene = Scene()
    reader = scene.join()

    async def main() -> None:
        await scene.show("a")
        scene.fleet.now = state("a", last_seen_ns=99)
        await scene.history.record_now()
        assert await reader.next(0.01) is None
        await scene.show("b")
        event = await reader.next(0.01)
        assert event is not None
        assert event.kind == "state"
        assert b'"remove":["a"]' in event.data

    scene.run(main)
    assert scene.kinds() == ["whole", "step"]
    assert [[n.runtime_id for n in after.nodes] for _, after in scene.changes] == [["b"]]


def test_a_state_that_stays_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Topology] = []

    def noted(before: Topology, after: Topology) -> StateDelta | None:
        compared.append(after)
        return diff(before, after)

    monkeypatch.setattr("trust_runtime.services.history.diff", noted)

    scene = Scene()

    async def main() -> None:
        seen: list[Topology] = []
        for now in (state("a"), state("a", last_seen_ns=5), state("a", "b"), state("a")):
            scene.fleet.now = now
            seen.append(now)
            for _ in range(3):
                await scene.history.record_now()
        # The first is there to be compared with.
        assert compared == seen[1:]
        assert [[node.runtime_id for node in after.nodes] for _, after in scene.changes] == [
            ["a", "b"],
            ["a"],
        ]

    scene.run(main)


def test_at_most_ten_states_a_second() -> None:
    scene = Scene()

    async def main() -> None:
        for number in range(100):
            scene.fleet.now = state(f"press-{number}")
            await wait_ms(10)

    scene.run(main, length_ms=1_000)
    assert 9 <= len(scene.kinds()) <= 11
    assert len(scene.changes) == len(scene.kinds()) - 1


def test_a_keyframe_comes_after_so_many_steps() -> None:
    scene = Scene()

    async def main() -> None:
        for number in range(600):
            await scene.show(f"press-{number}", after_ms=1)
        assert await scene.names(300) == ["press-299"]
        assert await scene.names(1) == ["press-0"]

    scene.run(main)
    kinds = scene.kinds()
    assert [n for n, kind in enumerate(kinds) if kind == "whole"] == [0, 257, 514]


def test_after_an_orderly_stop_nothing_is_known_until_the_next_start() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        scene.clock.advance_ms(10)
        await scene.history.end()
        scene.restart()
        scene.clock.advance_ms(100)
        await scene.history.begin()
        await scene.show("a", after_ms=1)
        assert await scene.names(19.999) == ["a"]
        assert await scene.names(20) == GONE
        assert await scene.names(120.999) == GONE
        assert await scene.names(121) == ["a"]

    scene.run(main)


@pytest.mark.parametrize("begins", [True, False])
def test_after_a_crash_nothing_is_known_from_the_last_sign_of_life_on(*, begins: bool) -> None:
    scene = Scene()

    async def first() -> None:
        await scene.show("a")

    async def second() -> None:
        if begins:
            await scene.history.begin()
        await scene.show("a", after_ms=1)
        assert await scene.names(7_001) == ["a"]
        assert await scene.names(7_000.999) == GONE
        # The last beat came at 5000 or one tick later.
        assert await scene.names(5_200) == GONE
        assert await scene.names(4_999) == ["a"]

    scene.run(first, length_ms=7_000)
    scene.restart()
    scene.run(second)


def test_a_state_recorded_after_the_last_beat_is_a_sign_of_life() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.history.begin()
        await FakeHistory(scene.store).beat(scene.clock.wall_ns())
        await scene.show("a", after_ms=10)
        await scene.show("b", after_ms=20)
        scene.restart()
        scene.clock.advance_ms(100)
        await scene.history.begin()
        assert await scene.names(29.999) == ["a"]
        assert await scene.names(30) == GONE

    scene.run(main)


def test_a_store_that_is_full_at_the_start_closes_what_a_crash_left_later() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a")
        scene.restart()
        scene.clock.advance_ms(50)
        scene.store.is_full = True
        with pytest.raises(StoreFailed):
            await scene.history.begin()
        with pytest.raises(StoreFailed):
            await scene.show("a", after_ms=50)
        scene.store.is_full = False
        await scene.show("a", after_ms=50)
        assert await scene.names(60) == GONE
        assert await scene.names(120) == GONE
        assert await scene.names(150) == ["a"]

    scene.run(main)


def test_a_failed_store_leaves_a_gap_and_then_a_keyframe_though_nothing_changed_since() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        scene.store.is_full = True
        with pytest.raises(StoreFailed):
            await scene.show("b", after_ms=10)
        assert await scene.names(19.999) == ["a"]
        assert await scene.names(20) == LOST
        with pytest.raises(StoreFailed):
            await scene.show("b", after_ms=10)
        assert len(scene.changes) == 1
        scene.store.is_full = False
        await scene.show("b", after_ms=10)
        assert await scene.names(19.999) == ["a"]
        assert await scene.names(20) == GONE
        assert await scene.names(39.999) == GONE
        assert await scene.names(40) == ["b"]
        await scene.show("c", after_ms=10)
        assert await scene.names(50) == ["c"]

    scene.run(main)
    assert scene.kinds() == ["whole", "ended", "whole", "step"]


def test_a_process_that_stops_before_the_store_works_again_leaves_the_gap() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        scene.store.is_full = True
        with pytest.raises(StoreFailed):
            await scene.show("b", after_ms=10)
        scene.store.is_full = False
        scene.clock.advance_ms(10)
        await scene.history.end()
        assert await scene.names(20) == LOST
        scene.restart()
        assert await scene.names(19) == ["a"]
        assert await scene.names(20) == GONE

    scene.run(main)


def test_the_loop_goes_on_after_a_failed_store() -> None:
    scene = Scene()
    scene.fleet.now = state("a")

    async def main() -> None:
        await wait_ms(250)
        scene.store.is_full = True
        scene.fleet.now = state("b")
        await wait_ms(1_500)
        assert scene.health.fault is not None
        scene.store.is_full = False
        await wait_ms(1_500)
        assert await scene.names(200) == ["a"]
        assert await scene.names(3_200) == ["b"]

    scene.run(main, length_ms=4_000)
    assert len(scene.changes) == 1


def test_a_clock_set_back_shows_no_old_state_as_the_present_one() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        await scene.show("b", after_ms=1_000)
        scene.clock.step_wall_ms(-500)
        # It is 510 by the clock for the second time; nothing changed since.
        await scene.show("b")
        assert await scene.names(509) == ["a"]
        assert await scene.names(510) == AGAIN
        await scene.show("c", after_ms=100)
        assert await scene.names(600) == AGAIN
        assert await scene.names(500) == ["a"]
        await scene.show("d", after_ms=450)
        # The clock has caught up: what passed twice is shown as it was at first.
        assert await scene.names(1_060) == ["d"]
        assert await scene.names(700) == ["a"]
        assert await scene.names(1_010) == ["c"]

    scene.run(main)
    assert scene.kinds() == ["whole", "step", "whole", "step", "step"]


def test_a_restart_with_a_clock_that_is_behind_shows_no_old_state_either() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        await scene.show("b", after_ms=1_000)
        scene.restart()
        scene.clock.step_wall_ms(-500)
        await scene.history.begin()
        await scene.show("c")
        assert await scene.names(510) == AGAIN
        assert await scene.names(509) == ["a"]
        scene.clock.step_wall_ms(5_000)
        await scene.show("d")
        assert await scene.names(5_510) == ["d"]

    scene.run(main)


def test_steps_without_their_keyframe_are_not_known() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a", after_ms=10)
        await scene.show("b", after_ms=10)
        del scene.disk.synced.states[0]
        assert await scene.names(20) == NOTHING

    scene.run(main)


class Life:
    """What was true, beside what a history tells of it."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.truth: list[tuple[int, str | None]] = []

    @property
    def elapsed_ms(self) -> int:
        return self.scene.clock.time.now_ns // NS_PER_MS

    async def do(self, what: str) -> None:
        """Let something happen; what cannot be recorded happens all the same."""
        scene = self.scene
        if what in ("full", "room"):
            scene.store.is_full = what == "full"
            return
        runs = what not in ("crash", "stop")
        self.truth.append((self.elapsed_ms, what if runs else None))
        with suppress(StoreFailed):
            if runs:
                await scene.show(what)
            elif what == "stop":
                await scene.history.end()
        if not runs:
            scene.restart()

    async def check(self, ms: int) -> None:
        """Compare what is told of an instant with what was."""
        was = [name for at_ms, name in self.truth if at_ms <= ms]
        told = await self.scene.names(ms)
        if isinstance(told, list):
            assert told == was[-1:], (ms, self.truth)


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "crash", "full", "room", "stop"]), st.integers(1, 3)
        ),
        max_size=25,
    )
)
def test_what_is_told_of_an_instant_was_so_or_it_is_not_known(steps: list[tuple[str, int]]) -> None:
    life = Life()

    async def main() -> None:
        for what, pause_ms in steps:
            life.scene.clock.advance_ms(pause_ms)
            await life.do(what)
        life.scene.store.is_full = False
        for ms in range(life.elapsed_ms):
            await life.check(ms)

    life.scene.run(main)


def test_a_step_is_what_the_stream_tells() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.show("a")
        await scene.show("b")

    scene.run(main)
    ((_, _), (_, entry)) = scene.disk.synced.states
    assert isinstance(entry.delta, StateDelta)
    assert entry.delta.nodes.remove == ("a",)
