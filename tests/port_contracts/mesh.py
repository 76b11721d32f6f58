"""What every `Mesh` must do. Run against a fake and against Zenoh."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import pytest

from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.ports.mesh import Mesh, Silence

ROOT = "truST/default-site"
PROBE = f"{ROOT}/press-1/svc/probe"
BEACON = f"{ROOT}/press-1/svc/beacon"
BEACONS = "truST/*/*/svc/beacon"
TOKEN = f"{ROOT}/press-1/svc/liveliness/boot-1"
TOKENS = "truST/*/*/svc/liveliness/*"
READY = f"{ROOT}/press-1/svc/liveliness/ready"
ANSWER_MS = 5_000
DEADLINE_S = 10


class World(Protocol):
    """A mesh to be filled by the test."""

    problems: list[str]
    """What the members reported."""

    def member(self) -> Mesh:
        """Return a new member, not open yet; once it is, it links to those open before it."""
        ...


async def until(condition: Callable[[], object]) -> None:
    """Return when `condition` holds; fail when it does not in time."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to offer
            await asyncio.sleep(0.005)


async def meet(asker: Mesh, owner: Mesh) -> None:
    """Open both; return when `asker` sees `owner` and so can use what it declared before."""
    seen: list[tuple[str, bool]] = []
    asker.watch_tokens(READY, lambda key, alive: seen.append((key, alive)))
    owner.hold_token(READY)
    await owner.open()
    await asker.open()
    await until(lambda: (READY, True) in seen)


async def ask(mesh: Mesh, *, body: bytes = b"", timeout_ms: int = ANSWER_MS) -> object:
    return await mesh.query(MeshMessage(key=PROBE, body=body), timeout_ms=timeout_ms)


async def echo(message: MeshMessage) -> MeshMessage:
    return MeshMessage(key=message.key, body=message.body + b"!", token=message.token)


