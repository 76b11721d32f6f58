"""`services.desired_writes`: `POST config/desired`, the other entrance to the agent (6.11)."""

from typing import Any

import pytest
from msgspec import structs

from service_world import ACTOR, ADMIN, SECRET, Node, Scene, virtual
from signed_fleet import signer_of
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.audit import Outcome, Phase
from trust_runtime.contracts.config import (
    EMPTY_ETAG,
    ConfigRollback,
    DesiredWrite,
    HistoryParams,
)
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.units import NS_PER_MS
from virtual_time import wait_ms

ENGINEER = Caller(identity="uid:1001", role=Role.ENGINEER)
VIEWER = Caller(identity="uid:1002", role=Role.VIEWER)
HERE = Caller(identity="token://x", role=Role.ADMIN, scope=(SiteName("default-site"),))
OUTCOMES = ("phase", "outcome", "action_type", "denial_code")
WRITTEN = [
    (Phase.DECISION, None, "config.write", None),
    (Phase.OUTCOME, Outcome.EXECUTED, "config.write", None),
]


async def write(
    node: Node,
    desired: dict[str, Any] | None = None,
    *,
    caller: Caller = ADMIN,
    if_match: str | None = None,
    **changes: Any,
) -> ConfigAnswer:
    asked = DesiredWrite(
        api_version="1.0",
        actor=ACTOR,
        desired={"log.level": "warn"} if desired is None else desired,
        request_id="r",
    )
    asked = structs.replace(asked, **changes)
    return await node.services.desired.write_desired(asked, caller, if_match=if_match)


async def running(scene: Scene) -> Node:
    node = await scene.node()
    scene.tasks.create_task(node.services.config.run(), name="configuration")
    return node


@virtual
async def test_a_write_is_durable_applied_and_answered_with_the_true_state(scene: Scene) -> None:
    node = await running(scene)
    answer = await write(node, caller=ENGINEER)
    assert answer.denial is None
    assert (answer.changed, answer.replayed, answer.if_match_failed) == (True, False, False)
    assert (answer.desired, answer.reported) == ({"log.level": "warn"}, {"log.level": "warn"})
    assert answer.meta is not None
    assert answer.meta.desired_revision == answer.meta.reported_revision == 1
    assert answer.status is not None
    assert answer.status.state == "in_sync"
    assert node.records(*OUTCOMES) == WRITTEN
    for record in node.store.durable:
        assert record.audit_id == answer.audit_id
        assert (record.actor, record.identity) == (ACTOR, ENGINEER.identity)
        assert (record.request_id, record.origin, record.target) == ("r", "press-1", "press-1")
    kept = node.store.disk.synced.revisions[1]
    assert (kept.actor, kept.identity, kept.request_id) == (ACTOR, ENGINEER.identity, "r")
    assert kept.audit_id == answer.audit_id


@virtual
async def test_nobody_is_answered_before_it_is_on_disk(scene: Scene) -> None:
    node = await running(scene)
    node.store.sync_ms = 20
    writing = scene.tasks.create_task(write(node))
    await wait_ms(19)
    assert not writing.done()
    assert node.log.level == "info"  # No effect either.
    await wait_ms(2)
    assert writing.done()


@virtual
async def test_a_write_that_cannot_be_kept_is_raised_and_changes_nothing(scene: Scene) -> None:
    node = await running(scene)
    before = await node.services.desired.view()
    node.store.fail_write(1)
    with pytest.raises(StoreFailed, match="disk is full"):
        await write(node)
    assert await node.services.desired.view() == before
    assert node.store.durable == []
    assert node.services.health.fault is not None
    # From then on it is refused at once, with the same fault and its remedy.
    node.store.writes = 0
    with pytest.raises(StoreFailed, match="disk is full") as raised:
        await write(node)
    assert raised.value.remedy
    assert node.store.writes == 0


@virtual
async def test_a_refusal_that_cannot_be_recorded_is_not_told(scene: Scene) -> None:
    node = await scene.node()
    node.store.fail_write(1)
    with pytest.raises(StoreFailed):
        await write(node, caller=VIEWER)
    assert node.services.health.fault is not None


@virtual
async def test_a_patch_that_changes_nothing_makes_no_revision(scene: Scene) -> None:
    node = await running(scene)
    await write(node)
    answer = await write(node, request_id="r2")
    assert (answer.changed, answer.denial) == (False, None)
    assert sorted(node.store.disk.synced.revisions) == [1]
    assert node.records(*OUTCOMES, request_id="r2") == WRITTEN
    assert (await write(node, {}, request_id="r3")).changed is False


