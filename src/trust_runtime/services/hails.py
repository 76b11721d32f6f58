"""Finds out why a peer is not heard: knocks at its listener, and hails it by datagrams (B5).

A knock tells whether a process listens there, whether only the host is left, or neither. A hail is
a signed datagram; whoever gets one knows that this direction works, and answers it. Nothing is
sent while a peer is heard over the mesh.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Final

from trust_runtime.contracts.codec import convert
from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import HailClaims, Knock, Sight, SightEvidence
from trust_runtime.contracts.units import (
    CLOCK_SKEW_MS_MAX,
    MS_PER_S,
    NS_PER_MS,
    NS_PER_S,
    MonotonicNs,
)
from trust_runtime.core.sight import decide_sight
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.reach import Reach
from trust_runtime.ports.signer import Signer
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.stalls import Stalls

_TICK_MS: Final = 100
_EAGER_MS: Final = 30_000
"""How long after a loss it is examined often."""
_HAIL_MS: Final = (400, 1_000)
_KNOCK_MS: Final = (1_000, 5_000)
_KNOCK_TIMEOUT_MS: Final = 700
_KNOCKS_AT_ONCE: Final = 16
HAILS_PER_S: Final = 100
KNOCKS_PER_S: Final = 30
"""So many in total, however many are lost: whoever waits longest comes first."""
_FRESH_MS: Final = 2_500
"""How long a hail says something of now; longer where it takes longer to hail everybody."""
_ANSWER_GAP_MS: Final = 100
_SENT_KEPT: Final = 4_096


@dataclass(slots=True)
class _Contact:
    """What was tried with one peer since it was lost, and what came of it."""

    lost_ns: MonotonicNs
    hail_due_ns: int = 0
    knock_due_ns: int = 0
    knocking: bool = False
    knock: Knock | None = None


@dataclass(slots=True)
class _Hailed:
    """The newest hail that came from one peer."""

    boot_id: str
    seq: int
    at_ns: MonotonicNs
    confirms: bool
    answered_ns: int = 0


class Hails:
    """Examines whoever is lost, and answers whoever has lost us.

    `on_change` is called when the conclusion on a peer may have changed.
    """

    def __init__(
        self,
        *,
        own: RuntimeId,
        running: Running,
        peers: Peers,
        stalls: Stalls,
        signer: Signer,
        reach: Reach,
        clock: Clock,
    ) -> None:
        self._own = own
        self._running = running
        self._peers = peers
        self._stalls = stalls
        self._signer = signer
        self._reach = reach
        self._clock = clock
        self._seq = 0
        self._sent_ns: OrderedDict[int, MonotonicNs] = OrderedDict()
        self._contacts: dict[RuntimeId, _Contact] = {}
        self._hailed: dict[RuntimeId, _Hailed] = {}
        self._slots = asyncio.Semaphore(_KNOCKS_AT_ONCE)
        self.rejected = 0
        self.on_change: Callable[[RuntimeId], None] = lambda _id: None

    def sight(self, peer: Peer) -> Sight:
        """Return the reason behind a peer's lifecycle, as of now."""
        runtime_id = peer.record.runtime_id
        contact, hailed = self._contacts.get(runtime_id), self._hailed.get(runtime_id)
        self._stalls.check()
        stalled = self._stalls.recent_ms > 0
        counts = self._counts(hailed, contact)
        confirms = counts and hailed is not None and hailed.confirms
        return decide_sight(
            SightEvidence(
                lifecycle=peer.lifecycle,
                left_cleanly=peer.evidence.left_cleanly,
                ever_heard=peer.record.status is not None,
                observer_stalled=stalled,
                knock=None if contact is None else contact.knock,
                # Hails that waited while this process stood still got no answer for that reason.
                hail_fresh=counts and (confirms or not stalled),
                hail_confirms=confirms,
            )
        )

    async def run(self) -> None:
        """Examine whoever is lost, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._stalls.check()
                lost = {p.record.runtime_id: p for p in self._peers if _is_lost(p)}
                for runtime_id in [i for i in self._contacts if i not in lost]:
                    del self._contacts[runtime_id]
                    self.on_change(runtime_id)
                now_ns = self._clock.monotonic_ns()
                for runtime_id in lost:
                    self._contacts.setdefault(runtime_id, _Contact(lost_ns=now_ns))
                for runtime_id in self._hails_due(now_ns):
                    contact = self._contacts[runtime_id]
                    contact.hail_due_ns = now_ns + self._pause_ns(contact, _HAIL_MS)
                    self._send(lost[runtime_id], answer=False)
                for runtime_id in self._knocks_due(now_ns):
                    contact = self._contacts[runtime_id]
                    contact.knocking = True
                    knock = self._knock(lost[runtime_id], contact)
                    tasks.create_task(knock, name=f"knock {runtime_id}")
                await asyncio.sleep(_TICK_MS / MS_PER_S)

    def take(self, datagram: bytes, _source: str) -> None:
        """Take a datagram; anything but a valid new hail of a trusted peer is counted away."""
        try:
            signer, raw = self._signer.verify(TokenType.HAIL, datagram)
            claims = convert(raw, HailClaims, known_only=False)
        except (TokenInvalid, ContractViolation):
            self.rejected += 1
            return
        runtime_id = signer.runtime_id
        peer = self._peers.get(runtime_id)
        if peer is None or self._peers.admit(signer) is not None or not self._is_new(peer, claims):
            self.rejected += 1
            return
        before = self._hailed.get(runtime_id)
        hailed = _Hailed(
            boot_id=claims.boot_id,
            seq=claims.seq,
            at_ns=self._clock.monotonic_ns(),
            confirms=self._arrived(claims, self._contacts.get(runtime_id)),
            answered_ns=0 if before is None else before.answered_ns,
        )
        self._hailed[runtime_id] = hailed
        if not claims.answer and self._ms_since(hailed.answered_ns) >= _ANSWER_GAP_MS:
            hailed.answered_ns = self._clock.monotonic_ns()
            self._send(peer, answer=True)
        counted = self._counts(before, self._contacts.get(runtime_id))
        if before is None or not counted or before.confirms != hailed.confirms:
            self.on_change(runtime_id)

    def _is_new(self, peer: Peer, claims: HailClaims) -> bool:
        """Tell whether a hail is for us, in time, and of no incarnation that is already gone."""
        if claims.aud != spiffe_id(self._own):
            return False
        apart_ns = self._clock.wall_ns() - claims.sent_ns - (peer.offset_ns or 0)
        if abs(apart_ns) > CLOCK_SKEW_MS_MAX * NS_PER_MS:
            return False
        known = self._hailed.get(peer.record.runtime_id)
        boot = peer.evidence.beacon_boot
        newest = max(boot or "", "" if known is None else known.boot_id)
        if claims.boot_id < newest:
            return False
        return known is None or claims.boot_id != known.boot_id or claims.seq > known.seq

    def _arrived(self, claims: HailClaims, contact: _Contact | None) -> bool:
        """Tell whether one of our recent hails arrived there, sent since the peer was lost."""
        sent_ns = self._sent_ns.get(claims.got_seq)
        return (
            claims.got_boot == self._running.boot_id
            and sent_ns is not None
            and self._ms_since(sent_ns) < self._fresh_ms
            and (contact is None or sent_ns >= contact.lost_ns)
        )

    def _counts(self, hailed: _Hailed | None, contact: _Contact | None) -> bool:
        """Tell whether a hail says anything of now: it is fresh, and came since the loss."""
        return (
            hailed is not None
            and not self._is_old(hailed)
            and (contact is None or hailed.at_ns >= contact.lost_ns)
        )

    def _hails_due(self, now_ns: MonotonicNs) -> list[RuntimeId]:
        """Return whom to hail in this tick, whoever waits longest first."""
        since_ms = self._stalls.since_ms
        if since_ms is not None and since_ms < _TICK_MS:
            return []  # What waits to be read is read first, so that a hail can confirm it.
        due = [i for i, contact in self._contacts.items() if contact.hail_due_ns <= now_ns]
        return nsmallest(_per_tick(HAILS_PER_S), due, lambda i: self._contacts[i].hail_due_ns)

    def _knocks_due(self, now_ns: MonotonicNs) -> list[RuntimeId]:
        """Return whom to knock at in this tick, whoever waits longest first."""
        due = [
            i
            for i, contact in self._contacts.items()
            if contact.knock_due_ns <= now_ns and not contact.knocking
        ]
        return nsmallest(_per_tick(KNOCKS_PER_S), due, lambda i: self._contacts[i].knock_due_ns)

    def _send(self, peer: Peer, *, answer: bool) -> None:
        runtime_id = peer.record.runtime_id
        got = self._hailed.get(runtime_id)
        recent = got is not None and not self._is_old(got)
        wall_ns = self._clock.wall_ns()
        self._seq += 1
        self._sent_ns[self._seq] = self._clock.monotonic_ns()
        while len(self._sent_ns) > _SENT_KEPT:
            self._sent_ns.popitem(last=False)
        claims = HailClaims(
            iss=spiffe_id(self._own),
            aud=spiffe_id(runtime_id),
            iat=wall_ns // NS_PER_S,
            sent_ns=wall_ns,
            boot_id=self._running.boot_id,
            seq=self._seq,
            got_boot=got.boot_id if got is not None and recent else "",
            got_seq=got.seq if got is not None and recent else 0,
            answer=answer,
        )
        datagram = self._signer.sign(TokenType.HAIL, claims)
        for address in peer.record.addresses:
            self._reach.send(address, datagram)

    async def _knock(self, peer: Peer, contact: _Contact) -> None:
        runtime_id = peer.record.runtime_id
        found: Knock | None = None
        async with self._slots:
            for address in peer.record.addresses:
                found = await self._reach.knock(address, timeout_ms=_KNOCK_TIMEOUT_MS)
                if found is not Knock.SILENT:
                    break
        contact.knocking = False
        now_ns = self._clock.monotonic_ns()
        contact.knock_due_ns = now_ns + self._pause_ns(contact, _KNOCK_MS)
        if found is not contact.knock:
            contact.knock = found
            self.on_change(runtime_id)

    def _pause_ns(self, contact: _Contact, eager_and_patient_ms: tuple[int, int]) -> int:
        eager = self._ms_since(contact.lost_ns) < _EAGER_MS
        return eager_and_patient_ms[0 if eager else 1] * NS_PER_MS

    def _is_old(self, hailed: _Hailed) -> bool:
        return self._ms_since(hailed.at_ns) >= self._fresh_ms

    @property
    def _fresh_ms(self) -> int:
        # Two and a half rounds: or a verdict would come and go with each turn.
        round_ms = len(self._contacts) * MS_PER_S // HAILS_PER_S
        return max(_FRESH_MS, 5 * round_ms // 2)

    def _ms_since(self, instant_ns: int) -> int:
        return (self._clock.monotonic_ns() - instant_ns) // NS_PER_MS

    def status(self) -> dict[str, Any]:
        """Return what `status` shows of it."""
        return {"examined": sorted(self._contacts), "rejected": self.rejected}


def _per_tick(per_s: int) -> int:
    return per_s * _TICK_MS // MS_PER_S


def _is_lost(peer: Peer) -> bool:
    return (
        peer.lifecycle is not Lifecycle.ONLINE
        and not peer.evidence.left_cleanly
        and peer.record.status is not None
        and bool(peer.record.addresses)
    )