@pytest.mark.anyio
class MeshContract:
    async def test_a_message_reaches_the_other_with_its_signature(self, world: World) -> None:
        sender, receiver = world.member(), world.member()
        got: list[MeshMessage] = []
        receiver.subscribe(BEACONS, got.append)
        await meet(receiver, sender)
        sent = MeshMessage(key=BEACON, body=b"{}", token=b"a.b.c")
        sender.put(sent)
        await until(lambda: got)
        assert got == [sent]

    async def test_an_empty_body_and_no_signature_stay_empty(self, world: World) -> None:
        mesh = world.member()
        got: list[MeshMessage] = []
        mesh.subscribe(BEACON, got.append)
        await mesh.open()
        mesh.put(MeshMessage(key=BEACON, body=b""))
        await until(lambda: got)
        assert got == [MeshMessage(key=BEACON, body=b"", token=b"")]

    async def test_tokens_already_there_come_first(self, world: World) -> None:
        owner, watcher = world.member(), world.member()
        owner.hold_token(TOKEN)
        await meet(watcher, owner)
        told: list[tuple[str, bool]] = []
        watcher.watch_tokens(TOKENS, lambda key, alive: told.append((key, alive)))
        await until(lambda: len(told) == 2)
        assert sorted(told) == [(TOKEN, True), (READY, True)]

    async def test_a_token_is_told_when_it_appears_and_when_it_vanishes(self, world: World) -> None:
        owner, watcher = world.member(), world.member()
        told: list[bool] = []
        watcher.watch_tokens(TOKEN, lambda _, alive: told.append(alive))
        await meet(watcher, owner)
        owner.hold_token(TOKEN)
        owner.hold_token(TOKEN)
        await until(lambda: told == [True])
        owner.release_token(TOKEN)
        await until(lambda: told == [True, False])
        owner.release_token(TOKEN)
        owner.hold_token(TOKEN)
        await until(lambda: told == [True, False, True])
        await owner.close()
        await until(lambda: told == [True, False, True, False])

    async def test_a_watcher_that_closes_sees_nobody(self, world: World) -> None:
        mesh = world.member()
        told: list[bool] = []
        mesh.watch_tokens(TOKEN, lambda _, alive: told.append(alive))
        mesh.hold_token(TOKEN)
        await mesh.open()
        await until(lambda: told == [True])
        await mesh.close()
        assert told == [True, False]

    async def test_a_query_is_answered(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        owner.serve(PROBE, echo, waiting_max=4)
        await meet(asker, owner)
        question = MeshMessage(key=PROBE, body=b"hello", token=b"a.b.c")
        answer = await asker.query(question, timeout_ms=ANSWER_MS)
        assert answer == MeshMessage(key=PROBE, body=b"hello!", token=b"a.b.c")

    async def test_many_queries_at_once_keep_their_answers(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        owner.serve(PROBE, echo, waiting_max=100)
        await meet(asker, owner)
        answers = await asyncio.gather(*(ask(asker, body=b"%d" % n) for n in range(50)))
        assert answers == [MeshMessage(key=PROBE, body=b"%d!" % n) for n in range(50)]

    async def test_nobody_is_said_where_nobody_serves(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        await meet(asker, owner)
        assert await ask(asker) is Silence.NOBODY

    async def test_a_slow_answer_is_a_timeout(self, world: World) -> None:
        asker, owner = world.member(), world.member()

        async def sleep(_: MeshMessage) -> None:
            await asyncio.Event().wait()

        owner.serve(PROBE, sleep, waiting_max=4)
        await meet(asker, owner)
        assert await ask(asker, timeout_ms=50) is Silence.TIMEOUT
        assert await ask(asker, timeout_ms=0) is Silence.TIMEOUT

    async def test_a_query_left_unanswered_ends_without_an_answer(self, world: World) -> None:
        asker, owner = world.member(), world.member()

        async def ignore(_: MeshMessage) -> None:
            return None

        owner.serve(PROBE, ignore, waiting_max=4)
        await meet(asker, owner)
        assert await ask(asker) is Silence.NOBODY
        assert world.problems == []

    async def test_a_handler_that_fails_is_reported_and_harms_nobody(self, world: World) -> None:
        asker, owner = world.member(), world.member()

        async def fail_once(message: MeshMessage) -> MeshMessage:
            if message.body == b"bad":
                raise ValueError("no such thing")
            return await echo(message)

        owner.serve(PROBE, fail_once, waiting_max=1)
        await meet(asker, owner)
        assert await ask(asker, body=b"bad") is Silence.TIMEOUT
        assert "no such thing" in world.problems[0]
        await until_answered(asker, b"good")

    async def test_a_message_handler_that_fails_is_reported_and_goes_on(self, world: World) -> None:
        mesh = world.member()
        got: list[bytes] = []

        def take(message: MeshMessage) -> None:
            got.append(message.body)
            if message.body == b"bad":
                raise ValueError("no such thing")

        mesh.subscribe(BEACON, take)
        await mesh.open()
        mesh.put(MeshMessage(key=BEACON, body=b"bad"))
        mesh.put(MeshMessage(key=BEACON, body=b"good"))
        await until(lambda: got == [b"bad", b"good"])
        assert "no such thing" in world.problems[0]

    async def test_queries_beyond_the_limit_are_dropped_and_counted(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        entered, release = asyncio.Event(), asyncio.Event()

        async def hold(message: MeshMessage) -> MeshMessage:
            entered.set()
            await release.wait()
            return await echo(message)

        owner.serve(PROBE, hold, waiting_max=1)
        await meet(asker, owner)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(ask(asker, body=b"first"))
            await entered.wait()
            assert await ask(asker, body=b"second") is Silence.OVERLOADED
            release.set()
        assert first.result() == MeshMessage(key=PROBE, body=b"first!")
        assert owner.dropped()[PROBE] == 1

    async def test_a_full_queue_loses_the_oldest_and_counts_them(self, world: World) -> None:
        mesh = world.member()
        got: list[int] = []
        mesh.subscribe(BEACON, lambda message: got.append(int(message.body)))
        await mesh.open()
        for n in range(6_000):  # Never awaits, so nothing is taken out meanwhile.
            mesh.put(MeshMessage(key=BEACON, body=b"%d" % n))
        await until(lambda: got and got[-1] == 5_999)
        dropped = mesh.dropped()[BEACON]
        assert dropped > 0
        assert got == list(range(dropped, 6_000))

    async def test_closing_cancels_what_still_runs(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        entered, ended = asyncio.Event(), asyncio.Event()

        async def hold(_: MeshMessage) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        owner.serve(PROBE, hold, waiting_max=1)
        await meet(asker, owner)
        async with asyncio.TaskGroup() as group:
            question = group.create_task(ask(asker))
            await entered.wait()
            await owner.close()
            assert ended.is_set()
        # It may have had its effect, so it is not "nobody was there".
        assert question.result() is Silence.TIMEOUT

    async def test_a_query_that_is_cancelled_ends_at_once(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        entered = asyncio.Event()

        async def hold(message: MeshMessage) -> MeshMessage:
            if message.body == b"later":
                return await echo(message)
            entered.set()
            await asyncio.Event().wait()
            return message

        owner.serve(PROBE, hold, waiting_max=4)
        await meet(asker, owner)
        async with asyncio.TaskGroup() as group:
            question = group.create_task(ask(asker, timeout_ms=60_000))
            await entered.wait()
            question.cancel()
        assert question.cancelled()
        await until_answered(asker, b"later")

    async def test_everything_works_again_after_close_and_open(self, world: World) -> None:
        asker, owner = world.member(), world.member()
        got: list[MeshMessage] = []
        told: list[bool] = []
        asker.subscribe(BEACONS, got.append)
        asker.watch_tokens(TOKEN, lambda _, alive: told.append(alive))
        owner.serve(PROBE, echo, waiting_max=4)
        owner.hold_token(TOKEN)
        await meet(asker, owner)
        await until(lambda: told == [True])
        for mesh in (asker, owner):
            await mesh.close()
            await mesh.close()
            assert not mesh.is_open
        assert told == [True, False]
        await owner.open()
        await asker.open()
        await asker.open()
        assert asker.is_open
        await until(lambda: told == [True, False, True])
        await until_answered(asker, b"hello")
        owner.put(MeshMessage(key=BEACON, body=b"{}"))
        await until(lambda: got)
        assert len(got) == 1

    async def test_a_closed_mesh_is_silent(self, world: World) -> None:
        mesh = world.member()
        got: list[MeshMessage] = []
        mesh.subscribe(BEACON, got.append)
        mesh.serve(PROBE, echo, waiting_max=1)
        mesh.put(MeshMessage(key=BEACON, body=b"early"))
        assert await ask(mesh) is Silence.NOBODY
        assert not await mesh.dial("127.0.0.1:9")
        await mesh.close()
        await mesh.open()
        mesh.put(MeshMessage(key=BEACON, body=b"now"))
        await until(lambda: got)
        assert [message.body for message in got] == [b"now"]


async def until_answered(asker: Mesh, body: bytes) -> None:
    """Ask until the answer comes: an owner may need a moment to be asked again."""
    answer: object = None
    async with asyncio.timeout(DEADLINE_S):
        while answer != MeshMessage(key=PROBE, body=body + b"!"):
            answer = await ask(asker, body=body)
