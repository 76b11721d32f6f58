"""`services.fleet_config`: the configuration of any runtime, through its own agent (6.5)."""

from typing import Any

import pytest
from msgspec import structs

from service_world import ACTOR, ADMIN, SECRET, Node, Scene, virtual
from trust_runtime.contracts.answers import ConfigAnswer, Shown, Unanswered
from trust_runtime.contracts.audit import Outcome, Phase
from trust_runtime.contracts.codec import canonical_json
from trust_runtime.contracts.config import (
    ConfigHistory,
    ConfigRollback,
    ConfigView,
    DesiredWrite,
    HistoryParams,
)
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.keyspace import config_key
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.calls import GRACE_MS
from virtual_time import wait_ms

OWN, TARGET, GHOST = RuntimeId("press-1"), RuntimeId("press-2"), RuntimeId("press-9")
ENGINEER = Caller(identity="uid:1001", role=Role.ENGINEER)
VIEWER = Caller(identity="uid:1002", role=Role.VIEWER)
HERE = Caller(identity="token://x", role=Role.ADMIN, scope=(SiteName("default-site"),))
RECORD = ("phase", "outcome", "action_type", "denial_code", "origin", "target")
Asked = tuple[RuntimeId, str]


async def pair(scene: Scene) -> tuple[Node, Node]:
    one, two = await scene.pair()
    for node in (one, two):
        scene.tasks.create_task(node.services.config.run(), name="configuration")
    return one, two


async def view(
    node: Node, target: RuntimeId = TARGET, caller: Caller = ADMIN
) -> Shown[ConfigView] | Unanswered:
    return await node.services.fleet_config.view(target, caller)


async def write(
    node: Node,
    desired: dict[str, Any] | None = None,
    *,
    target: RuntimeId = TARGET,
    caller: Caller = ADMIN,
    if_match: str | None = None,
    **changes: Any,
) -> ConfigAnswer | Unanswered:
    asked = DesiredWrite(
        api_version="1.0",
        actor=ACTOR,
        desired={"log.level": "warn"} if desired is None else desired,
        request_id="r",
    )
    asked = structs.replace(asked, **changes)
    return await node.services.fleet_config.write_desired(target, asked, caller, if_match=if_match)


async def roll_back(
    node: Node, revision: int, *, target: RuntimeId = TARGET, caller: Caller = ADMIN, **more: Any
) -> ConfigAnswer | Unanswered:
    asked = ConfigRollback(api_version="1.0", actor=ACTOR, revision=revision)
    return await node.services.fleet_config.roll_back(
        target, structs.replace(asked, **more), caller
    )


def answered(found: ConfigAnswer | Unanswered) -> ConfigAnswer:
    assert isinstance(found, ConfigAnswer), found
    return found


def missing(found: object) -> Unanswered:
    assert isinstance(found, Unanswered), found
    assert found.denial.reason
    assert found.denial.remedy
    return found


@virtual
async def test_the_own_configuration_is_read_and_written_here_without_the_mesh(
    scene: Scene,
) -> None:
    one, _ = await pair(scene)
    assert answered(await write(one, target=OWN)).changed
    shown = await view(one, OWN)
    assert isinstance(shown, Shown)
    assert (shown.content.desired, shown.audit_id) == ({"log.level": "warn"}, None)
    past = await one.services.fleet_config.history(OWN, HistoryParams(), ADMIN)
    assert isinstance(past, Shown)
    assert [item.revision for item in past.content.items] == [1]
    assert answered(await roll_back(one, 1, target=OWN)).changed is False
    assert one.line.asked == []
    # A local read is not recorded.
    assert {r.action_type for r in one.store.durable} == {"config.write", "config.rollback"}


@virtual
async def test_the_configuration_of_another_runtime_is_its_own_word(scene: Scene) -> None:
    one, two = await pair(scene)
    await write(two, {"log.level": "debug", "mesh.auth_token": SECRET}, target=TARGET)
    shown = await view(one, caller=VIEWER)
    assert isinstance(shown, Shown)
    there = await two.services.config.view()
    assert canonical_json(shown.content) == canonical_json(there)
    assert shown.content.runtime_id == TARGET
    assert SECRET not in repr(shown)
    assert one.line.asked[0].key == config_key(TARGET)
    # Both ends recorded it, as the read it was decided as, under one id.
    for node in (one, two):
        found = [r for r in node.records() if r.action_type == "status_read"]
        assert [(r.phase, r.outcome, r.audit_id) for r in found] == [
            (Phase.SINGLE, Outcome.EXECUTED, shown.audit_id)
        ]


