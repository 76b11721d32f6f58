"""Keeps the audit heads of others, countersigns them, and tells when one contradicts (B4, 10.2).

A head comes in every signed beacon. The newest is kept durably, and told again in the own signed
view: so every runtime's log is witnessed by all others, and a log that was cut or rewritten while
its process was down contradicts them at its first beacon.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    AuditFilter,
    ChainHead,
    Outcome,
    WitnessedHead,
)
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.envelope import ActionClaims, MeshMessage
from trust_runtime.contracts.errors import ContractViolation, StoreFailed, TokenInvalid
from trust_runtime.contracts.ids import BootId, RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import audit_key
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import View
from trust_runtime.contracts.units import CLOCK_SKEW_MS_MAX, MS_PER_S, NS_PER_MS, NS_PER_S
from trust_runtime.contracts.witness import FleetAudit, HashAt, HeldHeads, Unasked, WitnessQuestion
from trust_runtime.core.witness import (
    compare_fleet,
    confirm,
    contradiction,
    heads_of,
    needs_lookup,
)
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.heads import HeadStore
from trust_runtime.ports.log import Log
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.audit import Audit
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers
from trust_runtime.services.signing import Signing, body_digest
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.witness_asking import WitnessAsking

ASKED_WAITING_MAX: Final = 16
_KEEP_S: Final = 1.0
_ASK_AGAIN_S: Final = 5.0
_CONFIRMED_AT_ONCE: Final = 16
_LOOKED_UP_AT_ONCE: Final = 16
_TO_CONFIRM_MAX: Final = 8
"""Heads of one runtime that wait for its answer; the first and the newest ones stay."""


class Witness:
    """One runtime's memory of all others' audit logs.

    A head is held once it is known to continue the one held before. After a restart only the
    owner's answer tells that; until it comes the older head is held, also across restarts.
    `on_contradiction` is called once with the runtime and what contradicts.
    """

    def __init__(  # noqa: PLR0913 - one port or service each
        self,
        *,
        own: RuntimeId,
        peers: Peers,
        signing: Signing,
        mesh: Mesh,
        audit: Audit,
        store: HeadStore,
        health: StoreHealth,
        clock: Clock,
        entropy: Entropy,
        log: Log,
    ) -> None:
        self._own = own
        self._peers = peers
        self._signing = signing
        self._audit = audit
        self._store = store
        self._health = health
        self._clock = clock
        self._asking = WitnessAsking(
            own=own, peers=peers, signing=signing, mesh=mesh, clock=clock, entropy=entropy
        )
        self._log = log
        self._heads: dict[RuntimeId, WitnessedHead] = {}
        self._boots: dict[RuntimeId, BootId] = {}
        self._unkept: set[RuntimeId] = set()
        self._newest: dict[RuntimeId, ChainHead] = {}
        """The head told last, of whoever has heads in `_to_confirm`."""
        self._to_confirm: dict[RuntimeId, list[ChainHead]] = {}
        self._told: set[RuntimeId] = set()
        self._due = asyncio.Event()
        self.on_contradiction: Callable[[RuntimeId, str], None] = lambda _id, _text: None
        mesh.serve(audit_key(own), self.answer, waiting_max=ASKED_WAITING_MAX)

    def load(self, heads: tuple[WitnessedHead, ...]) -> None:
        """Take the kept heads at the start of the process."""
        self._heads = {RuntimeId(one.runtime_id): one for one in heads}
        self._told = set(self.contradicted())

    def head_of(self, runtime_id: RuntimeId) -> ChainHead | None:
        """Return the newest head held of a runtime."""
        held = self._heads.get(runtime_id)
        return None if held is None else held.head

    def contradicted(self) -> dict[RuntimeId, str]:
        """Return every runtime whose log contradicts what is held of it, and why."""
        return {
            runtime_id: held.contradiction
            for runtime_id, held in sorted(self._heads.items())
            if held.contradiction is not None
        }

    def take_beacon(self, peer: Peer) -> None:
        """Compare the head in a peer's valid beacon with the one held."""
        runtime_id, status = peer.record.runtime_id, peer.record.status
        if status is None or peer.trust_reason is not None:
            return
        now, boot = status.audit_head, status.boot_id
        is_first = self._boots.get(runtime_id) != boot
        self._boots[runtime_id] = boot
        held = self._heads.get(runtime_id)
        if held is None:
            self._hold(runtime_id, now)
            return
        before = self._newest.get(runtime_id, held.head)
        found = contradiction(before, now)
        if found is not None:
            self._contradict(runtime_id, found)
            self._hold(runtime_id, now)
        elif is_first and now.seq > before.seq > 0:
            # It ran on while nobody looked: is what was told before still part of it?
            asked = self._to_confirm.setdefault(runtime_id, [])
            del asked[_TO_CONFIRM_MAX - 1 :]
            asked.append(before)
            self._newest[runtime_id] = now
            self._due.set()
        elif runtime_id in self._newest:
            self._newest[runtime_id] = now
        elif now != held.head:
            self._hold(runtime_id, now)

    def take_view(self, view: View) -> None:
        """Compare the own log with the head of it that another runtime has countersigned."""
        for line in view.peers:
            if line.target == self._own and line.head is not None:
                found = contradiction(line.head, self._audit.head())
                if found is not None:
                    self._contradict(self._own, f"{found}, says {view.observer}", line.head)

    async def run(self) -> None:
        """Keep new heads once a second and ask what must be confirmed, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ASK_AGAIN_S if self._to_confirm else None):
                    await self._due.wait()
            self._due.clear()
            try:
                await self.keep_now()
            except StoreFailed as error:
                self._health.failed(error)
                self._due.set()
            await self._confirm_some()
            await asyncio.sleep(_KEEP_S)

    async def keep_now(self) -> None:
        """Write every head that changed.

        Raises:
            StoreFailed: none was written; they stay due.
        """
        due = sorted(self._unkept)
        if not due:
            return
        heads = [self._heads[runtime_id] for runtime_id in due]
        await self._store.save(heads)
        self._unkept -= {
            RuntimeId(one.runtime_id)
            for one in heads
            if self._heads[RuntimeId(one.runtime_id)] is one
        }

    async def accept(self, runtime_id: RuntimeId, by: str) -> bool:
        """Take a runtime's present log as the true one: the operator's word, audited.

        Returns whether there was a contradiction.

        Raises:
            StoreFailed: the contradiction stands.
        """
        held = self._heads.get(runtime_id)
        if held is None or held.contradiction is None:
            return False
        draft = self._audit.local(
            "audit.accept",
            outcome=Outcome.EXECUTED,
            detail={"runtime_id": runtime_id, "contradiction": held.contradiction, "by": by},
        )
        await self._audit.append([draft])
        await self._store.save([structs.replace(self._heads[runtime_id], contradiction=None)])
        # A beacon may have come meanwhile; what it told is kept with the next ones.
        self._heads[runtime_id] = structs.replace(self._heads[runtime_id], contradiction=None)
        self._told.discard(runtime_id)
        self._unkept.add(runtime_id)
        self._due.set()
        return True

    async def answer(self, message: MeshMessage) -> MeshMessage | None:
        """Answer a signed question of a trusted runtime; anything else gets no answer."""
        try:
            signer, claims = self._signing.read_action(message)
            question = WitnessQuestion(claims.op)
        except (TokenInvalid, ValueError):
            return None
        if self._peers.admit(signer) is not None or not self._is_for_us_now(claims, message):
            return None
        try:
            content: Any
            if question is WitnessQuestion.HEADS:
                content = await self._held()
            else:
                asked = decode_json(message.body, HashAt)
                content = structs.replace(asked, hash=await self._hash_at(asked.seq))
        except (ContractViolation, StoreFailed):
            return None
        return self._signing.reply(claims, message.key, content)

    async def verify_fleet(self) -> FleetAudit:
        """Ask everybody who is online for heads and chain result, all at once, and compare (10.4).

        Raises:
            StoreFailed: the own chain cannot be read.
        """
        known = sorted(p.record.runtime_id for p in self._peers)
        asked = await asyncio.gather(*(self._asking.heads(runtime_id) for runtime_id in known))
        answers: dict[RuntimeId, HeldHeads | Unasked] = dict(zip(known, asked, strict=True))
        answers[self._own] = await self._held()
        slots = asyncio.Semaphore(_LOOKED_UP_AT_ONCE)
        lookups = []
        for owner, answer in answers.items():
            if not isinstance(answer, Unasked):
                newest = answer.report.head
                held = [head for _, head, _ in heads_of(owner, answers)]
                unsure = [head for head in dict.fromkeys(held) if needs_lookup(newest, head)]
                lookups.append(self._look_up(owner, unsure, slots))
        hashes: dict[ChainHead, bool] = {}
        for found in await asyncio.gather(*lookups):
            hashes |= found
        return compare_fleet(self._own, answers, hashes)

    async def _held(self) -> HeldHeads:
        held = tuple(self._heads[runtime_id] for runtime_id in sorted(self._heads))
        return HeldHeads(report=await self._audit.verify(), held=held)

    async def _hash_at(self, seq: int) -> str | None:
        if seq == 0:
            return EMPTY_CHAIN.hash
        if not 1 <= seq <= self._audit.head().seq:
            return None
        records = await self._audit.list(AuditFilter(limit=1, before_seq=seq + 1))
        return records[0].hash if records and records[0].seq == seq else None

    async def _confirm_some(self) -> None:
        """Ask for what must be confirmed; what is not answered stays, and is asked again."""
        here = [p.record.runtime_id for p in self._peers if p.lifecycle is Lifecycle.ONLINE]
        due = [runtime_id for runtime_id in self._to_confirm if runtime_id in here]
        for runtime_id in due[:_CONFIRMED_AT_ONCE]:
            # To the end: whoever never answers keeps nobody else waiting.
            self._to_confirm[runtime_id] = self._to_confirm.pop(runtime_id)
        await asyncio.gather(*(self._confirm(i) for i in due[:_CONFIRMED_AT_ONCE]))

    async def _confirm(self, runtime_id: RuntimeId) -> None:
        asked = self._to_confirm[runtime_id]
        while asked:
            before = asked[0]
            there = await self._asking.hash_at(runtime_id, before.seq)
            if there is None or self._to_confirm.get(runtime_id) is not asked:
                return
            found = confirm(before, there.hash)
            if found is not None:
                self._contradict(runtime_id, found)
                break
            asked.remove(before)
        self._hold(runtime_id, self._newest[runtime_id])

    def _contradict(self, runtime_id: RuntimeId, text: str, known: ChainHead = EMPTY_CHAIN) -> None:
        """Note and tell a contradiction, once until it is accepted.

        `known` is what the log should have; only of the own one nothing is held yet.
        """
        if runtime_id in self._told:
            return
        self._told.add(runtime_id)
        if runtime_id not in self._heads:
            self._hold(runtime_id, known)
        self._heads[runtime_id] = structs.replace(self._heads[runtime_id], contradiction=text)
        self._unkept.add(runtime_id)
        self._due.set()
        self._log.error("audit_contradicted", f"{runtime_id}: {text}", peer=runtime_id)
        self.on_contradiction(runtime_id, text)

    def _hold(self, runtime_id: RuntimeId, head: ChainHead) -> None:
        """Take a head as the one to compare with; nothing is left to confirm."""
        self._to_confirm.pop(runtime_id, None)
        self._newest.pop(runtime_id, None)
        held = self._heads.get(runtime_id)
        self._heads[runtime_id] = WitnessedHead(
            runtime_id=runtime_id,
            head=head,
            seen_at_ns=self._clock.wall_ns(),
            contradiction=None if held is None else held.contradiction,
        )
        self._unkept.add(runtime_id)
        self._due.set()

    def _is_for_us_now(self, claims: ActionClaims, message: MeshMessage) -> bool:
        now_ns = self._clock.wall_ns()
        apart_ms = abs(now_ns - claims.iat * NS_PER_S) // NS_PER_MS
        return (
            claims.aud == spiffe_id(self._own)
            and claims.digest == body_digest(message.body)
            and apart_ms < CLOCK_SKEW_MS_MAX + MS_PER_S
        )

    async def _look_up(
        self, owner: RuntimeId, heads: list[ChainHead], slots: asyncio.Semaphore
    ) -> dict[ChainHead, bool]:
        """Return of each head whether `owner` has it; one it does not answer for is missing."""
        found: dict[ChainHead, bool] = {}
        async with slots:
            for head in heads:
                # Once more: a question may be lost on a full link.
                there = await self._hash_there(owner, head.seq) or await self._hash_there(
                    owner, head.seq
                )
                if there is None:
                    break
                found[head] = there.hash == head.hash
        return found

    async def _hash_there(self, runtime_id: RuntimeId, seq: int) -> HashAt | None:
        if runtime_id == self._own:
            return HashAt(seq=seq, hash=await self._hash_at(seq))
        return await self._asking.hash_at(runtime_id, seq)
