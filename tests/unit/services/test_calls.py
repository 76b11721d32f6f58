"""`services.calls`: one signed question to one target, and what its answer is worth (5.6, 8.6)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from service_world import ACTOR, ADMIN, Node, Scene, virtual
from signed_fleet import NOW_S, signer_of
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import (
    ActionBody,
    ActionClaims,
    MeshMessage,
    TokenType,
)
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import action_key
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply, TargetResult
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S, MonotonicNs
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.calls import Call, Calls
from trust_runtime.services.signing import Signing, body_digest
from virtual_time import wait_ms

DONE = TargetReply(
    status=ResultStatus.EXECUTED, audit_id="audit-1", response=ControlReply(id=1, ok=True, result=7)
)
RUNS = TargetReply(
    status=ResultStatus.DENIED,
    denial_code=DenialCode.CONFLICT,
    denial_reason="request-1 is still running",
    retry_after_ms=1_000,
)
Said = TargetReply | Silence
TARGET = RuntimeId("press-2")
PAYLOAD = {"command": "shutdown", "params": {"confirm": True}}


class Asked:
    """press-1 asking press-2, which says what the test says, sending by sending."""

    def __init__(self, one: Node, two: Node, *script: Said) -> None:
        self.one, self.two = one, two
        self.script = list(script)
        self.takes_ms = 0
        self.timeouts: list[int] = []
        self.bend: Callable[[MeshMessage, MeshMessage], MeshMessage] = lambda _, answer: answer
        self.signing = two.services.signing
        one.line.ask = self._answer
        self.calls = Calls(
            running=one.services.running,
            signing=one.services.signing,
            peers=one.services.peers,
            mesh=one.line,
            clock=one.clock,
            entropy=one.entropy,
        )

    async def ask(self, budget_ms: float = 1_500, **changes: Any) -> TargetReply | TargetResult:
        deadline_ns = self.one.clock.monotonic_ns() + round(budget_ms * NS_PER_MS)
        call = Call(
            target=TARGET,
            action_type="cmd_invoke",
            payload=PAYLOAD,
            actor=ACTOR,
            caller=ADMIN,
            request_id="request-1",
            audit_id="audit-1",
            deadline_ns=MonotonicNs(deadline_ns),
        )
        return await self.calls.call(structs.replace(call, **changes))

    async def failed(self, **changes: Any) -> TargetResult:
        """Ask, and return the result that stands for what was no answer."""
        result = await self.ask(**changes)
        assert isinstance(result, TargetResult)
        assert not result.ok
        assert (result.runtime_id, result.response) == (TARGET, None)
        assert result.denial_reason
        return result

    def claims(self) -> list[ActionClaims]:
        """Return what was claimed at each sending, as the target reads it."""
        return [self.two.services.signing.read_action(m)[1] for m in self.one.line.asked]

    async def _answer(self, message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        self.timeouts.append(timeout_ms)
        said = self.script.pop(0)
        await wait_ms(min(self.takes_ms, timeout_ms))
        if isinstance(said, Silence):
            return said
        _, claims = self.two.services.signing.read_action(message)
        return self.bend(message, self.signing.reply(claims, message.key, said))


async def asked(scene: Scene, *script: Said) -> Asked:
    return Asked(*await scene.pair(), *script)


@virtual
async def test_a_verified_answer_is_returned_as_it_is(scene: Scene) -> None:
    asks = await asked(scene, DONE)
    assert await asks.ask() == DONE
    assert asks.timeouts == [1_550]


@virtual
async def test_the_envelope_says_who_asks_whom_what_and_until_when(scene: Scene) -> None:
    asks = await asked(scene, DONE)
    await wait_ms(250)
    await asks.ask(1_000)
    message, claims = asks.one.line.asked[0], asks.claims()[0]
    sent_ns = asks.one.clock.wall_ns()
    assert message.key == action_key(TARGET)
    assert decode_json(message.body, ActionBody) == ActionBody(
        action_type="cmd_invoke", payload_json=canonical_json(PAYLOAD).decode()
    )
    assert structs.replace(claims, jti="") == ActionClaims(
        iss=spiffe_id(asks.one.id),
        aud=spiffe_id(TARGET),
        sub=ACTOR,
        role=ADMIN.role,
        caller=ADMIN.identity,
        op="cmd_invoke",
        request_id="request-1",
        audit_id="audit-1",
        digest=body_digest(message.body),
        jti="",
        iat=NOW_S,
        exp=NOW_S + 2,  # 1.25 s from then, rounded up.
        deadline_ns=sent_ns + NS_PER_S,
        boot_id=asks.one.services.running.boot_id,
        deadline_uptime_ns=asks.one.services.running.uptime_ms * NS_PER_MS + NS_PER_S,
    )


@virtual
async def test_a_deadline_on_the_second_is_not_rounded_up(scene: Scene) -> None:
    asks = await asked(scene, DONE)
    await asks.ask(1_000)
    assert asks.claims()[0].exp * NS_PER_S == asks.claims()[0].deadline_ns


@pytest.mark.parametrize(
    ("left_ns", "sent"),
    [(NS_PER_MS, 1), (NS_PER_MS - 1, 0), (0, 0), (-NS_PER_S, 0)],
)
@virtual
async def test_nothing_is_sent_without_time_for_an_answer(
    scene: Scene, left_ns: int, sent: int
) -> None:
    asks = await asked(scene, DONE)
    result = await asks.ask(left_ns / NS_PER_MS)
    assert len(asks.timeouts) == sent
    if not sent:
        assert isinstance(result, TargetResult)
        assert (result.status, result.denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)


@virtual
async def test_a_timeout_is_not_asked_again(scene: Scene) -> None:
    asks = await asked(scene, Silence.TIMEOUT, DONE)
    result = await asks.failed()
    assert (result.status, result.denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)
    assert len(asks.timeouts) == 1


@pytest.mark.parametrize("before", [[], [Silence.NOBODY]])
@virtual
async def test_a_full_queue_is_told_at_once_with_when_to_ask_again(
    scene: Scene, before: list[Said]
) -> None:
    asks = await asked(scene, *before, Silence.OVERLOADED, DONE)
    result = await asks.failed()
    assert (result.status, result.denial_code) == (ResultStatus.DENIED, DenialCode.OVERLOADED)
    assert result.retry_after_ms == 1_000
    assert "same request_id" in (result.remedy or "")
    # Only of a sending that got no answer it is unknown whether it was taken.
    assert ("not known" in (result.denial_reason or "")) == bool(before)
    assert len(asks.timeouts) == len(before) + 1


@virtual
async def test_a_retry_is_the_same_request_in_a_new_sending(scene: Scene) -> None:
    asks = await asked(scene, Silence.NOBODY, DONE)
    asks.takes_ms = 300
    assert await asks.ask() == DONE
    first, second = asks.claims()
    assert first.jti != second.jti
    assert (first.request_id, first.audit_id) == (second.request_id, second.audit_id)
    assert first.deadline_ns == second.deadline_ns
    assert first.digest == second.digest
    assert asks.timeouts == [1_550, 1_250]


@pytest.mark.parametrize(
    ("action_type", "unknown"), [("cmd_invoke", True), ("cfg_apply", True), ("status_read", False)]
)
@virtual
async def test_nobody_twice_is_unreachable(
    scene: Scene, action_type: str, *, unknown: bool
) -> None:
    asks = await asked(scene, Silence.NOBODY, Silence.NOBODY, DONE)
    result = await asks.failed(action_type=action_type)
    assert result.status is ResultStatus.FAILED
    assert result.denial_code is DenialCode.TARGET_UNREACHABLE
    assert TARGET in (result.denial_reason or "")
    # A write may have had its effect before its target died.
    assert ("same request_id" in (result.denial_reason or "")) == unknown
    assert len(asks.timeouts) == 2


@virtual
async def test_no_retry_begins_after_the_deadline(scene: Scene) -> None:
    asks = await asked(scene, Silence.NOBODY, DONE)
    asks.takes_ms = 1_500
    assert (await asks.failed()).status is ResultStatus.TIMEOUT
    assert len(asks.timeouts) == 1


@virtual
async def test_still_running_is_an_answer_to_the_first_sending(scene: Scene) -> None:
    asks = await asked(scene, RUNS, DONE)
    assert await asks.ask() == RUNS


@virtual
async def test_still_running_after_a_retry_is_asked_again_until_it_is_done(scene: Scene) -> None:
    asks = await asked(scene, Silence.NOBODY, RUNS, RUNS, DONE)
    began_ns = asks.one.clock.monotonic_ns()
    assert await asks.ask() == DONE
    assert (asks.one.clock.monotonic_ns() - began_ns) // NS_PER_MS == 200
    assert len({claims.jti for claims in asks.claims()}) == 4
    assert {claims.request_id for claims in asks.claims()} == {"request-1"}


@virtual
async def test_running_beyond_the_deadline_is_a_timeout_in_time(scene: Scene) -> None:
    asks = await asked(scene, Silence.NOBODY, *[RUNS] * 50)
    began_ns = asks.one.clock.monotonic_ns()
    assert (await asks.failed(budget_ms=950)).status is ResultStatus.TIMEOUT
    assert 949 * NS_PER_MS <= asks.one.clock.monotonic_ns() - began_ns <= 950 * NS_PER_MS


def _garbage(_: MeshMessage, answer: MeshMessage) -> MeshMessage:
    return structs.replace(answer, token=b"a.b.c")


def _unsigned(_: MeshMessage, answer: MeshMessage) -> MeshMessage:
    return structs.replace(answer, token=b"")


def _other_body(_: MeshMessage, answer: MeshMessage) -> MeshMessage:
    return structs.replace(answer, body=answer.body.replace(b"7", b"8"))


def _echo(question: MeshMessage, _: MeshMessage) -> MeshMessage:
    return question


def _bent(**changes: Any) -> Callable[[MeshMessage, MeshMessage], MeshMessage]:
    """Return an answer signed by the target itself, with other claims."""

    def bend(_: MeshMessage, answer: MeshMessage) -> MeshMessage:
        signer = signer_of(TARGET)
        kind = changes.get("kind", TokenType.REPLY)
        body = changes.get("body", answer.body)
        raw = signer.verify(TokenType.REPLY, answer.token)[1]
        claims = {**raw, "digest": body_digest(body), **changes.get("claims", {})}
        return structs.replace(answer, body=body, token=signer.sign(kind, claims))

    return bend


def _of_third(_: MeshMessage, answer: MeshMessage) -> MeshMessage:
    signer = signer_of(RuntimeId("press-3"))
    raw = signer.verify(TokenType.REPLY, answer.token)[1]
    claims = {**raw, "iss": spiffe_id(RuntimeId("press-3"))}
    return structs.replace(answer, token=signer.sign(TokenType.REPLY, claims))


@pytest.mark.parametrize(
    "bend",
    [
        pytest.param(_unsigned, id="unsigned"),
        pytest.param(_garbage, id="no token"),
        pytest.param(_other_body, id="another body than was signed"),
        pytest.param(_echo, id="the question itself"),
        pytest.param(_of_third, id="signed by somebody else"),
        pytest.param(_bent(claims={"irt": "another"}), id="the answer to another sending"),
        pytest.param(_bent(claims={"aud": "spiffe://trust/x/y"}), id="for somebody else"),
        pytest.param(_bent(claims={"iat": "soon"}), id="claims out of form"),
        pytest.param(_bent(kind=TokenType.EVENT), id="an event"),
        pytest.param(_bent(body=b'{"status":"executed"'), id="signed, but no JSON"),
        pytest.param(_bent(body=b'{"status":"perhaps"}'), id="signed, but no reply"),
        pytest.param(_bent(body=b"{}"), id="signed, but empty"),
    ],
)
@pytest.mark.parametrize("action_type", ["cmd_invoke", "status_read"])
@virtual
async def test_an_answer_that_cannot_be_verified_is_a_failure(
    scene: Scene,
    bend: Callable[[MeshMessage, MeshMessage], MeshMessage],
    action_type: str,
) -> None:
    asks = await asked(scene, DONE)
    asks.bend = bend
    result = await asks.failed(action_type=action_type)
    assert result.status is ResultStatus.FAILED
    assert result.denial_code is DenialCode.TRANSPORT_FAILURE
    assert TARGET in (result.denial_reason or "")


def test_the_bending_itself_leaves_a_good_answer() -> None:
    """Otherwise the table above would prove nothing."""

    @virtual
    async def play(scene: Scene) -> None:
        asks = await asked(scene, DONE)
        asks.bend = _bent()
        assert await asks.ask() == DONE

    play()


@pytest.mark.parametrize(("action_type", "read"), [("cmd_invoke", False), ("status_read", True)])
@virtual
async def test_the_answer_of_a_changed_key_counts_for_reading_only(
    scene: Scene, action_type: str, *, read: bool
) -> None:
    asks = await asked(scene, DONE)
    asks.signing = Signing(
        own=TARGET,
        signer=signer_of(TARGET, "second"),
        clock=asks.two.clock,
        entropy=asks.two.entropy,
    )
    if read:
        assert await asks.ask(action_type=action_type) == DONE
    else:
        result = await asks.failed(action_type=action_type)
        assert result.denial_code is DenialCode.TRANSPORT_FAILURE
        assert "identity_changed" in (result.denial_reason or "")


@pytest.mark.parametrize("action_type", ["cmd_invoke", "status_read"])
@virtual
async def test_the_answer_of_a_doubled_runtime_counts_for_nothing(
    scene: Scene, action_type: str
) -> None:
    asks = await asked(scene, DONE)
    twin = await scene.node("press-2")
    twin.services.signing._signer = signer_of(TARGET, "second")
    asks.one.hears(twin)
    await wait_ms(10_000)
    for node in (asks.two, twin):
        asks.one.hears(node)
    result = await asks.failed(action_type=action_type)
    assert result.denial_code is DenialCode.TRANSPORT_FAILURE
    assert "duplicate_instance" in (result.denial_reason or "")


@virtual
async def test_asking_ends_when_the_asker_is_cancelled(scene: Scene) -> None:
    asks = await asked(scene, DONE)
    asks.takes_ms = 1_000
    asking = scene.tasks.create_task(asks.ask())
    await wait_ms(10)
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()
