"""The one writer of this runtime's configuration (contract 11): stores, applies, reads back."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from trust_runtime.contracts.audit import AuditDraft
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.config import (
    BootRecord,
    ConfigMeta,
    ConfigRevision,
    ConfigState,
    ConfigStatus,
    ConfigView,
    KeyEffect,
)
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ledger import LedgerEntry
from trust_runtime.contracts.units import API_VERSION, MS_PER_S
from trust_runtime.core.config.change import Change, Prepared, Present, Refusal, prepare
from trust_runtime.core.config.effective import effective_values, settings_of
from trust_runtime.core.config.keys import KEYS, spec_of_key
from trust_runtime.core.config.merge import document_etag, redact
from trust_runtime.core.config.state import ConfigFactsNow, decide_status, describe, drift
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.ports.store import ConfigStore
from trust_runtime.services.audit import Audit
from trust_runtime.services.live_parts import LiveParts
from trust_runtime.services.running import Running

_RETRY_S_MAX: Final = 60
_LOOK_S: Final = 1


class StartState(Struct, frozen=True, kw_only=True):
    """What wiring found about the configuration at the start of the process."""

    newest: ConfigRevision | None
    """Newest stored revision."""

    started: ConfigRevision | None
    """The revision whose document is in force since the start."""

    boot: BootRecord
    """Which revisions were started with before."""

    blocked_reason: str | None = None
    """Why `started` is not `newest`."""

    errors: tuple[str, ...] = ()
    """The error of the start that failed."""


class ConfigAgent:
    """Owns the documents; entrances prepare and commit under its lock, a loop applies."""

    def __init__(
        self,
        *,
        running: Running,
        store: ConfigStore,
        audit: Audit,
        parts: LiveParts,
        clock: Clock,
        log: Log,
        start: StartState,
    ) -> None:
        self._running = running
        self._store = store
        self._audit = audit
        self._parts = parts
        self._clock = clock
        self._log = log
        self._start = start
        self._newest = start.newest
        self._blocked_reason = start.blocked_reason
        self._errors = start.errors
        self._wanted = effective_values(running.file_values, self.document)
        started = start.started
        self._effective = effective_values(
            running.file_values, {} if started is None else started.document
        )
        self._applied_revision = 0 if started is None else started.revision
        self._applied_etag = (
            document_etag({}, {})
            if started is None
            else document_etag(started.document, started.secret_revisions)
        )
        self._created_at_ns = clock.wall_ns()
        self._apply_due = asyncio.Event()
        self._applied = asyncio.Event()
        self.lock = asyncio.Lock()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def document(self) -> Mapping[str, Any]:
        """The newest desired document, secrets included; stays in this process."""
        return {} if self._newest is None else self._newest.document

    @property
    def present(self) -> Present:
        """What a change meets at this moment."""
        return Present(newest=self._newest, file_values=self._running.file_values)

    def status(self) -> ConfigStatus:
        """Return how far the newest revision is in force."""
        return decide_status(self._facts())

    def meta(self) -> ConfigMeta:
        """Return revisions and fingerprints."""
        return describe(self._facts())

    def report(self) -> tuple[ConfigMeta, ConfigStatus]:
        """Return both, of one reading of the running parts."""
        facts = self._facts()
        status = decide_status(facts)
        return describe(facts, status=status), status

    def documents(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return desired and reported document, secrets redacted."""
        return redact(self.document), redact(self._reported())

    async def view(self) -> ConfigView:
        """Return everything `GET config` shows; changes nothing."""
        desired, reported = self.documents()
        shown = {k: v for k, v in sorted(self._in_force().items()) if v is not None}
        return ConfigView(
            api_version=API_VERSION,
            runtime_id=self._running.settings.runtime_id,
            desired=desired,
            reported=reported,
            effective=redact(shown),
            sources={key: self._source(key) for key in shown},
            meta=self.meta(),
            status=self.status(),
        )

    def prepare(self, change: Change) -> Prepared | Refusal:
        """Check a change against the present documents; call and commit under `lock`."""
        return prepare(change, self.present, now_ns=self._clock.wall_ns())

    async def commit(
        self, prepared: Prepared, *, drafts: Sequence[AuditDraft], entry: LedgerEntry | None
    ) -> None:
        """Make a prepared change durable with its records, and have it applied.

        Raises:
            StoreFailed: nothing was kept.
        """
        records = await self._store.commit(prepared.revision, drafts=drafts, entry=entry)
        self._audit.tell(records)
        if prepared.revision is not None:
            self._newest = prepared.revision
            self._wanted = effective_values(self._running.file_values, self.document)
            self._blocked_reason = None
            self._errors = ()
            self._applied.clear()
            self._apply_due.set()
            self.on_change()

    async def wait_applied(self, timeout_ms: int) -> None:
        """Wait until the newest revision was applied once, at most that long."""
        if not self._apply_due.is_set() or timeout_ms <= 0:
            return
        try:
            async with asyncio.timeout(timeout_ms / MS_PER_S):
                await self._applied.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Apply whatever is due, until cancelled; what fails is tried again, ever more rarely.

        Once a second the running parts are looked at: one that no longer runs with what was
        applied is an error, told at once, and is set again like any other.
        """
        pause_s = 1
        while True:
            if await self._is_due_within(pause_s if self._errors else _LOOK_S):
                pause_s = 1
            elif self._errors:
                pause_s = min(2 * pause_s, _RETRY_S_MAX)
            else:
                pause_s = 1
                self._look()
                await self._note_reached()
                continue
            if self._blocked_reason is None:
                self._apply()
            self._apply_due.clear()
            self._applied.set()
            self.on_change()
            await self._note_reached()

    async def _is_due_within(self, pause_s: int) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                await self._apply_due.wait()
        except TimeoutError:
            return False
        return True

    def _look(self) -> None:
        """Notice parts that changed under us."""
        drifted = drift(self._facts()) if self._blocked_reason is None else ()
        if drifted:
            self._errors = drifted
            self._log.warn("config_drift", "; ".join(drifted))
            self.on_change()

    async def _note_reached(self) -> None:
        """Remember when the newest revision was first fully in force."""
        newest = self._newest
        if newest is None or newest.reached_at_ns is not None:
            return
        if self.status().state is not ConfigState.IN_SYNC:
            return
        at_ns = self._clock.wall_ns()
        try:
            await self._store.reached(newest.revision, at_ns)
        except StoreFailed:
            return  # The next look tries again.
        if self._newest is newest:
            self._newest = structs.replace(newest, reached_at_ns=at_ns)

    async def save_ready(self) -> None:
        """Remember that the revision this process started with reached readiness."""
        started = self._start.started
        if started is None:
            return  # The file alone says nothing about the revisions tried before.
        boot = msgspec.structs.replace(self._start.boot, ready_revision=started.revision)
        await self._store.save_boot(boot)

    def _facts(self) -> ConfigFactsNow:
        return ConfigFactsNow(
            newest=self._newest,
            wanted=self._wanted,
            in_force=self._in_force(),
            applied_revision=self._applied_revision,
            applied_etag=self._applied_etag,
            errors=self._errors,
            blocked_reason=self._blocked_reason,
            created_at_ns=self._created_at_ns,
        )

    def _in_force(self) -> dict[str, Any]:
        """Return every config key with its running value; live ones as their parts say."""
        return {**self._effective, **self._parts.read_back()}

    def _reported(self) -> dict[str, Any]:
        in_force = self._in_force()
        return {k: in_force[k] for k in self.document if in_force.get(k) is not None}

    def _source(self, key: str) -> str:
        started = self._start.started
        spec = spec_of_key(key)
        live = spec is not None and spec.effect is KeyEffect.LIVE
        document = self.document if live else ({} if started is None else started.document)
        if key in document:
            return "desired"
        in_file = spec is not None and spec.path in self._running.file_values
        return "file" if in_file else "default"

    def _apply(self) -> None:
        """Hand the live keys of the newest revision to their parts and read them back."""
        number = 0 if self._newest is None else self._newest.revision
        in_force = dict(self._effective)
        for spec in KEYS:
            if spec.effect is KeyEffect.LIVE:
                in_force[spec.key] = self._wanted.get(spec.key)
        settings = settings_of(in_force)
        if settings is None:
            self._errors = ("the live keys do not fit the settings in force; restart",)
            return
        self._errors = self._parts.apply(settings)
        if not self._errors:
            self._running.settings = settings
            self._effective = in_force
        status = self.status()
        if status.state is ConfigState.IN_SYNC:
            self._applied_revision = number
            self._applied_etag = self.meta().desired_etag
        self._log.info(
            "config_applied",
            f"revision {number} is {status.state}",
            revision=number,
            state=status.state,
            restart_required=to_plain(status.restart_required or ()),
            errors=to_plain(status.errors),
        )