@virtual
async def test_the_same_request_again_is_answered_from_the_ledger(scene: Scene) -> None:
    node = await running(scene)
    first = await write(node)
    again = await write(node)
    assert (again.replayed, again.denial, again.audit_id) == (True, None, first.audit_id)
    assert sorted(node.store.disk.synced.revisions) == [1]
    last = node.store.durable[-1]
    assert (last.outcome, last.replay_of) == (Outcome.REPLAYED, first.audit_id)
    assert last.action_type == "config.write"
    assert last.audit_id != first.audit_id


@pytest.mark.parametrize("changes", [{"desired": {"log.level": "error"}}, {"expected_revision": 1}])
@virtual
async def test_a_request_id_used_for_another_write_is_a_conflict(
    scene: Scene, changes: dict[str, Any]
) -> None:
    node = await running(scene)
    await write(node)
    answer = await write(node, **changes)
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.CONFLICT
    assert answer.denial.reason
    assert answer.denial.remedy
    assert not answer.changed
    assert node.records(*OUTCOMES)[-1] == (
        Phase.SINGLE,
        Outcome.DENIED,
        "config.write",
        DenialCode.CONFLICT,
    )


@virtual
async def test_without_request_id_nothing_is_remembered(scene: Scene) -> None:
    node = await running(scene)
    one = await write(node, request_id=None)
    two = await write(node, {"log.level": "error"}, request_id=None)
    three = await write(node, {"log.level": "error"}, request_id=None)
    assert [a.changed for a in (one, two, three)] == [True, True, False]
    assert not three.replayed
    assert node.store.disk.synced.entries == {}
    # Each record is named by its own audit id.
    assert {r.request_id for r in node.store.durable} == {
        a.audit_id or "" for a in (one, two, three)
    }


REFUSALS = [
    pytest.param({"api_version": "2.0"}, DenialCode.CONTRACT_VIOLATION, "2.0", id="version"),
    pytest.param({"api_version": "one"}, DenialCode.CONTRACT_VIOLATION, "one", id="no version"),
    pytest.param({"actor": " "}, DenialCode.CONTRACT_VIOLATION, "actor", id="actor"),
    pytest.param({"request_id": ""}, DenialCode.CONTRACT_VIOLATION, "request_id", id="blank id"),
    pytest.param(
        {"request_id": "r" * 129}, DenialCode.CONTRACT_VIOLATION, "request_id", id="long id"
    ),
    pytest.param(
        {"actor": "spiffe://trust/site-b/x", "caller": HERE},
        DenialCode.PERMISSION_DENIED,
        "site-b",
        id="actor of a site outside the token",
    ),
    pytest.param(
        {"desired": {"log.levl": "x", "nonsense": 1}},
        DenialCode.CONTRACT_VIOLATION,
        "nonsense",
        id="unknown keys",
    ),
    pytest.param(
        {"desired": {"resource.name": "x"}},
        DenialCode.CONTRACT_VIOLATION,
        "resource.name",
        id="file only",
    ),
    pytest.param(
        {"caller": VIEWER}, DenialCode.ACL_DENIED_CFG_WRITE, "requires role engineer", id="viewer"
    ),
    pytest.param(
        {"caller": ENGINEER, "desired": {"log.level": "warn", "web.enabled": False}},
        DenialCode.ACL_DENIED_CFG_WRITE,
        "requires role admin",
        id="engineer for an admin's key",
    ),
    pytest.param(
        {"expected_revision": 3}, DenialCode.REVISION_CONFLICT, "not 3", id="expected_revision"
    ),
    pytest.param(
        {"expected_etag": "sha256:0"}, DenialCode.REVISION_CONFLICT, "sha256:0", id="expected_etag"
    ),
    pytest.param({"if_match": "sha256:1"}, DenialCode.REVISION_CONFLICT, "sha256:1", id="If-Match"),
    pytest.param(
        {"desired": {"log.level": "loud"}}, DenialCode.CONTRACT_VIOLATION, "loud", id="value"
    ),
]


