"""Which desired revision a process starts with (contract 11.5)."""

from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from trust_runtime.app.settings import LoadedSettings, load_settings
from trust_runtime.contracts.config import BootRecord, ConfigRevision
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.ports.store import ConfigStore
from trust_runtime.services.config_agent import StartState


class Start(Struct, frozen=True, kw_only=True):
    """Settings of this start, and how they came about."""

    loaded: LoadedSettings
    """File and overlay together."""

    state: StartState
    """What the configuration agent needs to know of it."""


async def choose_start(folder: Path, store: ConfigStore, *, ignore_desired: bool) -> Start:
    """Return the settings to start with: the newest revision, or the last that became ready.

    The choice is durable before it is tried, so that a start that never gets ready is noticed.

    Raises:
        StartRefused: the file alone is not valid.
        StoreFailed: the store cannot say or keep it.
    """
    newest, boot = await store.newest(), await store.boot()
    if newest is None or ignore_desired:
        blocked = "desired_ignored" if newest is not None else None
        return _start(_Kept(folder=folder, newest=newest, boot=boot), None, blocked=blocked)
    kept = _Kept(folder=folder, newest=newest, boot=boot)
    failed_before = boot.attempted_revision == newest.revision > boot.ready_revision
    if failed_before:
        error = f"the last start with revision {newest.revision} did not become ready"
        return await _fall_back(kept, store, error)
    try:
        load_settings(folder, newest.document)
    except StartRefused as refused:
        load_settings(folder, {})
        return await _fall_back(kept, store, refused.reason)
    boot = structs.replace(boot, attempted_revision=newest.revision)
    await store.save_boot(boot)
    return _start(structs.replace(kept, boot=boot), newest)


class _Kept(Struct, frozen=True, kw_only=True):
    """What the store keeps about earlier starts, and where."""

    folder: Path
    newest: ConfigRevision | None
    boot: BootRecord


async def _fall_back(kept: _Kept, store: ConfigStore, error: str) -> Start:
    number = kept.boot.ready_revision
    ready = await store.revision(number) if number else None
    if ready is not None:
        try:
            return _start(kept, ready, blocked="start_failed", error=error)
        except StartRefused:
            ready = None
    return _start(kept, None, blocked="start_failed", error=error)


def _start(
    kept: _Kept,
    started: ConfigRevision | None,
    *,
    blocked: str | None = None,
    error: str | None = None,
) -> Start:
    document: dict[str, Any] = {} if started is None else started.document
    return Start(
        loaded=load_settings(kept.folder, document),
        state=StartState(
            newest=kept.newest,
            started=started,
            boot=kept.boot,
            blocked_reason=blocked,
            errors=() if error is None else (error,),
        ),
    )
