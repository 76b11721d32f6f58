"""Audit records and peers of a project: asked of its process, else read from its file (D57)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from trust_runtime.adapters.control_socket import NobodyAnswers, ask
from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.adapters.pki.exchanging import shown_bundles
from trust_runtime.adapters.pki.identity import load_identity
from trust_runtime.adapters.pki.identity_state import read_state
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.pin_file import read_pin
from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.adapters.system.clock import SystemClock
from trust_runtime.adapters.system.entropy import SystemEntropy
from trust_runtime.app.projects import STATE_FILE, not_running, require_project, start_command
from trust_runtime.app.settings import load_runtime_settings
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.audit import (
    AuditDraft,
    AuditFilter,
    AuditRecord,
    ChainReport,
    Outcome,
    Phase,
    Verdict,
)
from trust_runtime.contracts.codec import convert, digest
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.policy import Profile, Role
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.results import ControlReply
from trust_runtime.contracts.settings import Settings
from trust_runtime.contracts.sight import Matrix
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.contracts.witness import FleetAudit
from trust_runtime.core.trust import judge_own

T = TypeVar("T")

_TIMEOUT_S: Final = 10.0
_VERIFY_TIMEOUT_S: Final = 600.0


class ProjectControl:
    """Sends control requests to the running process of one project."""

    def __init__(self, folder: Path) -> None:
        self._folder = require_project(folder)
        self._socket = Path(load_runtime_settings(self._folder).control_socket)

    def request(
        self, verb: str, params: dict[str, Any], *, timeout_s: float, auth: str | None = None
    ) -> ControlReply:
        """Return the reply to one verb; a refusal is a reply too.

        Raises:
            StartRefused: no process runs here, or it did not answer in time (exit code 13).
        """
        try:
            call = ControlCall(id=1, type=verb, params=params, auth=auth)
            return ask(self._socket, call, timeout_s)
        except NobodyAnswers:
            raise not_running(self._folder) from None


class ProjectRecords:
    """Reads one project; opens its file only while it holds the project's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = require_project(folder)
        self.settings: Settings = load_runtime_settings(self._folder)

    def list(self, wanted: AuditFilter) -> tuple[AuditRecord, ...]:
        """Return matching records, newest first."""
        params = {
            "request_id": wanted.request_id,
            "actor": wanted.actor,
            "runtime": wanted.runtime,
            "limit": wanted.limit,
            "cursor": wanted.before_seq,
        }
        answer = self._ask("audit.list", {k: v for k, v in params.items() if v is not None})
        if answer is not None:
            return tuple(convert(item, AuditRecord) for item in answer["items"])
        return self._offline(lambda store: store.audit.list(wanted))

    def find(self, audit_id: str) -> tuple[dict[str, Any], ...]:
        """Return the records of one audit id; empty when unknown here."""
        answer = self._ask("audit.get", {"audit_id": audit_id})
        if answer is not None:
            return tuple(answer["records"])
        records = self._offline(lambda store: store.audit.find(audit_id))
        own = self.settings.runtime_id
        return tuple({"held_by": own, **msgspec.to_builtins(record)} for record in records)

    def verify(self) -> ChainReport:
        """Recompute the chain and check the file under it."""
        self._require_awake()
        answer = self._ask("audit.verify", {}, timeout_s=_VERIFY_TIMEOUT_S)
        if answer is not None:
            return convert(answer, ChainReport)
        report: ChainReport = self._offline(lambda store: store.audit.verify())
        return msgspec.structs.replace(report, runtime_id=self.settings.runtime_id)

    def verify_fleet(self) -> FleetAudit:
        """Have the running process compare every runtime's log with the heads others hold.

        Raises:
            StartRefused: no process runs here.
        """
        self._require_awake()
        return convert(self._ask_running("audit.fleet", timeout_s=_VERIFY_TIMEOUT_S), FleetAudit)

    def accept_log(self, runtime_id: RuntimeId) -> bool:
        """Take a runtime's present log as the true one; return whether it was contradicted.

        Raises:
            StartRefused: no process runs here.
        """
        answer = self._ask_running("audit.accept", {"runtime_id": runtime_id})
        return bool(answer["accepted"])

    def matrix(self) -> Matrix:
        """Return who sees whom, as the running process knows it.

        Raises:
            StartRefused: no process runs here.
        """
        return convert(self._ask_running("fleet.matrix"), Matrix)

    def identity(self) -> dict[str, Any]:
        """Return own SPIFFE id, fingerprint, pin and dates, and what is known of peers."""
        identity = load_identity(self._folder)
        own = self.settings.runtime_id
        shown: dict[str, Any] = {"runtime_id": own, "spiffe_id": spiffe_id(own)}
        if identity is not None:
            shown |= {
                "fingerprint": identity.fingerprint,
                "pin": identity.pin,
                "not_before_s": identity.not_before_s,
                "not_after_s": identity.not_after_s,
            }
        bundles, notes = shown_bundles(self._layout(), self.settings.site)
        shown |= {"bundles": [msgspec.to_builtins(one) for one in bundles], "notes": [*notes]}
        unfit = self._unfit()
        if unfit is not None:
            shown |= {"unfit": unfit}
        answer = self._ask("peers.list", {})
        if answer is not None:
            return {**shown, "peers": answer["items"]}
        if not (self._folder / ".trust" / STATE_FILE).exists():
            return {**shown, "peers": []}
        records = self._offline(lambda store: store.peers.load())
        return {**shown, "peers": [_kept(record) for record in records]}

    def _unfit(self) -> str | None:
        """Return why the identity is unfit for `plant` and `wan`; None: it is fit, or only `dev`.

        A project in `dev` is asked too when a CA certified it.
        """
        layout = self._layout()
        if self.settings.profile is Profile.DEV and not layout.own_bundle.exists():
            return None
        state = read_state(layout, self.settings.runtime_id)
        found = judge_own(state.facts(), now_s=SystemClock().wall_ns() // NS_PER_S)
        return None if found is None else found.detail

    def _layout(self) -> IdentityLayout:
        return IdentityLayout(folder=self._folder, tls=self.settings.tls)

    def pin(self, runtime_id: RuntimeId, file: Path | None) -> str | None:
        """Replace the pin of one runtime by the key in `file`, or remove it (None).

        Returns the new pin. The change is audited.
        """
        pin = None if file is None else read_pin(file, runtime=runtime_id)
        if self._ask("peers.pin", {"runtime_id": runtime_id, "pin": pin}) is None:
            self._offline(lambda store: self._pin(store, runtime_id, pin), write=True)
        return pin

    async def _pin(self, store: SqliteStore, runtime_id: RuntimeId, pin: str | None) -> None:
        known = {record.runtime_id: record for record in await store.peers.load()}
        record = known.get(runtime_id, PeerRecord(runtime_id=runtime_id))
        own = self.settings.runtime_id
        await store.audit.append(
            [
                AuditDraft(
                    audit_id=f"audit-{SystemEntropy(SystemClock()).uuid7()}",
                    phase=Phase.SINGLE,
                    timestamp_ns=SystemClock().wall_ns(),
                    origin=own,
                    target=own,
                    actor="local://admin",
                    identity="local://admin",
                    role=Role.ADMIN,
                    action_type="trust.changed",
                    request_id="trust.changed",
                    decision=Verdict.ALLOWED,
                    outcome=Outcome.EXECUTED,
                    payload_digest=digest({"runtime_id": runtime_id, "pin": pin}),
                )
            ]
        )
        await store.peers.save([msgspec.structs.replace(record, pin=pin, trust_reason=None)], [])

    def _ask(
        self, verb: str, params: dict[str, Any], *, timeout_s: float = _TIMEOUT_S
    ) -> Any | None:
        """Return the running process's result, or None when no process runs."""
        call = ControlCall(id=1, type=verb, params=params)
        try:
            reply = ask(Path(self.settings.control_socket), call, timeout_s)
        except NobodyAnswers:
            return None
        if not reply.ok:
            raise StartRefused(reply.error or "refused", reply.remedy or "see the log")
        return reply.result

    def _ask_running(
        self, verb: str, params: dict[str, Any] | None = None, *, timeout_s: float = _TIMEOUT_S
    ) -> Any:
        answer = self._ask(verb, params or {}, timeout_s=timeout_s)
        if answer is None:
            raise not_running(self._folder)
        return answer

    def _require_awake(self) -> None:
        """Tell that the process is frozen before a question that may take minutes."""
        with suppress(NobodyAnswers):
            ask(Path(self.settings.control_socket), ControlCall(id=1, type="health"), _TIMEOUT_S)

    def _offline(self, read: Callable[[SqliteStore], Awaitable[T]], *, write: bool = False) -> T:
        path = self._folder / ".trust" / STATE_FILE
        if not path.exists():
            raise StartRefused(
                f"{path} does not exist",
                f"start the runtime once: {start_command(self._folder)}",
                ExitCode.CONFIG,
            )

        async def work() -> T:
            store = await open_store(path, read_only=not write)
            try:
                return await read(store)
            finally:
                await store.close()

        with hold_lock(self._folder):
            return asyncio.run(work())


def _kept(record: PeerRecord) -> dict[str, Any]:
    return {
        "runtime_id": record.runtime_id,
        "pin": record.pin,
        "trust_reason": record.trust_reason,
        "last_seen_ns": record.last_seen_ns,
    }