@pytest.mark.parametrize(("changes", "code", "named"), REFUSALS)
@virtual
async def test_what_is_refused_is_recorded_and_leaves_everything_as_it_was(
    scene: Scene, changes: dict[str, Any], code: DenialCode, named: str
) -> None:
    node = await scene.node()
    before = await node.services.desired.view()
    answer = await write(node, **changes)
    assert answer.denial is not None
    assert answer.denial.code is code
    assert named in answer.denial.reason
    assert answer.denial.remedy
    assert answer.if_match_failed == ("if_match" in changes)
    assert (answer.changed, answer.meta, answer.status) == (False, before.meta, before.status)
    assert await node.services.desired.view() == before
    assert node.records(*OUTCOMES) == [(Phase.SINGLE, Outcome.DENIED, "config.write", code)]
    assert node.store.durable[0].audit_id == answer.audit_id
    assert node.store.disk.synced.entries == {}


ORDER: list[dict[str, Any]] = [
    {"api_version": "2.0"},
    {"actor": ""},
    {"actor": "spiffe://trust/site-b/x"},
    {"desired": {"nonsense": 1}},
    {"desired": {"web.enabled": "maybe"}},  # Its role is asked before its value.
    {"expected_revision": 3},
    {"expected_etag": "sha256:0"},
    {"if_match": "sha256:0"},
]
CODES = [
    ("2.0", DenialCode.CONTRACT_VIOLATION),
    ("blank", DenialCode.CONTRACT_VIOLATION),
    ("site-b", DenialCode.PERMISSION_DENIED),
    ("nonsense", DenialCode.CONTRACT_VIOLATION),
    ("role admin", DenialCode.ACL_DENIED_CFG_WRITE),
    ("not 3", DenialCode.REVISION_CONFLICT),
    ("etag is", DenialCode.REVISION_CONFLICT),
    ("etag is", DenialCode.REVISION_CONFLICT),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
@virtual
async def test_the_first_check_in_the_contracts_order_gives_the_code(
    scene: Scene, first: int
) -> None:
    node = await scene.node()
    changes: dict[str, Any] = {}
    for broken in reversed(ORDER[first:]):
        changes |= broken
    limited = structs.replace(HERE, role=Role.ENGINEER)
    answer = await write(node, **{"desired": {"log.level": "loud"}, **changes}, caller=limited)
    assert answer.denial is not None
    named, code = CODES[first]
    assert named in answer.denial.reason
    assert answer.denial.code is code
    assert answer.if_match_failed == (first == len(ORDER) - 1)


@virtual
async def test_preconditions_that_hold_let_the_write_pass(scene: Scene) -> None:
    node = await running(scene)
    one = await write(node, expected_revision=0, expected_etag=EMPTY_ETAG, if_match=EMPTY_ETAG)
    assert one.changed
    assert (await write(node, {"log.level": "error"}, request_id="r2", if_match="*")).changed


@pytest.mark.parametrize("scope", [None, (SiteName("default-site"), SiteName("site-b"))])
@virtual
async def test_an_actor_within_the_scope_passes(scene: Scene, scope: Any) -> None:
    caller = Caller(identity="token://x", role=Role.ADMIN, scope=scope)
    node = await running(scene)
    assert (await write(node, actor="spiffe://trust/site-b/x", caller=caller)).changed


@virtual
async def test_an_actor_without_a_site_is_in_every_scope(scene: Scene) -> None:
    assert (await write(await running(scene), actor="anna", caller=HERE)).changed


@virtual
async def test_a_doubled_runtime_takes_no_writes(scene: Scene) -> None:
    node, twin = await scene.node(), await scene.node()
    twin.services.signing._signer = signer_of(RuntimeId("press-1"), "second")
    node.hears(twin)
    answer = await write(node)
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.PERMISSION_DENIED
    assert "duplicate_instance" in answer.denial.reason
    assert answer.denial.remedy
    assert not answer.changed


@virtual
async def test_an_answer_waits_a_second_for_the_applying_at_most(scene: Scene) -> None:
    node = await scene.node()  # Nobody runs the agent.
    began_ns = node.clock.monotonic_ns()
    answer = await write(node)
    assert (node.clock.monotonic_ns() - began_ns) // NS_PER_MS == 1_000
    assert answer.changed
    assert answer.status is not None
    assert (answer.status.state, answer.reported) == ("pending", {"log.level": "info"})


@virtual
async def test_a_secret_is_shown_and_recorded_nowhere(scene: Scene) -> None:
    node = await running(scene)
    patch = {"mesh.auth_token": SECRET}
    answers = [
        await write(node, patch),
        await write(node, patch),
        await write(node, patch, caller=ENGINEER, request_id="r2"),
        await write(node, {"mesh.auth_token": [SECRET]}, request_id="r3"),
        await write(node, patch, expected_revision=9, request_id="r4"),
    ]
    assert [answer.denial is None for answer in answers] == [True, True, False, False, False]
    assert answers[0].desired == {"mesh.auth_token": "<redacted>"}
    assert SECRET not in repr((answers, await node.services.desired.view()))
    assert SECRET not in node.everything_kept()


async def roll_back(
    node: Node, revision: int, *, caller: Caller = ADMIN, **changes: Any
) -> ConfigAnswer:
    asked = ConfigRollback(api_version="1.0", actor=ACTOR, revision=revision, request_id="b")
    return await node.services.desired.roll_back(structs.replace(asked, **changes), caller)


@virtual
async def test_a_rollback_is_a_write_of_its_own_kind(scene: Scene) -> None:
    node = await running(scene)
    await write(node)
    await write(node, {"log.level": "error"}, request_id="r2")
    answer = await roll_back(node, 1, expected_revision=2, caller=ENGINEER)
    assert (answer.denial, answer.changed) == (None, True)
    assert answer.desired == answer.reported == {"log.level": "warn"}
    assert node.records(*OUTCOMES, request_id="b") == [
        (Phase.DECISION, None, "config.rollback", None),
        (Phase.OUTCOME, Outcome.EXECUTED, "config.rollback", None),
    ]
    history = await node.services.desired.history(HistoryParams())
    assert [(i.revision, i.kind, i.request_id) for i in history.items] == [
        (3, "rollback", "b"),
        (2, "write", "r2"),
        (1, "write", "r"),
    ]
    assert history.items[0].etag == history.items[2].etag != history.items[1].etag
    again = await roll_back(node, 1, expected_revision=2)
    assert (again.replayed, again.audit_id) == (True, answer.audit_id)
    assert sorted(node.store.disk.synced.revisions) == [1, 2, 3]


@virtual
async def test_a_rollback_without_request_id_is_remembered_by_nobody(scene: Scene) -> None:
    node = await running(scene)
    await write(node, request_id=None)
    await write(node, {"log.level": "error"}, request_id=None)
    one = await roll_back(node, 1, request_id=None)
    two = await roll_back(node, 1, request_id=None)
    assert (one.changed, two.changed, two.replayed) == (True, False, False)
    assert node.store.disk.synced.entries == {}


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"api_version": "2.0"}, DenialCode.CONTRACT_VIOLATION, "2.0"),
        ({"actor": ""}, DenialCode.CONTRACT_VIOLATION, "actor"),
        ({"request_id": ""}, DenialCode.CONTRACT_VIOLATION, "request_id"),
        (
            {"actor": "spiffe://trust/site-b/x", "caller": HERE},
            DenialCode.PERMISSION_DENIED,
            "site-b",
        ),
        ({"caller": VIEWER}, DenialCode.ACL_DENIED_CFG_WRITE, "engineer"),
        ({"revision": 0}, DenialCode.CONTRACT_VIOLATION, "revision 0"),
        ({"revision": 2}, DenialCode.CONTRACT_VIOLATION, "revision 2"),
        ({"expected_revision": 0}, DenialCode.REVISION_CONFLICT, "changed since then: log.level"),
    ],
)
@virtual
async def test_a_rollback_that_is_refused_is_recorded_and_changes_nothing(
    scene: Scene, changes: dict[str, Any], code: DenialCode, named: str
) -> None:
    node = await running(scene)
    await write(node)
    await wait_ms(10)
    before = await node.services.desired.view()
    answer = await roll_back(node, changes.pop("revision", 1), **changes)
    assert answer.denial is not None
    assert answer.denial.code is code
    assert named in answer.denial.reason
    assert await node.services.desired.view() == before
    assert node.records(*OUTCOMES)[-1] == (Phase.SINGLE, Outcome.DENIED, "config.rollback", code)


@virtual
async def test_a_rollback_that_cannot_be_kept_is_raised(scene: Scene) -> None:
    node = await running(scene)
    await write(node)
    await write(node, {"log.level": "error"}, request_id="r2")
    await wait_ms(10)
    node.store.fail_write(1)
    with pytest.raises(StoreFailed):
        await roll_back(node, 1)
    assert sorted(node.store.disk.synced.revisions) == [1, 2]
    assert node.services.health.fault is not None


@virtual
async def test_another_if_match_is_another_request(scene: Scene) -> None:
    node = await running(scene)
    await write(node, if_match="*")
    answer = await write(node, if_match=EMPTY_ETAG)
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.CONFLICT
