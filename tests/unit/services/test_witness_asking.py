"""`services.witness_asking`: what is lost is asked again, a silence is told as what it is."""

from collections.abc import Callable
from typing import Any

import pytest

from service_world import Node, Scene, virtual
from trust_runtime.contracts.audit import ChainHead, ChainReport
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import token_key
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.contracts.witness import HashAt, HeldHeads, Unasked
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.witness_asking import WitnessAsking
from virtual_time import wait_ms

NOBODY, TIMEOUT, OVERLOADED = Silence.NOBODY, Silence.TIMEOUT, Silence.OVERLOADED
HELD = HeldHeads(
    report=ChainReport(runtime_id="press-2", records=1, head=ChainHead(seq=1, hash="a" * 64)),
    held=(),
)


class Asked:
    """press-1 asking press-2, which says what the test says, sending by sending."""

    def __init__(self, one: Node, two: Node, *script: Any) -> None:
        self.one, self.two = one, two
        self.script = list(script)
        self.timeouts: list[int] = []
        one.line.ask = self._answer
        self.asking = WitnessAsking(
            own=one.id,
            peers=one.services.peers,
            signing=one.services.signing,
            mesh=one.line,
            clock=one.clock,
            entropy=one.entropy,
        )

    async def heads(self) -> HeldHeads | Unasked:
        return await self.asking.heads(self.two.id)

    async def why(self) -> Unasked:
        found = await self.heads()
        assert isinstance(found, Unasked)
        assert found.remedy
        return found

    async def _answer(self, message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        self.timeouts.append(timeout_ms)
        # What answers must be heard all the while.
        said = self.script.pop(0)
        if said is TIMEOUT:
            await wait_ms(timeout_ms)
        self.one.hears(self.two)
        if isinstance(said, Silence):
            return said
        _, claims = self.two.services.signing.read_action(message)
        return self.two.services.signing.reply(claims, message.key, said)


async def asked(scene: Scene, *script: Any) -> Asked:
    return Asked(*await scene.pair(), *script)


@pytest.mark.parametrize(
    "before",
    [[], [NOBODY], [NOBODY] * 4, [OVERLOADED, NOBODY], [TIMEOUT], [OVERLOADED] * 8],
)
@virtual
async def test_a_question_that_was_not_taken_is_sent_again(
    scene: Scene, before: list[Silence]
) -> None:
    asks = await asked(scene, *before, HELD)
    assert await asks.heads() == HELD
    assert len(asks.timeouts) == len(before) + 1


@pytest.mark.parametrize(
    ("silence", "said"),
    [(NOBODY, "unanswered"), (TIMEOUT, "within 20 s"), (OVERLOADED, "too many")],
)
@virtual
async def test_a_silence_that_lasts_is_told_as_what_it_is(
    scene: Scene, silence: Silence, said: str
) -> None:
    asks = await asked(scene, *[silence] * 50)
    began_ns = asks.one.clock.monotonic_ns()
    assert said in (await asks.why()).reason
    assert 1 < len(asks.timeouts) < 20
    assert (asks.one.clock.monotonic_ns() - began_ns) // NS_PER_MS <= 22_000


def loses(asks: Asked) -> None:
    boot = asks.two.services.running.boot_id
    asks.one.services.peers.take_token(token_key(asks.two.id, boot), alive=False)


@virtual
async def test_who_is_stale_for_a_moment_is_asked_when_it_is_back(scene: Scene) -> None:
    asks = await asked(scene, HELD)
    loses(asks)
    asking = scene.tasks.create_task(asks.heads())
    await wait_ms(1_000)
    assert asks.timeouts == []
    asks.one.hears(asks.two)
    assert await asking == HELD


@pytest.mark.parametrize(
    ("lifecycle", "said"),
    [
        (Lifecycle.STALE, "it is stale"),
        (Lifecycle.PARTITIONED, "it is partitioned"),
        (Lifecycle.OFFLINE, "it is offline"),
    ],
)
@virtual
async def test_who_is_not_here_is_not_asked(scene: Scene, lifecycle: Lifecycle, said: str) -> None:
    asks = await asked(scene, HELD)
    loses(asks)
    peer = asks.one.services.peers.get(asks.two.id)
    assert peer is not None
    peer.lifecycle = lifecycle
    assert said in (await asks.why()).reason
    assert asks.timeouts == []


@virtual
async def test_who_was_never_heard_is_offline(scene: Scene) -> None:
    asks = await asked(scene)
    found = await asks.asking.heads(RuntimeId("press-9"))
    assert isinstance(found, Unasked)
    assert "offline" in found.reason


def _distrust(asks: Asked) -> None:
    asks.one.services.peers.pin(asks.two.id, "ab" * 32)


def _answer_with(content: Any) -> Callable[[Asked], None]:
    def change(asks: Asked) -> None:
        asks.script = [content]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_distrust, "untrusted key"),
        (_answer_with({"odd": 1}), "cannot be understood"),
    ],
)
@virtual
async def test_an_answer_that_does_not_count_is_told_and_not_asked_for_again(
    scene: Scene, change: Callable[[Asked], None], said: str
) -> None:
    asks = await asked(scene, HELD)
    change(asks)
    assert said in (await asks.why()).reason
    assert len(asks.timeouts) == 1


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (HashAt(seq=4, hash="b"), HashAt(seq=4, hash="b")),
        (HashAt(seq=5, hash="b"), None),
        ({"odd": 1}, None),
        (NOBODY, None),
        (OVERLOADED, None),
    ],
)
@virtual
async def test_the_hash_of_a_record_is_asked_for_once(
    scene: Scene, answer: Any, found: HashAt | None
) -> None:
    asks = await asked(scene, answer)
    assert await asks.asking.hash_at(asks.two.id, 4) == found
    assert len(asks.timeouts) == 1
