"""What each runtime sees of all others, told to them, and put together."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from msgspec import structs

from fakes.network import Network
from fakes.reach import FakeReach, Post
from service_world import Node, Scene, virtual
from signed_fleet import signer_of
from trust_runtime.contracts.audit import ChainHead
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import held_views_key, token_key, view_key
from trust_runtime.contracts.sight import Cell, Matrix, Row, Sight, View
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.hails import Hails
from trust_runtime.services.stalls import Stalls
from trust_runtime.services.views import (
    HANDED_BYTES_MAX,
    LOST_VIEW_AGE_MS_MAX,
    VIEW_AGE_MS_MAX,
    HandedView,
    Views,
)
from virtual_time import wait_ms


@dataclass
class Site:
    """One runtime with its views, and what they told."""

    node: Node
    views: Views
    stalls: Stalls
    sights: list[tuple[str, Sight]] = field(default_factory=list)
    taken: list[View] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def id(self) -> RuntimeId:
        return self.node.id

    def hears(self, *others: "Site") -> None:
        for other in others:
            self.node.hears(other.node)

    def loses(self, other: "Site") -> None:
        boot = other.node.services.running.boot_id
        self.node.services.peers.take_token(token_key(other.id, boot), alive=False)

    def run(self, scene: Scene) -> None:
        self.tasks.append(scene.tasks.create_task(self.views.run()))

    async def tell(self) -> None:
        """Tell the own view once, now."""
        self.views._tell()
        await wait_ms(1)

    def view(self, **changes: Any) -> MeshMessage:
        """Return a view as this runtime would sign it."""
        seq = changes.pop("seq", 1)
        view = structs.replace(self.views.own_view(), **{"seq": seq, **changes})
        return self.node.services.signing.broadcast(
            TokenType.EVENT,
            view_key(self.id),
            view,
            seq=seq,
            boot_id=self.node.services.running.boot_id,
        )

    def handed(self, age_ms: int, message: MeshMessage | None = None, **changes: Any) -> HandedView:
        """Return a view of this runtime as somebody else hands it on."""
        signed = self.view(**changes) if message is None else message
        return HandedView(
            key=signed.key, body=signed.body.decode(), token=signed.token.decode(), age_ms=age_ms
        )


async def site(scene: Scene, own: str) -> Site:
    node = await scene.node(own)
    services = node.services
    stalls = Stalls(clock=node.clock, log=node.log)
    hails = Hails(
        own=node.id,
        running=services.running,
        peers=services.peers,
        stalls=stalls,
        signer=signer_of(node.id),
        reach=FakeReach(Post(Network()), node.line.address),
        clock=node.clock,
    )
    views = Views(
        own=node.id,
        running=services.running,
        peers=services.peers,
        hails=hails,
        stalls=stalls,
        signing=services.signing,
        mesh=node.line,
        clock=node.clock,
    )
    made = Site(node, views, stalls)
    views.on_sight = lambda peer, sight: made.sights.append((peer.record.runtime_id, sight))
    views.on_view = made.taken.append
    services.peers.on_change = views.soon
    return made


async def trio(scene: Scene) -> tuple[Site, Site, Site]:
    """Return three runtimes of which each hears the two others."""
    one, two, three = [await site(scene, f"press-{number}") for number in (1, 2, 3)]
    for observer in (one, two, three):
        observer.hears(*(other for other in (one, two, three) if other is not observer))
    return one, two, three


def row(matrix: Matrix, observer: Site) -> Row:
    (found,) = [one for one in matrix.rows if one.observer == observer.id]
    return found


def cell(matrix: Matrix, observer: Site, target: Site) -> Cell:
    (found,) = [one for one in row(matrix, observer).cells if one.target == target.id]
    return found


def answer_with(
    asker: Site, holder: Site, *handed: HandedView, body: bytes | None = None
) -> list[tuple[RuntimeId, ...]]:
    """Have `holder` answer `asker` like that; return what it was asked for."""
    asked: list[tuple[RuntimeId, ...]] = []

    async def ask(message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        if message.key != held_views_key(holder.id):
            return Silence.NOBODY
        asked.append(decode_json(message.body, tuple[RuntimeId, ...]))
        text = canonical_json(handed) if body is None else body
        return MeshMessage(key=message.key, body=text)

    asker.node.line.ask = ask
    return asked


# The own view


@virtual
async def test_the_own_view_is_what_is_seen_now(scene: Scene) -> None:
    one, two, three = await trio(scene)
    head = ChainHead(seq=4, hash="a" * 64)
    one.views.head_of = {two.id: head}.get
    await wait_ms(700)
    one.hears(three)
    one.loses(three)
    view = one.views.own_view()
    assert (view.observer, view.boot_id) == (one.id, one.node.services.running.boot_id)
    assert view.beacon_period_ms == 1_000
    assert [(line.target, line.sight, line.heard_ago_ms, line.head) for line in view.peers] == [
        (two.id, Sight.HEARD, 700, head),
        (three.id, Sight.LOST, 0, None),
    ]
    assert view.peers[0].boot_id == two.node.services.running.boot_id


@virtual
async def test_it_is_told_when_it_changed_and_every_few_seconds(scene: Scene) -> None:
    one, two, _ = await trio(scene)
    times: list[float] = []

    def note(view: View) -> None:
        assert view.observer == two.id
        times.append(one.node.clock.time.now_ns / 1e6)

    one.views.on_view = note
    two.run(scene)

    async def keep_heard() -> None:
        while True:
            await wait_ms(900)
            two.node.services.peers.note_stall(900_000_000)

    keeping = scene.tasks.create_task(keep_heard())
    await wait_ms(60_000)
    # At first often: everything is new. Then every 5 s.
    assert times[0] <= 10
    first = [at_ms for at_ms in times if at_ms < 9_900]
    late = [at_ms for at_ms in times if at_ms > 15_000]
    assert 18 <= len(first) <= 21
    assert all(4_900 <= b - a <= 5_300 for a, b in pairwise(late))
    assert 8 <= len(late) <= 10

    # A change is told within a quarter of a second, and often for a while.
    told = len(times)
    two.loses(one)
    before_ms = one.node.clock.time.now_ns / 1e6
    await wait_ms(300)
    assert len(times) > told
    assert times[told] - before_ms <= 251
    await wait_ms(5_000)
    assert 9 <= len(times) - told <= 12
    keeping.cancel()


@virtual
async def test_many_changes_at_once_are_told_together(scene: Scene) -> None:
    one, two, three = await trio(scene)
    two.run(scene)
    await wait_ms(30_000)
    told = len(one.taken)
    for _ in range(10):
        two.loses(three)
        await wait_ms(10)
        two.hears(three)
        await wait_ms(10)
    two.loses(three)
    await wait_ms(300)
    assert len(one.taken) <= told + 2
    assert one.taken[-1].peers[1].sight is Sight.LOST


@virtual
async def test_each_change_of_sight_is_told_once(scene: Scene) -> None:
    one, two, three = await trio(scene)
    one.run(scene)
    await wait_ms(300)
    assert one.sights == [(two.id, Sight.HEARD), (three.id, Sight.HEARD)]
    one.loses(two)
    await wait_ms(1_000)
    assert one.sights[2:] == [(two.id, Sight.LOST)]


@virtual
async def test_told_views_are_numbered(scene: Scene) -> None:
    one, two, _ = await trio(scene)
    for _ in range(3):
        await two.tell()
    assert [view.seq for view in one.taken] == [1, 2, 3]


# Views of others


@virtual
async def test_everybody_sees_whom_everybody_sees(scene: Scene) -> None:
    one, two, three = await trio(scene)
    two.loses(three)
    for each in (one, two, three):
        await each.tell()
    await wait_ms(400)
    matrix = await one.views.matrix()
    assert matrix.runtimes == (one.id, two.id, three.id)
    sights = [[c.sight for c in line.cells] for line in matrix.rows]
    self, heard = Sight.SELF, Sight.HEARD
    assert sights == [[self, heard, heard], [heard, self, Sight.LOST], [heard, heard, self]]
    assert [line.view_age_ms for line in matrix.rows] == [0, 402, 401]
    assert [line.via for line in matrix.rows] == [None] * 3
    assert one.taken[-1].observer == three.id
    # Who is heard is not asked for.
    assert one.node.line.asked == []


@virtual
async def test_the_matrix_says_how_long_a_silence_is_not_seen(scene: Scene) -> None:
    alone = await site(scene, "press-9")
    assert (await alone.views.matrix()).silence_ms is None
    one, two, three = await trio(scene)
    assert (await one.views.matrix()).silence_ms == 2_000
    slow = one.node.services.peers.get(two.id)
    assert slow is not None
    slow.evidence = structs.replace(slow.evidence, beacon_period_ms=5_000)
    assert (await one.views.matrix()).silence_ms == 10_000
    one.loses(two)
    assert (await one.views.matrix()).silence_ms == 2_000
    one.loses(three)
    assert (await one.views.matrix()).silence_ms is None


@virtual
async def test_only_the_observer_s_own_signed_view_counts(scene: Scene) -> None:
    one, two, three = await trio(scene)
    stranger = await site(scene, "press-9")
    for message in (
        two.view(observer=three.id),
        structs.replace(two.view(seq=2), key=view_key(three.id)),
        structs.replace(two.view(seq=3), body=three.view().body),
        stranger.view(),
        one.view(),
        structs.replace(two.view(seq=4), token=b""),
        two.node.services.signing.broadcast(
            TokenType.EVENT,
            view_key(two.id),
            {"observer": two.id},
            seq=5,
            boot_id=two.node.services.running.boot_id,
        ),
    ):
        one.views.take(message)
    matrix = await one.views.matrix()
    assert row(matrix, two).view_age_ms is None
    assert row(matrix, three).view_age_ms is None
    assert cell(matrix, two, one).sight is Sight.UNKNOWN
    assert one.taken == []


@virtual
async def test_a_replayed_view_is_no_newer_one(scene: Scene) -> None:
    one, two, _ = await trio(scene)
    message = two.view()
    one.views.take(message)
    await wait_ms(1_000)
    one.views.take(message)
    assert row(await one.views.matrix(), two).view_age_ms == 1_000
    assert len(one.taken) == 1


@virtual
async def test_an_old_view_of_who_is_heard_and_the_last_words_of_who_is_not(scene: Scene) -> None:
    one, two, three = await trio(scene)
    one.views.take(two.view())
    one.views.take(three.view())
    one.loses(three)
    one.node.line.ask = answer_nobody
    await wait_ms(LOST_VIEW_AGE_MS_MAX)
    one.hears(two)
    assert cell(await one.views.matrix(), three, one).sight is Sight.HEARD
    await wait_ms(1)
    assert cell(await one.views.matrix(), three, one).sight is Sight.UNKNOWN
    await wait_ms(VIEW_AGE_MS_MAX - LOST_VIEW_AGE_MS_MAX - 1)
    one.hears(two)
    assert cell(await one.views.matrix(), two, one).sight is Sight.HEARD
    await wait_ms(1)
    assert cell(await one.views.matrix(), two, one).sight is Sight.UNKNOWN


async def answer_nobody(_message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
    return Silence.NOBODY


@virtual
async def test_whoever_is_forgotten_has_no_view_either(scene: Scene) -> None:
    one, two, three = await trio(scene)
    await two.tell()
    await three.tell()
    del one.node.services.peers._peers[two.id]
    one.views.take(three.view(seq=9))
    assert list(one.views._kept) == [three.id]


# Views handed on


@virtual
async def test_the_view_of_who_is_not_heard_is_asked_of_who_is(scene: Scene) -> None:
    one, two, three = await trio(scene)
    await three.tell()
    one.views._kept.clear()
    one.loses(three)
    two.loses(three)
    await wait_ms(300)
    matrix = await one.views.matrix()
    assert cell(matrix, three, one).sight is Sight.HEARD
    assert (row(matrix, three).via, row(matrix, three).view_age_ms) == (two.id, 301)
    assert [message.key for message in one.node.line.asked] == [held_views_key(two.id)]
    # It was not told here by the observer itself.
    assert [view.observer for view in one.taken] == [three.id]
    # What was handed on is not handed on again.
    question = MeshMessage(key=held_views_key(one.id), body=canonical_json([three.id]))
    answer = await one.views.hand_on(question)
    assert answer is not None
    assert answer.body == b"[]"


@virtual
async def test_a_holder_hands_on_what_is_asked_for_and_held(scene: Scene) -> None:
    one, two, three = await trio(scene)
    await one.tell()
    await three.tell()
    await wait_ms(50)
    wanted = canonical_json([three.id, "press-9", three.id, two.id])
    answer = await two.views.hand_on(MeshMessage(key=held_views_key(two.id), body=wanted))
    assert answer is not None
    (handed,) = decode_json(answer.body, tuple[HandedView, ...])
    assert (handed.key, handed.age_ms) == (view_key(three.id), 51)
    for noise in (b"", b"{}", b"[1]", b"\xff"):
        asked = MeshMessage(key=held_views_key(two.id), body=noise)
        assert await two.views.hand_on(asked) is None


@virtual
async def test_an_answer_is_bounded(scene: Scene) -> None:
    one, two, three = await trio(scene)
    long = tuple(
        structs.replace(one.views.own_view().peers[0], target=f"press-{n}") for n in range(7_000)
    )
    for each in (one, three):
        two.views.take(each.view(peers=long))
    assert len(two.views._kept) == 2
    wanted = canonical_json([one.id, three.id])
    kept = two.views._kept[one.id].message
    short = MeshMessage(key=held_views_key(two.id), body=wanted)
    whole = await two.views.hand_on(short)
    assert whole is not None
    assert len(whole.body) > 2 * len(kept.body)
    for number in range(10, 20):
        copied = RuntimeId(f"press-{number}")
        two.views._kept[copied] = two.views._kept[one.id]
    everything = canonical_json(sorted(two.views._kept))
    answer = await two.views.hand_on(MeshMessage(key=held_views_key(two.id), body=everything))
    assert answer is not None
    assert len(kept.body) < len(answer.body) <= HANDED_BYTES_MAX


@pytest.mark.parametrize(
    ("said_ms", "shown_ms"),
    [
        pytest.param(0, 1_000, id="made younger than its signature"),
        pytest.param(-(10**9), 1_000, id="from the future"),
        pytest.param(1_400, 1_400, id="held for longer"),
    ],
)
@virtual
async def test_nobody_makes_a_view_younger_than_its_signature(
    scene: Scene, said_ms: int, shown_ms: int
) -> None:
    one, two, three = await trio(scene)
    one.loses(three)
    handed = three.handed(said_ms)
    await wait_ms(1_000)
    one.hears(two)
    asked = answer_with(one, two, handed)
    assert row(await one.views.matrix(), three).view_age_ms == shown_ms
    assert asked == [(three.id,)]


@virtual
async def test_a_view_handed_on_replaces_no_newer_one(scene: Scene) -> None:
    one, two, three = await trio(scene)
    first, second, third = (three.view(seq=seq) for seq in (1, 2, 3))
    one.views.take(second)
    one.loses(three)
    answer_with(one, two, three.handed(0, first))
    await wait_ms(100)
    assert row(await one.views.matrix(), three).via is None
    # Nor the same one.
    answer_with(one, two, three.handed(0, second))
    assert row(await one.views.matrix(), three).via is None
    answer_with(one, two, three.handed(60, third))
    matrix = await one.views.matrix()
    assert (row(matrix, three).via, row(matrix, three).view_age_ms) == (two.id, 100)
    # The observer's own word is preferred to the same one handed on.
    one.views.take(third)
    assert row(await one.views.matrix(), three).via is None


@virtual
async def test_a_clock_that_was_set_makes_an_older_view_no_newer(scene: Scene) -> None:
    one, two, three = await trio(scene)
    first, second = three.view(seq=1), three.view(seq=2)
    one.views.take(second)
    one.loses(three)
    await wait_ms(500)
    # By the clock of here the signature lies in the future now: its age says nothing.
    one.node.clock.step_wall_ms(-60_000)
    answer_with(one, two, three.handed(0, first))
    matrix = await one.views.matrix()
    assert (row(matrix, three).via, row(matrix, three).view_age_ms) == (None, 500)


@virtual
async def test_a_restarted_observer_s_view_takes_the_place_of_the_older(scene: Scene) -> None:
    one, two, three = await trio(scene)
    one.views.take(three.view(seq=50))
    await wait_ms(100)
    one.views.take(three.view(seq=51, boot_id="later"))
    assert one.views._kept[three.id].view.boot_id == "later"
    one.loses(three)
    answer_with(one, two, three.handed(200, seq=60))
    await one.views.matrix()
    assert one.views._kept[three.id].view.boot_id == "later"


@virtual
async def test_what_is_handed_on_is_taken_only_of_whom_was_asked_and_signed(scene: Scene) -> None:
    one, two, three = await trio(scene)
    one.loses(three)
    forged = structs.replace(three.handed(0), body=two.handed(0).body)
    wrong_key = structs.replace(two.handed(0), key=view_key(three.id))
    of_other = three.handed(0, observer=two.id)
    of_heard = two.handed(0)
    for handed in (forged, wrong_key, of_other, of_heard):
        answer_with(one, two, handed)
        matrix = await one.views.matrix()
        assert [line.view_age_ms for line in matrix.rows] == [0, None, None]
    # No more than was asked for is looked at.
    answer_with(one, two, forged, three.handed(0))
    assert row(await one.views.matrix(), three).view_age_ms is None
    answer_with(one, two, of_heard, three.handed(0))
    assert row(await one.views.matrix(), three).via == two.id


@pytest.mark.parametrize("body", [b"", b"[", b'{"a":1}', b'[{"key":1}]'])
@virtual
async def test_an_answer_that_is_none_leaves_the_row_unknown(scene: Scene, body: bytes) -> None:
    one, two, three = await trio(scene)
    one.loses(three)
    answer_with(one, two, body=body)
    assert row(await one.views.matrix(), three).view_age_ms is None


@virtual
async def test_an_answer_that_is_too_long_is_not_read(scene: Scene) -> None:
    one, two, three = await trio(scene)
    one.loses(three)
    handed = canonical_json([three.handed(0)])
    body = handed + b" " * (HANDED_BYTES_MAX + 1 - len(handed))
    answer_with(one, two, body=body)
    assert row(await one.views.matrix(), three).view_age_ms is None
    answer_with(one, two, body=body[:-1])
    assert row(await one.views.matrix(), three).via == two.id


@virtual
async def test_a_holder_that_is_silent_delays_the_answer_a_little_only(scene: Scene) -> None:
    one, _, three = await trio(scene)
    one.loses(three)
    limits: list[int] = []

    async def ask(_message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        limits.append(timeout_ms)
        await wait_ms(timeout_ms)
        return Silence.TIMEOUT

    one.node.line.ask = ask
    assert cell(await one.views.matrix(), one, three).sight is Sight.LOST
    assert limits == [400]


async def many(scene: Scene, count: int) -> tuple[Site, list[Site], Site]:
    """Return one who asks, those whom it hears, and one whom it does not."""
    one, *others = [await site(scene, f"press-{number}") for number in range(100, 102 + count)]
    one.hears(*others)
    one.loses(others[-1])
    return one, others[:-1], others[-1]


def answer_by(asker: Site, holders: dict[str, bytes]) -> list[str]:
    """Have these answer so and all others that they hold nothing; return who is asked."""
    asked: list[str] = []

    async def ask(message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        asked.append(message.key)
        return MeshMessage(key=message.key, body=holders.get(message.key, b"[]"))

    asker.node.line.ask = ask
    return asked


@virtual
async def test_some_who_hold_nothing_do_not_hide_what_another_one_holds(scene: Scene) -> None:
    one, others, gone = await many(scene, 6)
    good = others[-1]
    asked = answer_by(one, {held_views_key(good.id): canonical_json([gone.handed(0)])})
    assert row(await one.views.matrix(), gone).via == good.id
    assert asked == [held_views_key(other.id) for other in others]


@virtual
async def test_of_many_each_is_asked_in_its_turn(scene: Scene) -> None:
    one, others, _ = await many(scene, 20)
    asked = answer_by(one, {})
    for rounds in (1, 2, 3):
        await one.views.matrix()
        assert len(asked) == 9 * rounds
    assert set(asked) == {held_views_key(other.id) for other in others}


@virtual
async def test_who_says_to_hear_the_missing_is_asked_first(scene: Scene) -> None:
    one, others, gone = await many(scene, 6)
    good = others[-2]
    good.hears(gone)
    one.views.take(good.view())
    asked = answer_by(one, {held_views_key(good.id): canonical_json([gone.handed(0)])})
    assert row(await one.views.matrix(), gone).via == good.id
    assert (asked[0], len(asked)) == (held_views_key(good.id), 3)


@virtual
async def test_who_is_not_trusted_is_not_asked(scene: Scene) -> None:
    one, others, _ = await many(scene, 2)
    one.node.services.peers.pin(others[0].id, "ab" * 32)
    asked = answer_by(one, {})
    await one.views.matrix()
    assert asked == [held_views_key(others[1].id)]


@virtual
async def test_a_stall_is_told_with_the_view(scene: Scene) -> None:
    one, two, _ = await trio(scene)
    watching = scene.tasks.create_task(two.stalls.run())
    await wait_ms(0)
    two.node.clock.time.advance_ms(1_000)
    # Nobody has noticed yet: what is told first tells of it all the same.
    assert two.views.own_view().stalled_ms == 900
    await two.tell()
    one.hears(two)
    assert row(await one.views.matrix(), two).stalled_ms == 900
    watching.cancel()
