"""How often a process is built anew; what it does between start and stop is for system tests."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from signed_fleet import OWN
from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.logs import RuntimeLog
from trust_runtime.app import lifecycle
from trust_runtime.app.lifecycle import run_runtime
from trust_runtime.app.opening import RunOptions
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.settings import Settings


def open_log(settings: Settings) -> RuntimeLog:
    return RuntimeLog(runtime_id=settings.runtime_id, clock=SystemClock(), stream=None)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunOptions:
    create_project(tmp_path, ProjectTemplate(name=OWN))
    monkeypatch.setattr(lifecycle, "_BACK_OFF_S", (0.0, 0.0))
    return RunOptions(folder=tmp_path, open_log=open_log)


def ending(monkeypatch: pytest.MonkeyPatch, broken: Iterator[bool]) -> list[bool]:
    """Have each process end at once, its store broken or not; return how they ended."""
    ended: list[bool] = []

    async def run(process: lifecycle.Process) -> None:
        process.restart_from_disk = next(broken)
        ended.append(process.restart_from_disk)

    monkeypatch.setattr(lifecycle.Process, "run", run)
    return ended


def test_what_the_start_made_is_searched_for_garbage_once_and_then_left_alone() -> None:
    ring: list[object] = []
    ring.append(ring)
    gone = weakref.finalize(made := type("Made", (), {"ring": ring}), lambda: None)
    del made
    try:
        lifecycle._settle_memory()
        assert not gone.alive
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_process_that_was_told_to_stop_ends(
    options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ending(monkeypatch, iter([False]))
    assert run_runtime(options) is ExitCode.OK
    assert ended == [False]


def test_after_a_broken_store_it_is_built_anew_from_disk(
    options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ending(monkeypatch, iter([True, True, False]))
    assert run_runtime(options) is ExitCode.OK
    assert ended == [True, True, False]


def test_a_store_that_breaks_ever_again_ends_it_with_an_error(
    options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ending(monkeypatch, iter([True] * 100))
    assert run_runtime(options) is ExitCode.ERROR
    assert len(ended) == 10


def test_two_processes_do_not_run_on_one_project(
    options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ending(monkeypatch, iter([False]))
    with hold_lock(options.folder), pytest.raises(StartRefused):
        run_runtime(options)
    assert ended == []
