"""Gives out tokens against codes, and says whose a token is (contract 6.4, D38)."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.pairing import (
    CODE_S,
    PairAnswer,
    PairClaimed,
    PairedToken,
    PairingPage,
    PairRevoked,
    PairStart,
    PairStarted,
)
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S, MonotonicNs, WallNs
from trust_runtime.core import pairing
from trust_runtime.core.attempts import counted_as
from trust_runtime.core.pairing import Grant, Pending
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Secrets
from trust_runtime.ports.pairings import PairingStore
from trust_runtime.services.audit import Audit
from trust_runtime.services.running import Running
from trust_runtime.services.store_health import StoreHealth

START: Final = "pair.start"
CLAIM: Final = "pair.claim"
LIST: Final = "pair.list"
REVOKE: Final = "pair.revoke"
ADDRESSES_MAX: Final = 1_024
"""Of so many addresses claims are counted; the one that claimed longest ago gives way."""

_UNKNOWN: Final = Caller(identity="unknown", role=Role.VIEWER)
_LOOK_S: Final = 1.0
_USE_KEPT_NS: Final = 60 * NS_PER_S


class Pairings:
    """Owns codes and tokens. `on_ended` is called when a token is one no more."""

    def __init__(
        self,
        *,
        running: Running,
        store: PairingStore,
        audit: Audit,
        health: StoreHealth,
        clock: Clock,
        entropy: Secrets,
    ) -> None:
        self._running = running
        self._store = store
        self._audit = audit
        self._health = health
        self._clock = clock
        self._entropy = entropy
        self._lock = asyncio.Lock()
        self._tokens: tuple[PairedToken, ...] = ()
        self._by_digest: dict[str, PairedToken] = {}
        self._used_ns: dict[str, WallNs] = {}
        self._pending: list[Pending] = []
        self._wrong = 0
        self._claims: OrderedDict[str, tuple[MonotonicNs, ...]] = OrderedDict()
        self.on_ended: Callable[[], None] = lambda: None

    def load(self, tokens: Iterable[PairedToken]) -> None:
        """Take the kept tokens at the start of the process."""
        self._take(tuple(tokens))

    def owner_of(self, token_digest: bytes) -> Caller | None:
        """Return whose token has this SHA-256, or None; the entrances ask it for each request."""
        token = self._by_digest.get(token_digest.hex())
        if token is None:
            return None
        now_ns = self._clock.wall_ns()
        caller = pairing.owner_of(token, now_ns=now_ns)
        if caller is not None:
            self._used_ns[token.shown.token_id] = now_ns
        return caller

    async def start(self, start: PairStart, caller: Caller) -> PairAnswer:
        """Return a new code, or why there is none; a code of the same owner ends with it.

        Raises:
            StoreFailed: it could not be recorded, so there is none.
        """
        draft = self._draft(START, caller, detail={"owner": start.owner, "role": start.role})
        async with self._lock:
            self._forget_late()
            judged = pairing.judge_start(
                start,
                caller,
                own_site=self._running.settings.site,
                tokens=self._tokens,
                pending=self._pending,
            )
            if isinstance(judged, Denial):
                return await self._refuse(draft, judged)
            await self._audit.append([_executed(draft)])
            code = pairing.code_of(self._entropy.secret(pairing.CODE_BYTES))
            self._pending = [one for one in self._pending if one.grant.owner != judged.owner]
            self._pending.append(self._pending_of(code, judged))
        expires_at_ns = self._clock.wall_ns() + CODE_S * NS_PER_S
        started = PairStarted(
            ok=True, code=code, expires_at_ns=expires_at_ns, audit_id=draft.audit_id
        )
        return PairAnswer(started=started, audit_id=draft.audit_id)

    async def claim(self, code: str, address: str) -> PairAnswer:
        """Return a token for a code, once; wrong codes are counted, and burn the right ones.

        Args:
            code: as typed.
            address: from where; each has a few tries a minute.

        Raises:
            StoreFailed: nothing was kept, and the code is still good.
        """
        wait_ns = self._note_claim(address)
        if wait_ns:
            denial = deny(
                DenialCode.OVERLOADED,
                "this address tried to claim too often",
                "wait, then claim the code that was shown to you",
                retry_after_ms=-(-wait_ns // NS_PER_MS),
            )
            return PairAnswer(denial=denial)
        async with self._lock:
            self._forget_late()
            given = pairing.code_digest(code)
            found = next((one for one in self._pending if one.digest == given), None)
            if found is None:
                return await self._refuse_claim(address)
            return await self._give(found)

    async def list(self, caller: Caller) -> PairAnswer:
        """Return every kept token, none of them itself; that it was looked at is recorded.

        Raises:
            StoreFailed: it could not be recorded.
        """
        draft = self._draft(LIST, caller, detail={})
        await self._audit.append([_executed(draft)])
        items = tuple(one.shown for one in self._with_uses())
        return PairAnswer(page=PairingPage(items=items), audit_id=draft.audit_id)

    async def revoke(self, token_id: str, caller: Caller) -> PairAnswer:
        """End a token at once and for ever, or return that there is none.

        Raises:
            StoreFailed: it is still valid.
        """
        draft = self._draft(REVOKE, caller, detail={"token_id": token_id})
        async with self._lock:
            if not any(one.shown.token_id == token_id for one in self._tokens):
                denial = deny(
                    DenialCode.PEER_NOT_AVAILABLE,
                    f"there is no token {token_id[:64]!r}",
                    "see GET /api/pairings",
                )
                return await self._refuse(draft, denial)
            await self._save(pairing.without(self._with_uses(), token_id), [_executed(draft)])
        self.on_ended()
        shown = next(one.shown for one in self._tokens if one.shown.token_id == token_id)
        revoked = PairRevoked(ok=True, revoked=shown, audit_id=draft.audit_id)
        return PairAnswer(revoked=revoked, audit_id=draft.audit_id)

    async def run(self) -> None:
        """End tokens whose time is over, and keep when tokens were used, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            async with self._lock:
                await self._look()

    async def _look(self) -> None:
        self._forget_late()
        present = self._with_uses()
        left = pairing.expired(present, now_ns=self._clock.wall_ns())
        has_ended = left != present
        if has_ended:
            self._take(left)  # At once, and for as long as the store does not work too.
            self.on_ended()
        if has_ended or self._is_use_due():
            try:
                await self._save(left, [])
            except StoreFailed:
                return  # Tried again with the next use; what ended is refused already.

    def _is_use_due(self) -> bool:
        return any(
            self._used_ns.get(one.shown.token_id, 0) - (one.shown.last_used_ns or 0) >= _USE_KEPT_NS
            for one in self._tokens
        )

    def _with_uses(self) -> tuple[PairedToken, ...]:
        return tuple(
            structs.replace(one, shown=structs.replace(one.shown, last_used_ns=used_ns))
            if (used_ns := self._used_ns.get(one.shown.token_id)) is not None
            else one
            for one in self._tokens
        )

    def _pending_of(self, code: str, grant: Grant) -> Pending:
        expires_ns = MonotonicNs(self._clock.monotonic_ns() + CODE_S * NS_PER_S)
        return Pending(digest=pairing.code_digest(code), grant=grant, expires_ns=expires_ns)

    def _forget_late(self) -> None:
        now_ns = self._clock.monotonic_ns()
        self._pending = [one for one in self._pending if one.expires_ns > now_ns]
        if not self._pending:
            self._wrong = 0

    def _note_claim(self, address: str) -> int:
        """Count a claim of an address; return how long it has to wait, 0 when it has not."""
        now_ns, name = self._clock.monotonic_ns(), counted_as(address)
        before = self._claims.pop(name, ())
        wait_ns = pairing.claim_wait_ns(before, now_ns)
        self._claims[name] = before if wait_ns else (*before, now_ns)[-pairing.CLAIMS_MAX :]
        if len(self._claims) > ADDRESSES_MAX:
            self._claims.popitem(last=False)
        return wait_ns

    async def _refuse_claim(self, address: str) -> PairAnswer:
        if self._pending:
            self._wrong += 1
            if self._wrong >= pairing.WRONG_MAX:
                self._pending.clear()
                self._wrong = 0
        draft = self._draft(CLAIM, _UNKNOWN, detail={"address": address})
        denial = deny(
            DenialCode.PERMISSION_DENIED,
            "this code is not valid",
            "have an admin start the pairing again",
        )
        return await self._refuse(structs.replace(draft, actor=f"http://{address}"), denial)

    async def _give(self, found: Pending) -> PairAnswer:
        grant, now_ns = found.grant, self._clock.wall_ns()
        token = pairing.token_of(self._entropy.secret(pairing.TOKEN_BYTES))
        new = pairing.paired_token(token, grant, now_ns=now_ns)
        caller = Caller(identity=f"token://{grant.owner}", role=grant.role, scope=grant.scope)
        draft = self._draft(CLAIM, caller, detail={"token_id": new.shown.token_id})
        tokens = pairing.with_new(self._with_uses(), new, grant, now_ns=now_ns)
        await self._save(tokens, [_executed(draft)])
        self._pending.remove(found)
        claimed = PairClaimed(
            ok=True,
            token=token,
            token_id=new.shown.token_id,
            owner=grant.owner,
            role=grant.role,
            expires_at_ns=new.shown.expires_at_ns,
            audit_id=draft.audit_id,
        )
        return PairAnswer(claimed=claimed, audit_id=draft.audit_id)

    async def _save(self, tokens: tuple[PairedToken, ...], drafts: Sequence[AuditDraft]) -> None:
        tokens = pairing.bounded(tokens)
        try:
            records = await self._store.save(tokens, drafts)
        except StoreFailed as error:
            self._health.failed(error)
            raise
        self._take(tokens)
        self._audit.tell(records)

    def _take(self, tokens: tuple[PairedToken, ...]) -> None:
        self._tokens = tokens
        self._by_digest = {one.digest: one for one in tokens}
        names = {one.shown.token_id for one in tokens}
        self._used_ns = {name: at for name, at in self._used_ns.items() if name in names}

    async def _refuse(self, draft: AuditDraft, denial: Denial) -> PairAnswer:
        denied = structs.replace(
            draft, decision=Verdict.DENIED, denial_code=denial.code, outcome=Outcome.DENIED
        )
        await self._audit.append([denied])
        return PairAnswer(denial=denial, audit_id=draft.audit_id)

    def _draft(self, action_type: str, caller: Caller, *, detail: dict[str, Any]) -> AuditDraft:
        own, audit_id = self._running.settings.runtime_id, self._audit.new_id()
        return AuditDraft(
            audit_id=audit_id,
            phase=Phase.SINGLE,
            timestamp_ns=self._clock.wall_ns(),
            origin=own,
            target=own,
            actor=caller.identity,
            identity=caller.identity,
            role=caller.role,
            action_type=action_type,
            request_id=audit_id,
            decision=Verdict.ALLOWED,
            payload_digest=digest(detail),
        )


def _executed(draft: AuditDraft) -> AuditDraft:
    return structs.replace(draft, outcome=Outcome.EXECUTED)
