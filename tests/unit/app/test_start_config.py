"""Which revision a start uses; the files and the settings are real."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fakes.clock import FakeClock
from fakes.log import FakeLog
from fakes.store import FakeStore
from port_contracts.store_samples import REVISION
from signed_fleet import OWN, Chance, boot
from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.app.start_config import Start, choose_start
from trust_runtime.contracts.config import BootRecord, ConfigState
from trust_runtime.contracts.errors import StartRefused, StoreFailed
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.live_parts import LiveParts
from trust_runtime.services.running import Running
from trust_runtime.services.store_health import StoreHealth

DEBUG = {"log.level": "debug"}
WARN = {"log.level": "warn"}
UNFIT = {"log.level": "loud"}

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path, ProjectTemplate(name=OWN))
    write_file(tmp_path, "")
    return tmp_path


def write_file(folder: Path, more: str) -> None:
    lines = [
        "bundle.version = 1",
        f'resource = {{ name = "{OWN}", cycle_interval_ms = 100 }}',
        'runtime.control.endpoint = "unix:///run/press.sock"',
        more,
    ]
    (folder / "runtime.toml").write_text("\n".join(lines) + "\n")


async def store_with(*documents: dict[str, Any], attempted: int = 0, ready: int = 0) -> FakeStore:
    store = FakeStore()
    for number, document in enumerate(documents, 1):
        revision = structs.replace(REVISION, revision=number, document=document)
        await store.config.commit(revision, drafts=[], entry=None)
    await store.config.save_boot(BootRecord(attempted_revision=attempted, ready_revision=ready))
    return store


async def choose(folder: Path, store: FakeStore, *, ignore_desired: bool = False) -> Start:
    return await choose_start(folder, store.config, ignore_desired=ignore_desired)


def agent_of(start: Start, store: FakeStore) -> ConfigAgent:
    """Return the agent of a process that started so."""
    clock, log = FakeClock(), FakeLog()
    running = Running(
        settings=start.loaded.settings,
        file_values=start.loaded.file_values,
        boot_id=boot(1),
        clock=clock,
    )
    audit = Audit(
        own=OWN,
        store=store.audit,
        health=StoreHealth(log),
        clock=clock,
        entropy=Chance(),
        log=log,
    )
    return ConfigAgent(
        running=running,
        store=store.config,
        audit=audit,
        parts=LiveParts(running=running, log=FakeLog(start.loaded.settings.log_level)),
        clock=clock,
        log=log,
        start=start.state,
    )


async def test_without_a_revision_the_file_alone_counts(folder: Path) -> None:
    store = await store_with()
    start = await choose(folder, store)

    assert start.loaded.settings.log_level is LogLevel.INFO
    assert (start.state.newest, start.state.started) == (None, None)
    assert (start.state.blocked_reason, start.state.errors) == (None, ())
    assert await store.config.boot() == BootRecord()


async def test_the_newest_revision_is_tried_and_that_is_durable_before(folder: Path) -> None:
    store = await store_with(DEBUG, WARN, attempted=1, ready=1)
    start = await choose(folder, store)

    assert start.loaded.settings.log_level is LogLevel.WARN
    assert start.state.started == start.state.newest == await store.config.revision(2)
    assert start.state.blocked_reason is None
    assert start.state.boot == await store.config.boot()
    assert start.state.boot == BootRecord(attempted_revision=2, ready_revision=1)


@pytest.mark.parametrize(
    ("attempted", "ready", "level", "blocked"),
    [
        (0, 0, LogLevel.WARN, None),  # Written, never started with.
        (2, 2, LogLevel.WARN, None),  # Became ready before.
        (2, 1, LogLevel.DEBUG, "start_failed"),  # Did not; the one before did.
        (2, 0, LogLevel.INFO, "start_failed"),  # Did not, and none ever did.
        (1, 0, LogLevel.WARN, None),  # An older one did not: the newest gets its chance.
        (3, 1, LogLevel.WARN, None),  # The one that did not is no more the newest.
    ],
)
async def test_a_revision_that_did_not_become_ready_is_left_out(
    folder: Path, attempted: int, ready: int, level: LogLevel, blocked: str | None
) -> None:
    store = await store_with(DEBUG, WARN, attempted=attempted, ready=ready)
    start = await choose(folder, store)

    assert start.loaded.settings.log_level is level
    assert start.state.newest == await store.config.revision(2)
    assert start.state.blocked_reason == blocked
    assert bool(start.state.errors) is (blocked is not None)
    if blocked is not None:
        assert "revision 2" in start.state.errors[0]
        assert await store.config.boot() == BootRecord(
            attempted_revision=attempted, ready_revision=ready
        )


async def test_a_revision_that_the_file_no_longer_fits_is_left_out_and_named(folder: Path) -> None:
    store = await store_with(DEBUG, UNFIT, attempted=1, ready=1)
    start = await choose(folder, store)

    assert start.loaded.settings.log_level is LogLevel.DEBUG
    assert start.state.started == await store.config.revision(1)
    assert start.state.blocked_reason == "start_failed"
    assert "log.level" in start.state.errors[0]
    assert (await store.config.boot()).attempted_revision == 1


async def test_when_no_revision_fits_the_file_alone_counts(folder: Path) -> None:
    store = await store_with(UNFIT, UNFIT, attempted=2, ready=1)
    start = await choose(folder, store)

    assert start.loaded.settings.log_level is LogLevel.INFO
    assert (start.state.started, start.state.blocked_reason) == (None, "start_failed")


async def test_a_ready_revision_that_is_no_longer_kept_leaves_the_file(folder: Path) -> None:
    store = await store_with(DEBUG, WARN, attempted=2, ready=1)
    del store.disk.synced.revisions[1]
    start = await choose(folder, store)
    assert (start.loaded.settings.log_level, start.state.started) == (LogLevel.INFO, None)


@pytest.mark.parametrize(("documents", "blocked"), [((), None), ((DEBUG,), "desired_ignored")])
async def test_who_ignores_the_desired_document_starts_from_the_file(
    folder: Path, documents: tuple[dict[str, Any], ...], blocked: str | None
) -> None:
    store = await store_with(*documents, attempted=len(documents), ready=len(documents))
    start = await choose(folder, store, ignore_desired=True)

    assert start.loaded.settings.log_level is LogLevel.INFO
    assert (start.state.started, start.state.blocked_reason) == (None, blocked)
    assert start.state.newest == (await store.config.newest())


async def test_a_file_that_is_not_valid_refuses_the_start_and_nothing_is_noted(
    folder: Path,
) -> None:
    write_file(folder, 'runtime.log.level = "loud"')
    store = await store_with({}, attempted=0, ready=0)
    for documents in (store, await store_with({"web.enabled": True}), await store_with()):
        with pytest.raises(StartRefused, match=r"runtime\.log\.level|runtime\.toml"):
            await choose(folder, documents)
        assert await documents.config.boot() == BootRecord()


async def test_no_revision_makes_up_for_a_file_that_is_not_valid(folder: Path) -> None:
    write_file(folder, 'runtime.log.level = "loud"')
    store = await store_with(DEBUG, UNFIT, attempted=1, ready=1)
    with pytest.raises(StartRefused, match=r"runtime\.log\.level"):
        await choose(folder, store)


async def test_a_store_that_cannot_note_the_attempt_starts_nothing(folder: Path) -> None:
    store = await store_with(DEBUG)
    store.is_full = True
    with pytest.raises(StoreFailed):
        await choose(folder, store)


async def test_a_ready_start_makes_its_revision_the_one_to_fall_back_to(folder: Path) -> None:
    store = await store_with(DEBUG)
    await agent_of(await choose(folder, store), store).save_ready()
    assert await store.config.boot() == BootRecord(attempted_revision=1, ready_revision=1)
    assert (await choose(folder, store)).state.blocked_reason is None


async def test_a_start_from_the_file_alone_unproves_no_revision(folder: Path) -> None:
    store = await store_with(DEBUG, attempted=1, ready=1)
    ignoring = await choose(folder, store, ignore_desired=True)
    agent = agent_of(ignoring, store)
    assert agent.status().state is ConfigState.BLOCKED
    await agent.save_ready()

    start = await choose(folder, store)

    assert (start.state.blocked_reason, start.state.errors) == (None, ())
    assert start.loaded.settings.log_level is LogLevel.DEBUG


async def test_a_blocked_revision_stays_blocked_however_often_it_is_started(folder: Path) -> None:
    store = await store_with(DEBUG, WARN, attempted=2, ready=1)
    for _ in range(2):
        start = await choose(folder, store)
        agent = agent_of(start, store)
        await agent.save_ready()
        assert agent.status().blocked_reason == "start_failed"
        assert agent.status().applied_revision == 1
        assert start.loaded.settings.log_level is LogLevel.DEBUG