@virtual
async def test_the_history_of_another_runtime(scene: Scene) -> None:
    one, two = await pair(scene)
    for level in ("warn", "error", "debug"):
        await write(one, {"log.level": level, "mesh.auth_token": SECRET}, request_id=level)
    wanted = HistoryParams(limit=2, before=3)
    shown = await one.services.fleet_config.history(TARGET, wanted, ADMIN)
    assert isinstance(shown, Shown)
    assert isinstance(shown.content, ConfigHistory)
    assert [item.revision for item in shown.content.items] == [2, 1]
    assert shown.content.items[-1].request_id == "warn"
    assert SECRET not in repr(shown)
    assert shown.content == await two.services.orders.history(wanted)


@virtual
async def test_a_write_is_decided_recorded_and_answered_at_both_ends(scene: Scene) -> None:
    one, two = await pair(scene)
    answer = answered(await write(one, caller=ENGINEER))
    assert (answer.denial, answer.changed, answer.replayed) == (None, True, False)
    assert answer.meta is not None
    assert (answer.meta.desired_revision, answer.meta.last_writer) == (1, ACTOR)
    assert answer.status is not None
    assert answer.status.state == "in_sync"
    assert two.log.level == "warn"
    assert one.log.level == "info"
    for node in (one, two):
        assert node.records(*RECORD) == [
            (Phase.DECISION, None, "config.write", None, OWN, TARGET),
            (Phase.OUTCOME, Outcome.EXECUTED, "config.write", None, OWN, TARGET),
        ]
        assert {r.audit_id for r in node.records()} == {answer.audit_id}
    kept = two.store.disk.synced.revisions[1]
    assert (kept.identity, kept.request_id) == ("spiffe://trust/default-site/press-1", "r")


@virtual
async def test_the_same_request_again_is_answered_by_the_targets_ledger(scene: Scene) -> None:
    one, two = await pair(scene)
    first = answered(await write(one))
    again = answered(await write(one))
    assert (again.replayed, again.audit_id, again.changed) == (True, first.audit_id, True)
    assert sorted(two.store.disk.synced.revisions) == [1]
    assert one.records(*RECORD)[-1][1] is Outcome.REPLAYED
    assert one.store.durable[-1].replay_of == first.audit_id
    other = answered(await write(one, {"log.level": "error"}))
    assert other.denial is not None
    assert other.denial.code is DenialCode.CONFLICT


@virtual
async def test_without_request_id_each_write_is_one_of_its_own(scene: Scene) -> None:
    one, two = await pair(scene)
    for level in ("warn", "error", "warn"):
        assert answered(await write(one, {"log.level": level}, request_id=None)).changed
    assert sorted(two.store.disk.synced.revisions) == [1, 2, 3]
    assert len({entry.request_id for entry in two.store.disk.synced.entries}) == 3


