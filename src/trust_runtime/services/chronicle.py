"""Turns what changes anywhere in this process into events of the timeline and of the stream."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from trust_runtime.contracts.audit import AuditDraft, AuditRecord, Outcome, Phase, Verdict
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.fleet import Topology
from trust_runtime.contracts.identity import IdentityChange
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.sight import Sight
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.sight import describe_sight
from trust_runtime.core.timeline import happenings
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.peer import Peer
from trust_runtime.services.stream import Stream
from trust_runtime.services.timeline import Timeline

_STALL_MS_TOLD: Final = 1_000
_UNRECORDED_MAX: Final = 256
_RETRY_S: Final = 1.0
_WRITES: Final = frozenset(
    {
        *("cfg_apply", "cmd_invoke", "config.write", "config.rollback"),
        *("io.write", "link.set", "link.delete"),
    }
)
_TOLD_SIGHTS: Final = {
    Sight.DEAD: Severity.WARNING,
    Sight.FROZEN: Severity.WARNING,
    Sight.CUT: Severity.WARNING,
    Sight.ONE_WAY: Severity.WARNING,
    Sight.UNLINKED: Severity.INFO,
}


class Chronicle:
    """Listens to services; decides nothing, and never makes them wait."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        timeline: Timeline,
        stream: Stream,
        audit: Audit,
        config: ConfigAgent,
    ) -> None:
        self._own = own
        self._timeline = timeline
        self._stream = stream
        self._audit = audit
        self._config = config
        self._unrecorded: deque[AuditDraft] = deque(maxlen=_UNRECORDED_MAX)
        self._due = asyncio.Event()
        self._config_told: Any = None

    async def run(self) -> None:
        """Record changes of trust, until cancelled; a failed store is tried again."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._unrecorded:
                draft = self._unrecorded[0]
                try:
                    await self._audit.append([draft])
                except StoreFailed:
                    await asyncio.sleep(_RETRY_S)
                    continue
                # While it was written, newer ones may have pushed it out of the full queue.
                if self._unrecorded[0] is draft:
                    self._unrecorded.popleft()

    def state_changed(self, before: Topology, after: Topology) -> None:
        """Tell every transition between two states."""
        for one in happenings(self._own, before, after):
            self._timeline.tell(
                one.category, one.severity, one.summary, about=one.about, data=one.data
            )
            if one.category is Category.SECURITY:
                self._record("trust.changed", {"about": one.about, **one.data})

    def sight_changed(self, peer: Peer, sight: Sight) -> None:
        """Tell why a peer is not heard, once it is known."""
        severity = _TOLD_SIGHTS.get(sight)
        if severity is not None:
            about = peer.record.runtime_id
            self._timeline.tell(
                Category.COMMUNICATION,
                severity,
                f"{about} is not heard: {describe_sight(sight)}"
                if sight is not Sight.ONE_WAY
                else f"{about}: {describe_sight(sight)}",
                about=about,
                data={"sight": sight},
            )

    def stalled(self, length_ns: int) -> None:
        """Tell that this process itself stood still."""
        length_ms = length_ns // NS_PER_MS
        if length_ms >= _STALL_MS_TOLD:
            self._timeline.tell(
                Category.COMMUNICATION,
                Severity.WARNING,
                f"{self._own} stood still for {length_ms} ms",
                data={"stalled_ms": length_ms},
            )

    def contradicted(self, runtime_id: RuntimeId, text: str) -> None:
        """Tell that an audit log was cut or rewritten."""
        self._timeline.tell(
            Category.SECURITY,
            Severity.CRITICAL,
            f"{runtime_id}: {text}",
            about=runtime_id,
            data={"audit_head": "contradicted"},
        )

    def identity_changed(self, change: IdentityChange) -> None:
        """Tell and record that the own certificate, or whom this runtime trusts, changed."""
        if not (change.own or change.trust):
            return
        parts = [
            *(["its certificate"] if change.own else []),
            *(f"trust in {s}" for s in change.trust),
        ]
        detail = {"own": change.own, "sites": list(change.trust)}
        self._timeline.tell(
            Category.SECURITY,
            Severity.WARNING,
            f"{self._own} took up other certificates: {', '.join(parts)}",
            data=detail,
        )
        self._record("identity.changed", detail)

    def certificate_ends(self, days: int) -> None:
        """Tell, once a day, that the own certificate ends soon or has ended."""
        self._timeline.tell(
            Category.SECURITY,
            Severity.WARNING,
            f"the certificate of {self._own} "
            + (f"ends in {days} days" if days >= 0 else f"ended {-days} days ago"),
            data={"days_left": days},
        )

    def recorded(self, records: Sequence[AuditRecord]) -> None:
        """Stream every durable record; a denied write is an event too."""
        for record in records:
            self._stream.send("audit", record)
            if _is_denied_write(record):
                self._timeline.tell(
                    Category.AUDIT,
                    Severity.WARNING,
                    f"{record.action_type} to {record.target or 'nobody'} by {record.actor} denied:"
                    f" {record.denial_code}",
                    request_id=record.request_id,
                    audit_id=record.audit_id,
                    data={"denial_code": record.denial_code, "target": record.target},
                )

    def config_changed(self) -> None:
        """Stream the configuration's revisions and state when they differ from the last."""
        told = self._config.report()
        if told != self._config_told:
            self._config_told = told
            self._stream.send(
                "config", {"runtime_id": self._own, "meta": told[0], "status": told[1]}
            )

    def event_made(self, event: TimelineEvent) -> None:
        """Stream an event of the timeline."""
        self._stream.send("timeline", event)

    def _record(self, action_type: str, detail: dict[str, Any]) -> None:
        self._unrecorded.append(
            self._audit.local(action_type, outcome=Outcome.EXECUTED, detail=detail)
        )
        self._due.set()


def _is_denied_write(record: AuditRecord) -> bool:
    return (
        record.decision is Verdict.DENIED
        and record.phase is Phase.SINGLE
        and record.action_type in _WRITES
    )
