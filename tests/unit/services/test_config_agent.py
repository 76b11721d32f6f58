"""`services.config_agent`: the one writer of configuration (contract 11, invariants 15 to 17)."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from port_contracts.store_samples import DRAFT
from service_world import ACTOR, SECRET, Node, Scene, virtual
from trust_runtime.contracts.config import (
    EMPTY_ETAG,
    BootRecord,
    ConfigRevision,
    ConfigState,
    ConfigStatus,
)
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.config.change import Change, Prepared, Refusal
from trust_runtime.core.config.merge import document_etag
from trust_runtime.services.config_agent import ConfigAgent, StartState
from virtual_time import wait_ms

REVISION = ConfigRevision(
    revision=4,
    kind="write",
    document={"log.level": "warn", "mesh.enabled": False},
    patch={"mesh.enabled": False},
    secret_revisions={},
    actor=ACTOR,
    identity="uid:1000",
    audit_id="audit-4",
    created_at_ns=17,
)


def change(patch: dict[str, Any], **preconditions: Any) -> Change:
    return Change(
        patch=patch,
        actor=ACTOR,
        identity="uid:1000",
        audit_id="audit-1",
        request_id="request-1",
        **preconditions,
    )


async def write(agent: ConfigAgent, patch: dict[str, Any], **preconditions: Any) -> Prepared:
    """Prepare and commit, as the entrances do."""
    async with agent.lock:
        prepared = agent.prepare(change(patch, **preconditions))
        assert isinstance(prepared, Prepared), prepared
        await agent.commit(prepared, drafts=[], entry=None)
    return prepared


def refusal(agent: ConfigAgent, patch: dict[str, Any], **preconditions: Any) -> Refusal:
    refused = agent.prepare(change(patch, **preconditions))
    assert isinstance(refused, Refusal)
    assert refused.denial.reason
    assert refused.denial.remedy
    return refused


async def running(scene: Scene, **file_values: Any) -> tuple[Node, ConfigAgent]:
    """Return a runtime whose agent applies in the background."""
    node = await scene.node(**file_values)
    scene.tasks.create_task(node.services.config.run(), name="configuration")
    return node, node.services.config


def stuck(node: Node) -> None:
    """Have the log refuse every change of its level."""
    node.services.config._parts._log = _StuckLog()


class _StuckLog:
    @property
    def level(self) -> LogLevel:
        return LogLevel.INFO

    @level.setter
    def level(self, _level: LogLevel) -> None:
        """Nothing happens: the running part goes on as it was."""


def loosened(node: Node) -> None:
    node.services.config._parts._log = node.log


@virtual
async def test_before_the_first_write_everything_is_the_files(scene: Scene) -> None:
    node = await scene.node(runtime__log__level="warn")
    view = await node.services.config.view()
    assert (view.desired, view.reported) == ({}, {})
    assert view.status.state is ConfigState.IN_SYNC
    assert (view.meta.desired_revision, view.meta.reported_revision) == (0, 0)
    assert view.meta.desired_etag == view.meta.reported_etag == EMPTY_ETAG
    assert view.meta.last_writer == "bootstrap"
    assert view.effective["log.level"] == "warn"
    assert view.sources["log.level"] == "file"
    assert view.sources["mesh.listen"] == "default"
    assert set(view.sources) == set(view.effective)


@virtual
async def test_revisions_count_from_one_and_only_when_something_changes(scene: Scene) -> None:
    node = await scene.node()
    agent = node.services.config
    assert (await write(agent, {"log.level": "warn"})).changed == ("log.level",)
    nothing = await write(agent, {"log.level": "warn", "mesh.connect": None})
    assert (nothing.revision, nothing.changed) == (None, ())
    second = await write(agent, {"log.level": None, "mesh.enabled": False})
    assert second.changed == ("log.level", "mesh.enabled")
    kept = node.store.disk.synced.revisions
    assert [kept[n].document for n in (1, 2)] == [{"log.level": "warn"}, {"mesh.enabled": False}]
    assert kept[1] == ConfigRevision(
        revision=1,
        kind="write",
        document={"log.level": "warn"},
        patch={"log.level": "warn"},
        secret_revisions={},
        actor=ACTOR,
        identity="uid:1000",
        request_id="request-1",
        audit_id="audit-1",
        created_at_ns=node.clock.wall_ns(),
    )
    assert agent.meta().last_writer == ACTOR
    assert agent.meta().updated_at_ns == kept[2].created_at_ns


@pytest.mark.parametrize(
    ("preconditions", "named", "header"),
    [
        ({"expected_revision": 0}, "revision is 1, not 0", False),
        ({"expected_revision": 2}, "revision is 1, not 2", False),
        ({"expected_etag": EMPTY_ETAG}, f"not {EMPTY_ETAG}", False),
        ({"if_match": EMPTY_ETAG}, f"not {EMPTY_ETAG}", True),
        ({"if_match": ""}, "etag is sha256:", True),
        ({"expected_revision": 0, "if_match": EMPTY_ETAG}, "revision is 1", False),
    ],
)
@virtual
async def test_a_precondition_that_does_not_hold_refuses(
    scene: Scene, preconditions: dict[str, Any], named: str, *, header: bool
) -> None:
    agent = (await scene.node()).services.config
    await write(agent, {"log.level": "warn"})
    before = await agent.view()
    refused = refusal(agent, {"log.level": "error"}, **preconditions)
    assert refused.denial.code is DenialCode.REVISION_CONFLICT
    assert named in refused.denial.reason
    assert refused.if_match_failed is header
    assert await agent.view() == before


@virtual
async def test_a_precondition_that_holds_lets_the_write_pass(scene: Scene) -> None:
    agent = (await scene.node()).services.config
    await write(agent, {"log.level": "warn"}, expected_revision=0, expected_etag=EMPTY_ETAG)
    etag = agent.meta().desired_etag
    await write(agent, {"log.level": "error"}, expected_revision=1, if_match=etag)
    await write(agent, {"log.level": "debug"}, if_match="*")
    assert agent.meta().desired_revision == 3


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({"log.levl": "warn"}, "log.level"),
        ({"log.level": "loud"}, "log.level"),
        ({"resource.name": "x"}, "runtime.toml"),
        ({"runtime_cloud.presence.partition_after_ms": 1_000}, "partition_after_ms"),
        ({"mesh.auth_token": "<redacted>"}, "mesh.auth_token"),
    ],
)
@virtual
async def test_a_patch_that_does_not_fit_is_refused_by_name(
    scene: Scene, patch: dict[str, Any], named: str
) -> None:
    node = await scene.node()
    refused = refusal(node.services.config, {"discovery.enabled": True, **patch})
    assert refused.denial.code is DenialCode.CONTRACT_VIOLATION
    assert named in refused.denial.reason
    assert node.services.config.document == {}
    assert node.store.writes == 0


@virtual
async def test_a_commit_that_fails_changes_nothing(scene: Scene) -> None:
    node, agent = await running(scene)
    await write(agent, {"log.level": "warn"})
    await wait_ms(10)
    before = await agent.view()
    told: list[ConfigState] = []
    agent.on_change = lambda: told.append(agent.status().state)
    node.store.fail_write(1)
    with pytest.raises(StoreFailed):
        await write(agent, {"log.level": "error", "mesh.enabled": False})
    await wait_ms(10)
    assert await agent.view() == before
    assert (told, node.log.level) == ([], "warn")
    assert not agent.lock.locked()
    # And the next one gets the number the failed one did not use.
    assert (await write(agent, {"log.level": "error"})).revision is not None
    assert agent.meta().desired_revision == 2


@virtual
async def test_a_live_key_is_in_force_when_reported_says_so(scene: Scene) -> None:
    node = await scene.node()
    agent = node.services.config
    told: list[ConfigState] = []
    agent.on_change = lambda: told.append(agent.status().state)
    await write(agent, {"log.level": "debug"})
    # Durable, but nobody applied it yet: what runs is what is reported.
    assert agent.documents() == ({"log.level": "debug"}, {"log.level": "info"})
    assert agent.status().state is ConfigState.PENDING
    assert (agent.status().pending_revision, agent.status().applied_revision) == (1, 0)
    assert agent.status().required_action is None
    assert agent.meta().reported_etag == EMPTY_ETAG
    assert agent.report() == (agent.meta(), agent.status())
    scene.tasks.create_task(agent.run())
    await wait_ms(1)
    assert node.log.level is LogLevel.DEBUG
    assert node.services.running.settings.log_level is LogLevel.DEBUG
    assert agent.documents() == ({"log.level": "debug"}, {"log.level": "debug"})
    assert agent.status().state is ConfigState.IN_SYNC
    assert (agent.meta().reported_revision, agent.meta().reported_etag) == (
        1,
        agent.meta().desired_etag,
    )
    assert agent.report() == (agent.meta(), agent.status())
    assert told == [ConfigState.PENDING, ConfigState.IN_SYNC]
    assert [line.data["state"] for line in node.log.of("config_applied")] == ["in_sync"]


@virtual
async def test_reported_follows_the_running_part_not_the_document(scene: Scene) -> None:
    node, agent = await running(scene)
    await write(agent, {"log.level": "debug"})
    await wait_ms(1)
    node.log.level = LogLevel.ERROR  # Somebody else changed what runs.
    assert agent.documents()[1] == {"log.level": "error"}
    assert agent.status().state is ConfigState.PENDING


@virtual
async def test_a_part_that_changed_under_us_is_told_and_set_again(scene: Scene) -> None:
    node, agent = await running(scene)
    await write(agent, {"log.level": "debug"})
    await wait_ms(1)
    told: list[tuple[int, ConfigState]] = []
    began_ns = node.clock.monotonic_ns()

    def tell() -> None:
        passed_ms = (node.clock.monotonic_ns() - began_ns) // NS_PER_MS
        told.append((passed_ms, agent.status().state))

    agent.on_change = tell
    node.log.level = LogLevel.ERROR
    await wait_ms(1_500)
    # Within two seconds it is told, and it stays told until the part was set again.
    ((at_ms, state),) = told
    assert at_ms <= 1_000
    assert state is ConfigState.ERROR
    status = agent.status()
    assert len(status.errors) == 1
    assert status.errors[0].startswith("log.level: ")
    assert (status.applied_revision, status.pending_revision) == (1, 1)
    assert agent.documents()[1] == {"log.level": "error"}
    assert [line.level for line in node.log.of("config_drift")] == [LogLevel.WARN]
    await wait_ms(1_000)
    assert node.log.level is LogLevel.DEBUG
    assert agent.status().state is ConfigState.IN_SYNC
    assert [state for _, state in told] == [ConfigState.ERROR, ConfigState.IN_SYNC]


@virtual
async def test_what_waits_for_a_restart_is_no_drift(scene: Scene) -> None:
    node, agent = await running(scene)
    await write(agent, {"mesh.enabled": False})
    await wait_ms(10_000)
    assert agent.status().state is ConfigState.PENDING
    assert agent.status().errors == ()
    assert node.log.of("config_drift") == []


@virtual
async def test_a_blocked_revision_is_not_looked_at(scene: Scene) -> None:
    start = StartState(
        newest=REVISION, started=None, boot=BootRecord(), blocked_reason="desired_ignored"
    )
    node = await scene.node(start=start)
    scene.tasks.create_task(node.services.config.run())
    await wait_ms(10_000)
    assert node.services.config.status().errors == ()
    assert node.services.config.status().state is ConfigState.BLOCKED


@virtual
async def test_when_a_revision_was_first_in_force_is_kept(scene: Scene) -> None:
    node, agent = await running(scene)
    began_ns = node.clock.wall_ns()
    await write(agent, {"log.level": "debug"})
    await wait_ms(10)
    kept = node.store.disk.synced.revisions
    reached_ns = kept[1].reached_at_ns
    assert reached_ns is not None
    assert began_ns <= reached_ns <= node.clock.wall_ns()
    await write(agent, {"mesh.enabled": False})
    await wait_ms(5_000)
    assert kept[1].reached_at_ns == reached_ns
    assert node.store.disk.synced.revisions[2].reached_at_ns is None


@virtual
async def test_a_disk_that_is_full_for_a_while_delays_only_the_note_of_it(scene: Scene) -> None:
    node, agent = await running(scene)
    await write(agent, {"log.level": "debug"})
    node.store.is_full = True
    await wait_ms(3_000)
    assert agent.status().state is ConfigState.IN_SYNC
    assert node.store.disk.synced.revisions[1].reached_at_ns is None
    node.store.is_full = False
    await wait_ms(1_001)
    assert node.store.disk.synced.revisions[1].reached_at_ns is not None


@virtual
async def test_a_deleted_key_falls_back_to_the_file(scene: Scene) -> None:
    node, agent = await running(scene, runtime__log__level="warn")
    await write(agent, {"log.level": "debug"})
    await wait_ms(1)
    assert (await agent.view()).sources["log.level"] == "desired"
    await write(agent, {"log.level": None})
    await wait_ms(1)
    assert node.log.level == "warn"
    view = await agent.view()
    assert (view.desired, view.reported) == ({}, {})
    assert (view.sources["log.level"], view.status.state) == ("file", ConfigState.IN_SYNC)


@virtual
async def test_what_needs_a_restart_waits_visibly(scene: Scene) -> None:
    node, agent = await running(scene)
    await write(agent, {"mesh.enabled": False, "log.level": "warn"})
    await wait_ms(1)
    status = agent.status()
    assert status.state is ConfigState.PENDING
    assert status.required_action == "restart_required"
    assert status.restart_required == ("mesh.enabled",)
    assert (status.applied_revision, status.pending_revision) == (0, 1)
    assert node.services.running.settings.mesh.enabled
    assert node.log.level == "warn"
    view = await agent.view()
    assert view.reported == {"mesh.enabled": True, "log.level": "warn"}
    assert view.sources["mesh.enabled"] == "file"  # What runs comes from there, still.
    await write(agent, {"mesh.enabled": None})
    await wait_ms(1)
    assert agent.status().state is ConfigState.IN_SYNC
    assert agent.status().applied_revision == 2


@virtual
async def test_a_part_that_refuses_is_an_error_tried_ever_more_rarely(scene: Scene) -> None:
    node, agent = await running(scene)
    stuck(node)
    tries: list[int] = []
    began_ns = node.clock.monotonic_ns()
    agent.on_change = lambda: tries.append((node.clock.monotonic_ns() - began_ns) // NS_PER_MS)
    await write(agent, {"log.level": "debug"})
    await wait_ms(200_000)
    status = agent.status()
    assert status.state is ConfigState.ERROR
    assert status.errors
    assert status.errors[0].startswith("log.level")
    assert (status.applied_revision, status.pending_revision) == (0, 1)
    assert agent.documents()[1] == {"log.level": "info"}
    assert node.services.running.settings.log_level is LogLevel.INFO
    # One for the commit, one for the first try, then after 1, 2, 4 ... 60, 60 s.
    seconds = [round(at_ms / 1_000) for at_ms in tries]
    assert seconds == [0, 0, 1, 3, 7, 15, 31, 63, 123, 183]


@virtual
async def test_a_part_that_gives_way_ends_the_error(scene: Scene) -> None:
    node, agent = await running(scene)
    stuck(node)
    await write(agent, {"log.level": "debug"})
    await wait_ms(500)
    assert agent.status().errors
    loosened(node)
    await wait_ms(600)
    assert agent.status().state is ConfigState.IN_SYNC
    assert agent.status().errors == ()
    assert node.log.level == "debug"


@virtual
async def test_a_new_write_clears_the_error_of_the_last_and_is_applied_at_once(
    scene: Scene,
) -> None:
    node, agent = await running(scene)
    stuck(node)
    await write(agent, {"log.level": "debug"})
    await wait_ms(40_000)  # The next try is due in more than twenty seconds.
    loosened(node)
    await write(agent, {"log.level": "error"})
    assert agent.status().errors == ()
    await wait_ms(1)
    assert agent.status().state is ConfigState.IN_SYNC
    assert node.log.level == "error"


@virtual
async def test_a_new_write_that_fails_too_is_soon_tried_again(scene: Scene) -> None:
    node, agent = await running(scene)
    stuck(node)
    await write(agent, {"log.level": "debug"})
    await wait_ms(40_000)
    await write(agent, {"log.level": "error"})
    await wait_ms(1)
    loosened(node)
    await wait_ms(1_000)
    assert node.log.level == "error"


@virtual
async def test_while_a_restart_is_due_the_last_revision_in_force_is_named(scene: Scene) -> None:
    _, agent = await running(scene)
    await write(agent, {"log.level": "warn"})
    await wait_ms(1)
    first = agent.meta()
    await write(agent, {"mesh.enabled": False})
    await wait_ms(1)
    assert agent.status().applied_revision == agent.meta().reported_revision == 1
    assert agent.meta().reported_etag == first.desired_etag != agent.meta().desired_etag


@virtual
async def test_the_records_of_a_write_are_told_when_they_are_durable(scene: Scene) -> None:
    node = await scene.node()
    prepared = node.services.config.prepare(change({}))
    assert isinstance(prepared, Prepared)
    await node.services.config.commit(prepared, drafts=[DRAFT], entry=None)
    await wait_ms(100)
    assert [line.data["audit_id"] for line in node.log.of("audit")] == [DRAFT.audit_id]
    assert len(node.store.durable) == 1


@virtual
async def test_a_start_with_a_revision_is_in_sync_from_the_start(scene: Scene) -> None:
    started = StartState(newest=REVISION, started=REVISION, boot=BootRecord(attempted_revision=4))
    node = await scene.node(start=started, runtime__mesh__enabled=False, runtime__log__level="warn")
    view = await node.services.config.view()
    assert view.meta.desired_revision == view.meta.reported_revision == 4
    assert view.meta.updated_at_ns == 17
    assert view.sources["mesh.enabled"] == "desired"
    await node.services.config.save_ready()
    assert node.store.disk.synced.boot == BootRecord(attempted_revision=4, ready_revision=4)


@virtual
async def test_a_start_from_the_file_alone_is_ready_with_revision_zero(scene: Scene) -> None:
    node = await scene.node()
    await node.services.config.save_ready()
    assert node.store.disk.synced.boot == BootRecord(attempted_revision=0, ready_revision=0)


@pytest.mark.parametrize("reason", ["start_failed", "desired_ignored"])
@virtual
async def test_a_blocked_revision_is_held_back_until_the_next_write(
    scene: Scene, reason: str
) -> None:
    start = StartState(
        newest=REVISION,
        started=None,
        boot=BootRecord(),
        blocked_reason=reason,
        errors=("the last start with revision 4 did not become ready",),
    )
    node = await scene.node(start=start)
    node.store.disk.synced.revisions[4] = REVISION
    agent = node.services.config
    scene.tasks.create_task(agent.run())
    await wait_ms(100_000)
    status = agent.status()
    assert (status.state, status.blocked_reason) == (ConfigState.BLOCKED, reason)
    assert status.errors == start.errors
    assert (status.applied_revision, status.pending_revision) == (0, 4)
    assert node.log.level == "info"
    assert agent.documents()[1] == {"log.level": "info", "mesh.enabled": True}
    await write(agent, {"mesh.enabled": None})
    await wait_ms(1)
    assert agent.status().state is ConfigState.IN_SYNC
    assert (agent.status().blocked_reason, node.log.level) == (None, "warn")
    assert agent.meta().desired_revision == 5


@virtual
async def test_secrets_are_shown_nowhere_and_count_by_their_revision(scene: Scene) -> None:
    node, agent = await running(scene, runtime__mesh__auth_token=SECRET)
    assert SECRET not in repr(await agent.view())
    await write(agent, {"mesh.auth_token": SECRET + "1", "log.level": "warn"})
    first = agent.meta().desired_etag
    await write(agent, {"mesh.auth_token": SECRET + "2"})
    second = agent.meta().desired_etag
    await write(agent, {"log.level": "error"})
    await wait_ms(1)
    view = await agent.view()
    assert view.desired["mesh.auth_token"] == "<redacted>"  # noqa: S105 - what stands for one
    assert view.effective["mesh.auth_token"] == "<redacted>"  # noqa: S105 - what stands for one
    assert SECRET not in repr((view, node.log.lines, node.store.durable))
    assert first != second
    assert [node.store.disk.synced.revisions[n].secret_revisions for n in (1, 2, 3)] == [
        {"mesh.auth_token": 1},
        {"mesh.auth_token": 2},
        {"mesh.auth_token": 2},
    ]
    assert agent.meta().desired_etag == document_etag(agent.document, {"mesh.auth_token": 2})
    await write(agent, {"mesh.auth_token": None})
    assert node.store.disk.synced.revisions[4].secret_revisions == {}
    refused = refusal(agent, {"mesh.auth_token": [SECRET]})
    assert SECRET not in refused.denial.reason


@virtual
async def test_waiting_ends_when_it_is_applied_or_the_time_is_over(scene: Scene) -> None:
    node = await scene.node()
    agent = node.services.config

    async def waited_ms(timeout_ms: int) -> int:
        began_ns = node.clock.monotonic_ns()
        await agent.wait_applied(timeout_ms)
        return (node.clock.monotonic_ns() - began_ns) // NS_PER_MS

    assert await waited_ms(1_000) == 0  # Nothing is due.
    await write(agent, {"log.level": "warn"})
    assert await waited_ms(0) == 0
    assert await waited_ms(-5) == 0
    assert await waited_ms(300) == 300
    waiting = scene.tasks.create_task(waited_ms(1_000))
    await wait_ms(100)
    scene.tasks.create_task(agent.run())
    assert await waiting == 100
    # The next write is waited for anew.
    await write(agent, {"log.level": "error"})
    await agent.wait_applied(1_000)
    assert node.log.level == "error"


@virtual
async def test_looking_changes_nothing(scene: Scene) -> None:
    node = await scene.node()
    agent = node.services.config
    await write(agent, {"log.level": "warn"})
    before, writes = await agent.view(), node.store.writes
    for _ in range(3):
        agent.documents()
        agent.prepare(change({"log.level": "error"}))
        assert await agent.view() == before
    assert node.store.writes == writes


@virtual
async def test_writers_take_turns(scene: Scene) -> None:
    node = await scene.node()
    node.store.sync_ms = 5
    levels = ["warn", "error", "debug", "trace"]
    await asyncio.gather(*(write(node.services.config, {"log.level": one}) for one in levels))
    assert sorted(node.store.disk.synced.revisions) == [1, 2, 3, 4]


PATCHES = st.lists(
    st.dictionaries(
        st.sampled_from(["log.level", "mesh.enabled", "log.levl"]),
        st.sampled_from([None, "warn", "error", True, False]),
        max_size=3,
    ),
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(patches=PATCHES, fails=st.integers(0, 4))
def test_memory_and_disk_never_disagree(patches: list[dict[str, Any]], fails: int) -> None:
    @virtual
    async def play(scene: Scene) -> None:
        node, agent = await running(scene)
        node.store.fail_write(fails)
        for patch in patches:
            before = agent.meta().desired_revision
            prepared = agent.prepare(change(patch))
            if isinstance(prepared, Refusal):
                assert agent.meta().desired_revision == before
                continue
            try:
                await agent.commit(prepared, drafts=[], entry=None)
            except StoreFailed:
                assert agent.meta().desired_revision == before
            await wait_ms(1)
            newest = node.store.disk.synced.newest()
            assert agent.document == ({} if newest is None else newest.document)
            assert agent.meta().desired_revision == (0 if newest is None else newest.revision)
            status: ConfigStatus = agent.status()
            desired, reported = agent.documents()
            assert (status.state is ConfigState.IN_SYNC) == (
                desired == reported and not status.restart_required
            )

    play()