@virtual
async def test_a_write_whose_first_sending_nobody_took_is_made_once(scene: Scene) -> None:
    one, two = await pair(scene)
    lost = 0

    async def lossy(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        nonlocal lost
        answer = await one.line.pass_on(message, timeout_ms)
        lost += 1
        return Silence.NOBODY if lost == 1 else answer

    one.line.ask = lossy
    answer = answered(await write(one, request_id=None))
    assert (answer.changed, answer.replayed) == (True, True)
    assert sorted(two.store.disk.synced.revisions) == [1]


@pytest.mark.parametrize(
    ("changes", "code", "header"),
    [
        ({"expected_revision": 0}, DenialCode.REVISION_CONFLICT, False),
        ({"expected_etag": "sha256:0"}, DenialCode.REVISION_CONFLICT, False),
        ({"if_match": "sha256:0"}, DenialCode.REVISION_CONFLICT, True),
        # The precondition comes first, as it would there; then the values.
        (
            {"expected_revision": 0, "desired": {"log.level": "loud"}},
            DenialCode.REVISION_CONFLICT,
            False,
        ),
        ({"desired": {"log.level": "loud"}}, DenialCode.CONTRACT_VIOLATION, False),
    ],
)
@virtual
async def test_what_the_targets_agent_refuses_is_told_with_its_documents(
    scene: Scene, changes: dict[str, Any], code: DenialCode, *, header: bool
) -> None:
    one, two = await pair(scene)
    await write(one, {"log.level": "debug"}, request_id="first")
    before = await two.services.config.view()
    answer = answered(await write(one, **changes))
    assert answer.denial is not None
    assert answer.denial.code is code
    assert answer.if_match_failed is header
    assert (answer.desired, answer.reported) == ({"log.level": "debug"}, {"log.level": "debug"})
    assert (answer.meta, answer.status) == (before.meta, before.status)
    assert await two.services.config.view() == before
    for node in (one, two):
        last = node.records()[-1]
        assert (last.outcome, last.denial_code) == (Outcome.DENIED, code)
        assert last.audit_id == answer.audit_id


@virtual
async def test_a_rollback_at_another_runtime_gives_back_secrets_nobody_sees(scene: Scene) -> None:
    one, two = await pair(scene)
    await write(one, {"log.level": "warn", "mesh.auth_token": SECRET}, request_id="1")
    await write(one, {"log.level": "error", "mesh.auth_token": None}, request_id="2")
    answer = answered(await roll_back(one, 1, expected_revision=2))
    assert answer.changed
    assert two.store.disk.synced.revisions[3].document["mesh.auth_token"] == SECRET
    assert SECRET not in repr(answer)
    for node in (one, two):
        assert SECRET not in node.everything_kept()
        assert node.records()[-1].action_type == "config.rollback"
    unknown = answered(await roll_back(one, 9))
    assert unknown.denial is not None
    assert unknown.denial.code is DenialCode.CONTRACT_VIOLATION
    assert "9" in unknown.denial.reason


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"api_version": "2.0"}, DenialCode.CONTRACT_VIOLATION, "2.0"),
        ({"actor": " "}, DenialCode.CONTRACT_VIOLATION, "actor"),
        ({"request_id": ""}, DenialCode.CONTRACT_VIOLATION, "request_id"),
        ({"desired": {"log.levl": "warn"}}, DenialCode.CONTRACT_VIOLATION, "log.level"),
        ({"desired": {"resource.name": "x"}}, DenialCode.CONTRACT_VIOLATION, "runtime.toml"),
        (
            {"actor": "spiffe://trust/site-b/x", "caller": HERE},
            DenialCode.PERMISSION_DENIED,
            "site-b",
        ),
    ],
)
@pytest.mark.parametrize("target", [TARGET, GHOST])
@virtual
async def test_the_form_is_checked_first_with_its_own_status_and_recorded(
    scene: Scene, target: RuntimeId, changes: dict[str, Any], code: DenialCode, named: str
) -> None:
    one, two = await pair(scene)
    answer = answered(await write(one, target=target, **changes))
    assert answer.denial is not None
    assert answer.denial.code is code
    assert named in answer.denial.reason
    assert one.records(*RECORD) == [
        (Phase.SINGLE, Outcome.DENIED, "config.write", code, OWN, target)
    ]
    assert one.records("audit_id") == [(answer.audit_id,)]
    assert (one.line.asked, two.store.durable) == ([], [])


@pytest.mark.parametrize(
    ("caller", "target", "code"),
    [
        (VIEWER, TARGET, DenialCode.ACL_DENIED_CFG_WRITE),
        (ADMIN, GHOST, DenialCode.TARGET_UNREACHABLE),
        (ADMIN, RuntimeId("site-b/oven"), DenialCode.PERMISSION_DENIED),
    ],
)
@virtual
async def test_what_is_decided_against_here_is_refused_with_the_whole_decision(
    scene: Scene, caller: Caller, target: RuntimeId, code: DenialCode
) -> None:
    one, _ = await pair(scene)
    found = missing(await write(one, target=target, caller=caller))
    assert found.refused
    assert found.denial.code is code
    assert found.preflight.denial_code is code
    assert found.preflight.acting_on == (target,)
    denied = [c for c in found.preflight.decisions[0].checks if c.outcome == "deny"]
    assert found.denial.remedy == denied[0].remedy
    assert one.line.asked == []
    assert one.records(*RECORD) == [
        (Phase.SINGLE, Outcome.DENIED, "config.write", code, OWN, target)
    ]
    assert one.records("audit_id") == [(found.audit_id,)]


@virtual
async def test_a_read_of_nobody_is_refused_and_recorded_as_a_read(scene: Scene) -> None:
    one, _ = await pair(scene)
    found = missing(await view(one, GHOST))
    assert (found.refused, found.denial.code) == (True, DenialCode.TARGET_UNREACHABLE)
    assert one.records(*RECORD) == [
        (Phase.SINGLE, Outcome.DENIED, "status_read", found.denial.code, OWN, GHOST)
    ]


@virtual
async def test_a_target_that_went_stale_is_refused_before_anything_is_sent(scene: Scene) -> None:
    one, two = await pair(scene)
    one.clock.time.now_ns += 10_000 * NS_PER_MS
    one.services.peers.evaluate()
    found = missing(await write(one))
    assert (found.refused, found.denial.code) == (True, DenialCode.STALE_DATA)
    assert two.store.durable == []


