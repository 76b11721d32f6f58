"""A log that was cut or rewritten contradicts what the others hold of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec import structs

from fakes.disk import State
from fakes.heads import FakeHeads
from port_contracts.store_samples import draft
from service_world import Node, Scene, virtual
from signed_fleet import signer_of
from trust_runtime.contracts.audit import EMPTY_CHAIN, ChainHead, WitnessedHead
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.envelope import ActionClaims, MeshMessage, TokenType
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import audit_key, token_key
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import PeerView, Sight, View
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.contracts.witness import (
    FleetAudit,
    HashAt,
    HeldHeads,
    RuntimeStanding,
    Standing,
    WitnessQuestion,
)
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.signing import body_digest
from trust_runtime.services.witness import Witness
from virtual_time import wait_ms


@dataclass
class Site:
    """One runtime with its witness, and the contradictions it told."""

    node: Node
    witness: Witness
    task: asyncio.Task[None]
    told: list[tuple[RuntimeId, str]] = field(default_factory=list)
    seen: dict[RuntimeId, "Site"] = field(default_factory=dict)

    @property
    def id(self) -> RuntimeId:
        return self.node.id

    @property
    def log(self) -> ChainHead:
        """The newest record of the own log."""
        return self.node.services.audit.head()

    @property
    def durable(self) -> dict[str, WitnessedHead]:
        """Return the newest kept head of each."""
        heads = self.node.store.disk.synced.heads
        return {one: head for (one, hour), head in heads.items() if hour == 0}

    def held(self, other: "Site") -> int | None:
        head = self.witness.head_of(other.id)
        return None if head is None else head.seq

    async def append(self, *numbers: int) -> None:
        await self.node.services.audit.append([draft(number) for number in numbers])

    def hears(self, other: "Site") -> None:
        """Take a beacon of another one; the token of the process before it is gone by then."""
        before = self.seen.get(other.id)
        if before is not None and before is not other:
            self.loses(before)
        self.seen[other.id] = other
        self.node.hears(other.node)

    def loses(self, other: "Site") -> None:
        boot = other.node.services.running.boot_id
        self.node.services.peers.take_token(token_key(other.id, boot), alive=False)

    def questions(self) -> int:
        """Return how many questions about records it asked."""
        return sum(b'"seq"' in message.body for message in self.node.line.asked)

    def lose_questions(self) -> None:
        async def nobody(_message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
            return Silence.NOBODY

        self.node.line.ask = nobody

    def pass_questions(self) -> None:
        self.node.line.ask = self.node.line.pass_on


async def site(scene: Scene, own: str, disk: State | None = None) -> Site:
    """Return a new process; on what a disk holds, as the process takes it up at its start."""
    node = await scene.node(own)
    if disk is not None:
        node.store.disk.synced = disk
    services = node.services
    witness = Witness(
        own=node.id,
        peers=services.peers,
        signing=services.signing,
        mesh=node.line,
        audit=services.audit,
        store=FakeHeads(node.store),
        health=services.health,
        clock=node.clock,
        entropy=node.entropy,
        log=node.log,
    )
    witness.load(await FakeHeads(node.store).load())
    made = Site(node, witness, scene.tasks.create_task(witness.run()))
    witness.on_contradiction = lambda runtime_id, text: made.told.append((runtime_id, text))
    services.peers.on_beacon = witness.take_beacon
    return made


async def restart(
    scene: Scene, old: Site, change: Callable[[State], State] = lambda state: state
) -> Site:
    """Return the next process of a runtime, after its disk was changed while it was down."""
    old.task.cancel()
    await old.node.line.close()
    old.node.store.disk.crash(keep_unsynced=False)
    await wait_ms(5)
    return await site(scene, str(old.id), change(old.node.store.disk.synced.copy()))


def cut(length: int) -> Callable[[State], State]:
    """Return what leaves `length` records of a log."""
    return rewritten(length, 0)


def rewritten(kept: int, added: int) -> Callable[[State], State]:
    """Return what leaves `kept` records of a log and adds others, each time others."""

    def change(state: State) -> State:
        records = state.records[:kept]
        made = State(
            records=records, phases={(r.audit_id, r.phase) for r in records}, heads=state.heads
        )
        first = 100 * (1 + len(state.records))
        made.append([draft(number, actor="mallory") for number in range(first, first + added)])
        return made

    return change


async def pair(scene: Scene, length: int = 5) -> tuple[Site, Site]:
    """Return a witness, and an owner of whom it has heard."""
    witness, owner = await site(scene, "press-1"), await site(scene, "press-2")
    await owner.append(*range(length))
    witness.hears(owner)
    owner.hears(witness)
    await wait_ms(100)
    return witness, owner


@virtual
async def test_heads_are_held_and_durable_within_a_second(scene: Scene) -> None:
    witness, owner = await pair(scene)
    assert witness.witness.head_of(owner.id) == owner.log
    assert witness.durable[owner.id].head == owner.log
    await owner.append(10, 11)
    witness.hears(owner)
    assert witness.held(owner) == 7
    await wait_ms(1_100)
    kept = witness.durable[owner.id]
    assert (kept.head, kept.contradiction) == (owner.log, None)
    assert kept.seen_at_ns < witness.node.clock.wall_ns()
    assert (witness.told, witness.questions()) == ([], 0)
    assert witness.witness.head_of(witness.id) is None


@virtual
async def test_heads_are_written_when_they_change_and_together(scene: Scene) -> None:
    witness, owner = await pair(scene)
    third = await site(scene, "press-3")
    witness.hears(third)
    await wait_ms(2_000)
    writes = witness.node.store.writes
    for _ in range(5):
        witness.hears(owner)
        witness.hears(third)
        await wait_ms(1_000)
    assert witness.node.store.writes == writes
    await owner.append(10)
    await third.append(10)
    witness.hears(owner)
    witness.hears(third)
    await wait_ms(1_100)
    assert witness.node.store.writes == writes + 1


@virtual
async def test_a_head_that_changes_while_another_is_written_is_written_too(scene: Scene) -> None:
    witness, owner = await pair(scene)
    await wait_ms(1_000)
    witness.node.store.sync_ms = 100
    await owner.append(10)
    witness.hears(owner)
    await wait_ms(50)
    await owner.append(11)
    witness.hears(owner)
    await wait_ms(1_500)
    assert witness.durable[owner.id].head == owner.log


@virtual
async def test_a_full_disk_is_told_and_the_heads_stay_due(scene: Scene) -> None:
    witness, owner = await pair(scene)
    await owner.append(10)
    witness.node.store.is_full = True
    witness.hears(owner)
    await wait_ms(2_500)
    assert witness.node.services.health.fault is not None
    assert witness.durable[owner.id].head.seq == 5
    with pytest.raises(StoreFailed):
        await witness.witness.keep_now()
    witness.node.store.is_full = False
    await wait_ms(1_100)
    assert witness.durable[owner.id].head.seq == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(cut(3), "its audit log ends at record 3, it had 5", id="cut"),
        pytest.param(cut(0), "its audit log ends at record 0, it had 5", id="gone"),
        pytest.param(
            rewritten(4, 1), "its audit record 5 has another hash than before", id="as long"
        ),
        pytest.param(
            rewritten(2, 6), "its audit record 5 has another hash than before", id="longer"
        ),
    ],
)
@virtual
async def test_a_changed_log_is_told_once(
    scene: Scene, change: Callable[[State], State], said: str
) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner, change)
    for _ in range(3):
        witness.hears(owner)
        await wait_ms(2_100)
    assert witness.told == [(owner.id, said)]
    assert witness.witness.contradicted() == {owner.id: said}
    assert [line.message for line in witness.node.log.of("audit_contradicted")] == [
        f"{owner.id}: {said}"
    ]
    # From now on the log as it is is what the next heads are compared with.
    assert witness.durable[owner.id].contradiction == said
    assert witness.durable[owner.id].head == owner.log
    await owner.append(50)
    witness.hears(owner)
    assert witness.witness.head_of(owner.id) == owner.log

    # It is known after a restart of the witness, and not told anew.
    witness = await restart(scene, witness)
    witness.hears(owner)
    await wait_ms(6_000)
    assert witness.told == []
    assert witness.witness.contradicted() == {owner.id: said}


@virtual
async def test_a_log_that_went_on_is_asked_for_what_it_had_and_is_well(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner)
    await owner.append(10, 11)
    witness.hears(owner)
    # Not confirmed yet: what is held, and countersigned, is what was known.
    assert witness.held(owner) == 5
    await wait_ms(1_100)
    assert witness.held(owner) == 7
    assert witness.questions() == 1
    await wait_ms(20_000)
    assert (witness.told, witness.questions()) == ([], 1)
    assert witness.durable[owner.id].head == owner.log


@virtual
async def test_a_log_that_did_not_go_on_needs_no_question(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner)
    witness.hears(owner)
    witness = await restart(scene, witness)
    witness.hears(owner)
    await wait_ms(6_000)
    assert (witness.told, witness.questions()) == ([], 0)


@virtual
async def test_an_empty_log_that_grew_needs_no_question(scene: Scene) -> None:
    witness, owner = await pair(scene, length=0)
    owner = await restart(scene, owner)
    await owner.append(1)
    witness.hears(owner)
    await wait_ms(1_000)
    assert (witness.held(owner), witness.questions()) == (1, 0)


@pytest.mark.parametrize("change", [lambda state: state, rewritten(2, 9)])
@virtual
async def test_an_unanswered_question_is_asked_until_it_is_answered(
    scene: Scene, change: Callable[[State], State]
) -> None:
    witness, owner = await pair(scene)
    witness.lose_questions()
    owner = await restart(scene, owner, change)
    await owner.append(200)
    witness.hears(owner)
    await wait_ms(1_100)
    assert witness.questions() == 1
    for _ in range(20):
        witness.hears(owner)
        await wait_ms(1_000)
    assert 3 <= witness.questions() <= 6
    await owner.append(201)
    witness.hears(owner)
    # Neither told nor believed; durable is what was confirmed.
    assert witness.told == []
    assert witness.held(owner) == 5
    assert witness.durable[owner.id].head.seq == 5

    # The question outlives the witness: it holds the old head, and asks at the first beacon.
    witness = await restart(scene, witness)
    witness.hears(owner)
    await wait_ms(1_500)
    assert witness.questions() == 1
    assert len(witness.told) == (owner.log.seq == 13)
    assert witness.held(owner) == owner.log.seq
    assert witness.durable[owner.id].head == owner.log


@virtual
async def test_who_is_not_online_is_not_asked(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner)
    await owner.append(10)
    witness.hears(owner)
    witness.loses(owner)
    await wait_ms(20_000)
    assert witness.questions() == 0
    witness.hears(owner)
    await wait_ms(6_500)
    assert (witness.questions(), witness.held(owner)) == (1, 6)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        # What was held is rewritten, then what was told is kept: the first question finds it.
        (rewritten(2, 5), rewritten(7, 2), 5),
        # What was held is kept, what was told since is rewritten: only the second one finds it.
        (rewritten(5, 2), rewritten(5, 4), 7),
    ],
)
@virtual
async def test_what_was_told_between_two_restarts_is_asked_as_well(
    scene: Scene,
    first: Callable[[State], State],
    second: Callable[[State], State],
    found: int,
) -> None:
    witness, owner = await pair(scene)
    witness.lose_questions()
    owner = await restart(scene, owner, first)
    witness.hears(owner)
    await wait_ms(100)
    owner = await restart(scene, owner, second)
    witness.hears(owner)
    witness.pass_questions()
    await wait_ms(6_500)
    assert witness.told == [(owner.id, f"its audit record {found} has another hash than before")]
    assert witness.held(owner) == 9


@virtual
async def test_a_log_that_shrinks_while_its_answer_is_awaited_is_told(scene: Scene) -> None:
    witness, owner = await pair(scene)
    witness.lose_questions()
    owner = await restart(scene, owner)
    await owner.append(10, 11)
    witness.hears(owner)
    await wait_ms(100)
    owner = await restart(scene, owner, cut(6))
    witness.hears(owner)
    assert witness.told == [(owner.id, "its audit log ends at record 6, it had 7")]
    witness.pass_questions()
    await wait_ms(10_000)
    assert len(witness.told) == 1
    assert witness.held(owner) == 6


@virtual
async def test_one_that_never_answers_keeps_nobody_else_waiting(scene: Scene) -> None:
    witness = await site(scene, "press-1")
    owners = [await site(scene, f"press-1{number:02}") for number in range(20)]
    for owner in owners:
        await owner.append(1)
        witness.hears(owner)
        await owner.append(2)
    await wait_ms(1_100)
    owners = [await restart(scene, owner) for owner in owners]
    silent = {audit_key(owner.id) for owner in owners[:18]}

    async def ask(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        if message.key in silent:
            await wait_ms(timeout_ms)
            return Silence.TIMEOUT
        return await witness.node.line.pass_on(message, timeout_ms)

    witness.node.line.ask = ask
    for owner in owners:
        witness.hears(owner)
    for _ in range(12):
        await wait_ms(1_000)
        for owner in owners:
            witness.hears(owner)
    assert [witness.held(owner) for owner in owners] == [1] * 18 + [2, 2]


@virtual
async def test_an_answer_that_says_nothing_of_the_record_is_none(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner)
    await owner.append(10)
    answers: list[MeshMessage | Silence] = [
        Silence.TIMEOUT,
        MeshMessage(key=audit_key(owner.id), body=b'{"seq":5,"hash":"x"}'),
    ]

    async def ask(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        if answers:
            return answers.pop()
        signed = await witness.node.line.pass_on(message, timeout_ms)
        assert isinstance(signed, MeshMessage)
        return signed

    witness.node.line.ask = ask
    witness.hears(owner)
    await wait_ms(15_000)
    assert (witness.told, witness.held(owner), answers) == ([], 6, [])


@virtual
async def test_the_answer_of_who_is_not_trusted_any_more_is_none(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner, rewritten(2, 9))
    witness.hears(owner)
    witness.node.services.peers.pin(owner.id, "ab" * 32)
    await wait_ms(1_500)
    assert (witness.told, witness.questions(), witness.held(owner)) == ([], 1, 5)


@virtual
async def test_the_heads_of_whoever_is_not_trusted_count_for_nothing(scene: Scene) -> None:
    witness, owner = await pair(scene)
    witness.node.services.peers.pin(owner.id, "ab" * 32)
    owner = await restart(scene, owner, cut(2))
    witness.hears(owner)
    await wait_ms(6_000)
    assert (witness.told, witness.held(owner)) == ([], 5)


# The operator's word


@virtual
async def test_an_accepted_log_is_well_again_and_that_is_recorded(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner, cut(3))
    witness.hears(owner)
    assert await witness.witness.accept(owner.id, by="test")
    assert witness.witness.contradicted() == {}
    assert witness.durable[owner.id].contradiction is None
    assert [r.action_type for r in witness.node.records()] == ["audit.accept"]
    assert not await witness.witness.accept(owner.id, by="test")
    assert not await witness.witness.accept(RuntimeId("press-9"), by="test")
    assert len(witness.node.records()) == 1
    assert len(witness.told) == 1

    # The next contradiction is a new one.
    owner = await restart(scene, owner, cut(1))
    witness.hears(owner)
    assert len(witness.told) == 2
    assert witness.told[1][1] == "its audit log ends at record 1, it had 3"


@pytest.mark.parametrize("failing", [1, 2])
@virtual
async def test_what_cannot_be_recorded_is_not_accepted(scene: Scene, failing: int) -> None:
    witness, owner = await pair(scene)
    await wait_ms(1_100)
    owner = await restart(scene, owner, cut(3))
    witness.hears(owner)
    await witness.witness.keep_now()
    witness.node.store.fail_write(failing)
    with pytest.raises(StoreFailed):
        await witness.witness.accept(owner.id, by="test")
    assert list(witness.witness.contradicted()) == [owner.id]
    witness.node.store.fail_write(0)
    assert await witness.witness.accept(owner.id, by="test")


@virtual
async def test_a_beacon_that_comes_while_it_is_accepted_is_not_lost(scene: Scene) -> None:
    witness, owner = await pair(scene)
    owner = await restart(scene, owner, cut(3))
    witness.hears(owner)
    witness.node.store.sync_ms = 100
    accepting = scene.tasks.create_task(witness.witness.accept(owner.id, by="test"))
    await wait_ms(50)
    await owner.append(50)
    witness.hears(owner)
    assert await accepting
    await wait_ms(2_500)
    assert witness.durable[owner.id].head == owner.log
    assert witness.durable[owner.id].contradiction is None


# The own log


def view_of(owner: Site, head: ChainHead | None, observer: str = "press-1") -> View:
    line = PeerView(target=owner.id, lifecycle_state=Lifecycle.ONLINE, sight=Sight.HEARD, head=head)
    other = structs.replace(line, target="press-9", head=ChainHead(seq=99, hash="f" * 64))
    return View(observer=observer, boot_id="b", beacon_period_ms=1_000, peers=(line, other))


@virtual
async def test_an_own_log_that_others_hold_more_of_was_cut(scene: Scene) -> None:
    _, owner = await pair(scene)
    before = owner.log
    owner.witness.take_view(view_of(owner, before))
    owner.witness.take_view(view_of(owner, None))
    owner.witness.take_view(view_of(owner, EMPTY_CHAIN))
    assert owner.told == []
    owner = await restart(scene, owner, cut(3))
    for observer in ("press-1", "press-3"):
        owner.witness.take_view(view_of(owner, before, observer))
    said = "its audit log ends at record 3, it had 5, says press-1"
    assert owner.told == [(owner.id, said)]
    await wait_ms(1_100)
    owner = await restart(scene, owner)
    owner.witness.take_view(view_of(owner, before))
    assert owner.told == []
    assert owner.witness.contradicted() == {owner.id: said}
    assert await owner.witness.accept(owner.id, by="test")


@virtual
async def test_an_own_log_of_which_another_record_is_held_was_rewritten(scene: Scene) -> None:
    _, owner = await pair(scene)
    owner.witness.take_view(view_of(owner, ChainHead(seq=5, hash="f" * 64)))
    assert [text for _, text in owner.told] == [
        "its audit record 5 has another hash than before, says press-1"
    ]


# Questions of others


def question(
    asker: Node, target: RuntimeId, *, op: str, body: bytes, **changes: Any
) -> MeshMessage:
    """Return a signed question as `asker` would ask it."""
    now_ns = asker.clock.wall_ns()
    claims = ActionClaims(
        iss=spiffe_id(asker.id),
        aud=spiffe_id(target),
        sub=spiffe_id(asker.id),
        role=Role.VIEWER,
        caller=spiffe_id(asker.id),
        op=op,
        request_id=op,
        audit_id="",
        digest=body_digest(body),
        jti=asker.entropy.uuid7(),
        iat=now_ns // NS_PER_S,
        exp=now_ns // NS_PER_S + 2,
        deadline_ns=now_ns + 2 * NS_PER_S,
    )
    signed = structs.replace(claims, **changes)
    return MeshMessage(
        key=audit_key(target), body=body, token=signer_of(asker.id).sign(TokenType.ACTION, signed)
    )


@virtual
async def test_a_record_s_hash_is_answered_to_whoever_is_trusted(scene: Scene) -> None:
    witness, owner = await pair(scene)
    hashes = [record.hash for record in owner.node.store.durable]
    expected = {-1: None, 0: EMPTY_CHAIN.hash, 1: hashes[0], 5: hashes[4], 6: None, 2**80: None}
    for seq, digest in expected.items():
        body = canonical_json(HashAt(seq=seq))
        asked = question(witness.node, owner.id, op=WitnessQuestion.AT, body=body)
        answer = await owner.witness.answer(asked)
        assert answer is not None
        assert decode_json(answer.body, HashAt) == HashAt(seq=seq, hash=digest)


@virtual
async def test_all_heads_are_answered_with_what_the_own_chain_is(scene: Scene) -> None:
    witness, owner = await pair(scene)
    await witness.append(7)
    asked = question(owner.node, witness.id, op=WitnessQuestion.HEADS, body=b"{}")
    answer = await witness.witness.answer(asked)
    assert answer is not None
    told = decode_json(answer.body, HeldHeads)
    assert (told.report.runtime_id, told.report.head) == (witness.id, witness.log)
    assert [(one.runtime_id, one.head) for one in told.held] == [(owner.id, owner.log)]


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": spiffe_id(RuntimeId("press-9"))},
        {"digest": body_digest(b"other")},
        {"iat": -1},
        {"op": "audit.list"},
        {"op": "shutdown"},
    ],
)
@virtual
async def test_a_question_that_is_none_for_here_and_now_gets_no_answer(
    scene: Scene, changes: dict[str, Any]
) -> None:
    witness, owner = await pair(scene)
    if "iat" in changes:
        changes = {"iat": witness.node.clock.wall_ns() // NS_PER_S - 7}
    asked: dict[str, Any] = {"op": WitnessQuestion.AT, "body": b'{"seq":1}'}
    assert await owner.witness.answer(question(witness.node, owner.id, **asked)) is not None
    wrong = question(witness.node, owner.id, **{**asked, **changes})
    assert await owner.witness.answer(wrong) is None


@virtual
async def test_a_stranger_noise_and_a_failed_store_get_no_answer(scene: Scene) -> None:
    witness, owner = await pair(scene)

    async def answers(body: bytes = b'{"seq":1}') -> bool:
        asked = question(witness.node, owner.id, op=WitnessQuestion.AT, body=body)
        return await owner.witness.answer(asked) is not None

    assert await answers()
    assert not await answers(b'{"seq":"x"}')
    unsigned = MeshMessage(key=audit_key(owner.id), body=b'{"seq":1}')
    assert await owner.witness.answer(unsigned) is None
    owner.node.services.peers.pin(witness.id, "ab" * 32)
    assert not await answers()
    owner.node.services.peers.pin(witness.id, None)
    assert await answers()
    owner.node.store.break_down()
    assert not await answers()
    # What no log has needs no look into the store, which cannot hold such a number.
    assert await answers(canonical_json(HashAt(seq=2**80)))


# The whole fleet


def of(found: FleetAudit, one: Site) -> RuntimeStanding:
    (standing,) = [line for line in found.runtimes if line.runtime_id == one.id]
    return standing


async def fleet(scene: Scene) -> list[Site]:
    sites = [await site(scene, f"press-{number}") for number in (1, 2, 3)]
    for number, one in enumerate(sites):
        await one.append(*range(3 + number))
    hear_all(sites)
    await wait_ms(100)
    return sites


def hear_all(sites: list[Site]) -> None:
    for one in sites:
        for other in sites:
            if one is not other:
                one.hears(other)


@virtual
async def test_a_fleet_whose_logs_all_continue_what_is_held_is_ok(scene: Scene) -> None:
    one, two, three = await fleet(scene)
    # They went on since they were heard.
    for each in (one, two, three):
        await each.append(50, 51)
    found = await one.witness.verify_fleet()
    assert found.asked_by == one.id
    assert found.ok
    assert [(line.runtime_id, line.standing) for line in found.runtimes] == [
        (each.id, Standing.OK) for each in (one, two, three)
    ]
    assert of(found, two).head == two.log
    assert of(found, two).witnesses == (one.id, three.id)
    assert of(found, one).witnesses == (two.id, three.id)


@virtual
async def test_a_log_that_only_another_one_has_seen_cut_is_found(scene: Scene) -> None:
    one, two, three = await fleet(scene)
    await two.append(50, 51)
    three.hears(two)
    two = await restart(scene, two, rewritten(4, 5))
    one.node.services.peers.on_beacon = lambda _peer: None
    hear_all([one, two])
    found = await one.witness.verify_fleet()
    assert not found.ok
    assert of(found, two).standing is Standing.CONTRADICTED
    detail = of(found, two).detail
    assert detail == f"{three.id} holds record 6: its audit record 6 has another hash than before"
    assert of(found, three).standing is Standing.OK


@virtual
async def test_who_cannot_be_asked_or_does_not_answer_is_not_verified(scene: Scene) -> None:
    one, two, three = await fleet(scene)
    one.loses(three)
    await two.append(50)
    line = one.node.line

    async def ask(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        if b'"seq"' in message.body:
            return Silence.TIMEOUT
        return await line.pass_on(message, timeout_ms)

    line.ask = ask
    found = await one.witness.verify_fleet()
    assert not found.ok
    assert of(found, three).standing is Standing.NOT_VERIFIED
    assert of(found, three).head is None
    assert "it is stale" in (of(found, three).detail or "")
    assert "fleet matrix" in (of(found, three).remedy or "")
    assert of(found, two).standing is Standing.NOT_VERIFIED
    assert "did not answer for record 4" in (of(found, two).detail or "")
    assert of(found, one).standing is Standing.OK


@virtual
async def test_a_log_that_grows_while_the_fleet_is_asked_is_no_contradiction(scene: Scene) -> None:
    one, two, three = await fleet(scene)
    line = one.node.line

    async def ask(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        if message.key == audit_key(three.id) and b'"seq"' not in message.body:
            # Before the third answers the second has answered, gone on and been heard there.
            await wait_ms(50)
            await two.append(60)
            three.hears(two)
        return await line.pass_on(message, timeout_ms)

    line.ask = ask
    found = await one.witness.verify_fleet()
    assert of(found, two).head != two.log
    assert found.ok, found


@virtual
async def test_a_damaged_own_chain_is_named(scene: Scene) -> None:
    one, two, _ = await fleet(scene)
    records = two.node.store.disk.synced.records
    records[1] = structs.replace(records[1], actor="mallory")
    found = await one.witness.verify_fleet()
    assert of(found, two).standing is Standing.CONTRADICTED
    assert (of(found, two).detail or "").startswith("record 2: ")
