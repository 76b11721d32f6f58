"""Link preferences: decided, kept, merged with the configuration, laid over edges (14.1)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.audit import AuditDraft, AuditRecord, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import RuntimeId, site_of
from trust_runtime.contracts.links import (
    LinkAnswer,
    LinkEntry,
    LinkOrigin,
    LinkPreference,
    Transport,
    TransportWrite,
)
from trust_runtime.contracts.policy import Caller
from trust_runtime.core.links import (
    LinkFacts,
    judge_link,
    judge_removal,
    merge_links,
    shown_edges,
    warnings_about,
)
from trust_runtime.core.policy.contract import is_actor
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.links import LinkStore
from trust_runtime.services.audit import Audit
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.store_health import StoreHealth

SET: Final = "link.set"
DELETE: Final = "link.delete"


class Links:
    """Owns the preferences of this runtime.

    `on_change` is called when what is shown changes, `on_unfit` with a realtime preference whose
    target has told that it runs on another host, once until that changes.
    """

    def __init__(
        self,
        *,
        own: RuntimeId,
        host_key: str,
        running: Running,
        peers: Peers,
        audit: Audit,
        store: LinkStore,
        health: StoreHealth,
        clock: Clock,
    ) -> None:
        self._own = own
        self._host_key = host_key
        self._running = running
        self._peers = peers
        self._audit = audit
        self._store = store
        self._health = health
        self._clock = clock
        self._lock = asyncio.Lock()
        self._stored: dict[tuple[str, str], LinkPreference] = {}
        self._entries: Mapping[LinkEntry, int] = {}
        self._merged: tuple[LinkPreference, ...] = ()
        self._by_target: dict[str, Transport] = {}
        self._unfit: set[str] = set()
        self.on_change: Callable[[], None] = lambda: None
        self.on_unfit: Callable[[LinkPreference], None] = lambda _preference: None
        self._merge()

    def load(self, stored: Iterable[LinkPreference]) -> None:
        """Take the kept preferences at the start of the process."""
        self._stored = {(one.source, one.target): one for one in stored}
        self._merge()

    def list(self) -> tuple[LinkPreference, ...]:
        """Return the preferences in force, ascending by source and target."""
        self.look()
        return self._merged

    def look(self) -> None:
        """See whether configuration or hosts have changed; cheap, and called often."""
        if tuple(self._entries) != self._running.settings.links:
            self._merge()
            self.on_change()
        for one in self._merged:
            if one.transport is not Transport.REALTIME:
                self._unfit.discard(one.target)
                continue
            moved = self._host_of(one.target) not in (None, self._host_key)
            if moved and one.target not in self._unfit:
                self._unfit.add(one.target)
                self.on_unfit(one)
            elif not moved:
                self._unfit.discard(one.target)

    def show(self, edge: Edge) -> tuple[Edge, ...]:
        """Return how a link measured here is shown."""
        transport = self._by_target.get(edge.target)
        same_host = self._host_of(edge.target) == self._host_key
        return shown_edges(edge, transport, same_host=same_host)

    async def set(self, write: TransportWrite, caller: Caller) -> LinkAnswer:
        """Store a preference, or return why not; every decision is recorded before the answer.

        Raises:
            StoreFailed: nothing was kept.
        """
        detail = {"source": write.source, "target": write.target, "transport": write.transport}
        async with self._lock:
            facts = self._facts()
            judged = judge_link(write, caller, facts)
            draft = self._draft(SET, write.actor, caller, detail=detail)
            if isinstance(judged, Denial):
                return await self._refuse(draft, judged)
            preference = LinkPreference(
                source=self._own,
                target=judged.target,
                transport=judged.transport,
                actor=write.actor,
                updated_at_ns=self._clock.wall_ns(),
                origin=LinkOrigin.API,
            )
            await self._commit(self._store.keep(preference, _effect(draft, judged.target)))
            self._stored[preference.source, preference.target] = preference
        self._merge()
        self.on_change()
        warnings = warnings_about(judged, facts)
        return LinkAnswer(preference=preference, audit_id=draft.audit_id, warnings=warnings)

    async def remove(self, source: str, target: str, caller: Caller) -> LinkAnswer:
        """Forget a preference, or return why not; every decision is recorded before the answer.

        Raises:
            StoreFailed: nothing was changed.
        """
        detail = {"source": source, "target": target}
        async with self._lock:
            judged = judge_removal(source, target, self._facts(), present=self.list())
            draft = self._draft(DELETE, caller.identity, caller, detail=detail)
            if isinstance(judged, Denial):
                return await self._refuse(draft, judged)
            drafts = _effect(draft, judged.target)
            await self._commit(self._store.drop(judged.source, judged.target, drafts))
            del self._stored[judged.source, judged.target]
        self._merge()
        self.on_change()
        return LinkAnswer(preference=judged, audit_id=draft.audit_id)

    def _merge(self) -> None:
        now_ns, before = self._clock.wall_ns(), self._entries
        self._entries = {entry: before.get(entry, now_ns) for entry in self._running.settings.links}
        self._merged = merge_links(self._own, self._stored.values(), self._entries)
        self._by_target = {one.target: one.transport for one in self._merged}

    def _host_of(self, target: str) -> str | None:
        peer = self._peers.get(RuntimeId(target))
        return None if peer is None or peer.record.status is None else peer.record.status.host_key

    def _facts(self) -> LinkFacts:
        return LinkFacts(
            own=self._own,
            site=site_of(self._own),
            own_host=self._host_key,
            hosts={
                peer.record.runtime_id: self._host_of(peer.record.runtime_id)
                for peer in self._peers
            },
            own_trust_reason=self._peers.own_trust_reason,
            stored=[target for _, target in self._stored],
        )

    async def _commit(self, work: Awaitable[Sequence[AuditRecord]]) -> None:
        try:
            records = await work
        except StoreFailed as error:
            self._health.failed(error)
            raise
        self._audit.tell(records)

    async def _refuse(self, draft: AuditDraft, denial: Denial) -> LinkAnswer:
        denied = structs.replace(
            draft, decision=Verdict.DENIED, denial_code=denial.code, outcome=Outcome.DENIED
        )
        await self._audit.append([denied])
        return LinkAnswer(denial=denial, audit_id=draft.audit_id)

    def _draft(
        self, action_type: str, actor: str, caller: Caller, *, detail: dict[str, Any]
    ) -> AuditDraft:
        audit_id = self._audit.new_id()
        return AuditDraft(
            audit_id=audit_id,
            phase=Phase.SINGLE,
            timestamp_ns=self._clock.wall_ns(),
            origin=self._own,
            target=self._own,
            actor=actor if is_actor(actor) else "unknown",
            identity=caller.identity,
            role=caller.role,
            action_type=action_type,
            request_id=audit_id,
            decision=Verdict.ALLOWED,
            payload_digest=digest(detail),
        )


def _effect(draft: AuditDraft, target: str) -> tuple[AuditDraft, AuditDraft]:
    """Return the records of a change that is decided and made in one commit."""
    named = structs.replace(draft, target=target)
    return (
        structs.replace(named, phase=Phase.DECISION),
        structs.replace(named, phase=Phase.OUTCOME, outcome=Outcome.EXECUTED),
    )