@virtual
async def test_the_targets_own_refusal_is_refused_too_with_its_remedy(scene: Scene) -> None:
    one = await scene.node("press-1", runtime__cloud__wan__allow_write=[RULE])
    two = await scene.node("site-b/press-2", runtime__cloud__wan__allow_write=[RULE])
    one.hears(two)
    two.hears(one)
    # What the beacon announced is not what holds any more.
    two.services.running.settings = structs.replace(two.services.running.settings, allow_write=())
    found = missing(await write(one, target=two.id))
    assert (found.refused, found.denial.code) == (True, DenialCode.PERMISSION_DENIED)
    assert found.preflight.allowed
    assert "inbound rule" in found.denial.reason
    assert 'from = "default-site/press-1"' in found.denial.remedy
    assert two.store.disk.synced.revisions == {}


RULE = {"action": "*", "target": "*"}


@pytest.mark.parametrize("kind", ["read", "write", "rollback"])
@pytest.mark.parametrize(
    ("silence", "code"),
    [
        (Silence.TIMEOUT, DenialCode.TIMEOUT),
        (Silence.NOBODY, DenialCode.TARGET_UNREACHABLE),
        (Silence.OVERLOADED, DenialCode.OVERLOADED),
    ],
)
@virtual
async def test_a_target_that_says_nothing_is_told_by_how_it_was_silent(
    scene: Scene, kind: str, silence: Silence, code: DenialCode
) -> None:
    one, _ = await pair(scene)

    async def silent(_message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        return silence

    one.line.ask = silent
    found: object
    match kind:
        case "read":
            found = await view(one)
        case "write":
            found = await write(one)
        case _:
            found = await roll_back(one, 1)
    found = missing(found)
    assert (found.refused, found.denial.code) == (False, code)
    assert found.denial.retry_after_ms == (1_000 if silence is Silence.OVERLOADED else None)
    assert found.preflight.allowed
    record = one.records()[-1]
    assert (record.denial_code, record.audit_id) == (code, found.audit_id)
    assert record.phase is (Phase.SINGLE if kind == "read" else Phase.OUTCOME)


@virtual
async def test_a_target_is_waited_for_a_second_and_a_half(scene: Scene) -> None:
    one, two = await pair(scene)
    two.store.sync_ms = 5_000
    began_ns = one.clock.monotonic_ns()
    found = missing(await write(one))
    assert (one.clock.monotonic_ns() - began_ns) // NS_PER_MS == 1_500 + GRACE_MS
    assert (found.refused, found.denial.code) == (False, DenialCode.TIMEOUT)
    await wait_ms(10_000)


@pytest.mark.parametrize("store", ["origin", "target"])
@virtual
async def test_a_store_that_fails_is_told_wherever_it_is(scene: Scene, store: str) -> None:
    one, two = await pair(scene)
    (one if store == "origin" else two).store.is_full = True
    if store == "origin":
        with pytest.raises(StoreFailed):
            await write(one)
        assert one.line.asked == []
        with pytest.raises(StoreFailed):
            await write(one, {"log.levl": 1})
    else:
        found = missing(await write(one))
        assert (found.refused, found.denial.code) == (False, DenialCode.TRANSPORT_FAILURE)
    assert two.store.disk.synced.revisions == {}


@pytest.mark.parametrize("result", [None, {"changed": "perhaps"}, [], {"denial": 1}])
@virtual
async def test_an_answer_of_another_form_is_a_failure_that_names_the_target(
    scene: Scene, result: Any
) -> None:
    one, two = await pair(scene)

    async def odd(message: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        _, claims = two.services.signing.read_action(message)
        reply = TargetReply(
            status=ResultStatus.EXECUTED,
            audit_id=claims.audit_id,
            response=ControlReply(id=1, ok=True, result=result),
        )
        return two.services.signing.reply(claims, message.key, reply)

    one.line.ask = odd
    for found in (missing(await write(one)), missing(await view(one))):
        assert (found.refused, found.denial.code) == (False, DenialCode.TRANSPORT_FAILURE)
        assert TARGET in found.denial.reason


@virtual
async def test_a_secret_stands_nowhere_but_in_the_targets_store(scene: Scene) -> None:
    one, two = await pair(scene)
    patch = {"mesh.auth_token": SECRET}
    told = [
        await write(one, patch),
        await write(one, patch),
        await write(one, patch, expected_revision=9, request_id="r2"),
        await write(one, {"mesh.auth_token": [SECRET]}, request_id="r3"),
        await write(one, patch, caller=ENGINEER, request_id="r4"),
        await write(one, patch, target=GHOST, request_id="r5"),
        await view(one),
    ]
    assert SECRET not in repr(told)
    for node in (one, two):
        assert SECRET not in node.everything_kept()
    assert canonical_json(patch["mesh.auth_token"]) in canonical_json(
        two.store.disk.synced.revisions[1]
    )
