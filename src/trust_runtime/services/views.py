"""What this runtime sees of all others, told to them, and who sees whom put together (B5)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.audit import ChainHead
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import ALL_VIEWS, held_views_key, owner_of, view_key
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import HeldView, Matrix, PeerView, Sight, View
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS, MonotonicNs
from trust_runtime.core.matrix import build_matrix
from trust_runtime.core.presence import forgiven_ms
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.hails import Hails
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing
from trust_runtime.services.stalls import Stalls

VIEW_BYTES_MAX: Final = 1_048_576
HANDED_BYTES_MAX: Final = 4 * VIEW_BYTES_MAX
"""All views handed on in one answer; what is beyond it is left out, the last ids first."""

VIEW_AGE_MS_MAX: Final = 12_000
"""An older view is no view: it is told at least every `_PATIENT_MS`."""

LOST_VIEW_AGE_MS_MAX: Final = 2_500
"""The last words of an observer that is not heard any more count no longer than that."""

ASKED_WAITING_MAX: Final = 64
_GAP_MS: Final = 250
_EAGER_MS: Final = 500
_PATIENT_MS: Final = 5_000
_EAGER_FOR_MS: Final = 10_000
"""How long after a change views are told often."""

_ASK_MS: Final = 400
_ASKED_MAX: Final = 3
_ROUNDS_MAX: Final = 3


@dataclass(slots=True)
class _Kept:
    """A view as it came, and when."""

    message: MeshMessage
    view: View
    at_ns: MonotonicNs
    via: str | None = None


class HandedView(Struct, frozen=True, kw_only=True):
    """A view handed on: the observer's own signed message, and its age at the holder."""

    key: str
    """Where the observer put it; names the observer."""
    body: str
    """Canonical JSON of the view."""
    token: str
    """The observer's signature."""
    age_ms: int
    """Since the holder received it, milliseconds."""


class Views:
    """Tells the own view, keeps those of others, and answers who sees whom.

    `head_of` returns the newest audit head kept of a peer, to be countersigned with the view.
    """

    def __init__(
        self,
        *,
        own: RuntimeId,
        running: Running,
        peers: Peers,
        hails: Hails,
        stalls: Stalls,
        signing: Signing,
        mesh: Mesh,
        clock: Clock,
    ) -> None:
        self._own = own
        self._running = running
        self._peers = peers
        self._hails = hails
        self._stalls = stalls
        self._signing = signing
        self._mesh = mesh
        self._clock = clock
        self._seq = 0
        self._due = asyncio.Event()
        self._changed_ns: MonotonicNs | None = None
        self._told: dict[RuntimeId, Sight] = {}
        self._told_ns = 0
        self._kept: dict[RuntimeId, _Kept] = {}
        self._asked_last = ""
        self.head_of: Callable[[RuntimeId], ChainHead | None] = lambda _id: None
        self.on_sight: Callable[[Peer, Sight], None] = lambda _peer, _sight: None
        self.on_view: Callable[[View], None] = lambda _view: None
        mesh.subscribe(ALL_VIEWS, self.take)
        mesh.serve(held_views_key(own), self.hand_on, waiting_max=ASKED_WAITING_MAX)

    def soon(self) -> None:
        """Have the own view looked at anew, and told if it changed."""
        self._due.set()

    async def run(self) -> None:
        """Tell the own view when it changed and every few seconds, until cancelled."""
        while True:
            self._due.clear()
            sights = {p.record.runtime_id: self._hails.sight(p) for p in self._peers}
            if sights != self._told or self._ms_since(self._told_ns) >= self._period_ms():
                self._note(sights)
                self._tell()
            left_ms = max(_GAP_MS, self._period_ms() - self._ms_since(self._told_ns))
            with suppress(TimeoutError):
                async with asyncio.timeout(left_ms / MS_PER_S):
                    await self._due.wait()
                    await asyncio.sleep(_GAP_MS / MS_PER_S)

    def take(self, message: MeshMessage) -> None:
        """Keep the view of another runtime; only its own signed word counts."""
        if self._peers.read_event(message, bytes_max=VIEW_BYTES_MAX) is None:
            return
        self._keep(message, age_ms=0, via=None)

    async def hand_on(self, question: MeshMessage) -> MeshMessage | None:
        """Answer with the views that are asked for, each as its observer signed it."""
        try:
            wanted = decode_json(question.body, tuple[RuntimeId, ...])
        except ContractViolation:
            return None
        now_ns, left = self._clock.monotonic_ns(), HANDED_BYTES_MAX
        handed: list[HandedView] = []
        for observer in sorted(set(wanted) & self._kept.keys()):
            kept = self._kept[observer]
            one = HandedView(
                key=kept.message.key,
                body=kept.message.body.decode(),
                token=kept.message.token.decode(),
                age_ms=(now_ns - kept.at_ns) // NS_PER_MS,
            )
            left -= len(canonical_json(one)) + 1
            if kept.via is None and left > 0:
                handed.append(one)
        return MeshMessage(key=question.key, body=canonical_json(handed))

    async def matrix(self) -> Matrix:
        """Return who sees whom; views of runtimes not heard here are asked of those who hear."""
        missing = [p.record.runtime_id for p in self._peers if p.lifecycle is not Lifecycle.ONLINE]
        if missing:
            await self._ask_others(frozenset(missing))
        now_ns = self._clock.monotonic_ns()
        views = {
            observer: HeldView(
                view=kept.view, age_ms=(now_ns - kept.at_ns) // NS_PER_MS, via=kept.via
            )
            for observer, kept in self._kept.items()
        }
        views[self._own] = HeldView(view=self.own_view(), age_ms=0)
        known = [self._own, *(p.record.runtime_id for p in self._peers)]
        return build_matrix(
            self._own,
            known,
            views,
            view_age_ms_max=VIEW_AGE_MS_MAX,
            lost_view_age_ms_max=LOST_VIEW_AGE_MS_MAX,
            silence_ms=self._silence_ms(),
        )

    def own_view(self) -> View:
        """Return what this runtime sees now."""
        self._stalls.check()  # After a stall this may be what runs first, and must tell of it.
        peers = sorted(self._peers, key=lambda p: p.record.runtime_id)
        return View(
            observer=self._own,
            boot_id=self._running.boot_id,
            seq=self._seq,
            beacon_period_ms=self._running.settings.presence.beacon_period_ms,
            stalled_ms=self._stalls.recent_ms,
            peers=tuple(self._line(peer) for peer in peers),
        )

    def _line(self, peer: Peer) -> PeerView:
        at_ns = peer.evidence.beacon_at_ns
        heard_ms = None
        if at_ns is not None:
            heard_ms = max(0, (self._clock.monotonic_ns() - at_ns) // NS_PER_MS)
        return PeerView(
            target=peer.record.runtime_id,
            lifecycle_state=peer.lifecycle,
            sight=self._hails.sight(peer),
            heard_ago_ms=heard_ms,
            boot_id=peer.evidence.beacon_boot,
            head=self.head_of(peer.record.runtime_id),
        )

    def _silence_ms(self) -> int | None:
        limits = self._running.settings.presence
        online = [p.evidence for p in self._peers if p.lifecycle is Lifecycle.ONLINE]
        return max((forgiven_ms(evidence, limits) for evidence in online), default=None)

    def _note(self, sights: dict[RuntimeId, Sight]) -> None:
        before, self._told = self._told, sights
        if sights == before:
            return
        self._changed_ns = self._clock.monotonic_ns()
        for peer in self._peers:
            sight = sights.get(peer.record.runtime_id)
            if sight is not None and sight is not before.get(peer.record.runtime_id):
                self.on_sight(peer, sight)

    def _tell(self) -> None:
        self._seq += 1
        self._told_ns = self._clock.monotonic_ns()
        self._mesh.put(
            self._signing.broadcast(
                TokenType.EVENT,
                view_key(self._own),
                self.own_view(),
                seq=self._seq,
                boot_id=self._running.boot_id,
            )
        )

    def _period_ms(self) -> int:
        if self._changed_ns is None:
            return _PATIENT_MS
        return _EAGER_MS if self._ms_since(self._changed_ns) < _EAGER_FOR_MS else _PATIENT_MS

    def _ms_since(self, instant_ns: int) -> int:
        return (self._clock.monotonic_ns() - instant_ns) // NS_PER_MS

    def _keep(self, message: MeshMessage, *, age_ms: int, via: str | None) -> None:
        try:
            observer, view = owner_of(message.key), decode_json(message.body, View)
        except ContractViolation:
            return
        if view.observer != observer:
            return
        at_ns = MonotonicNs(self._clock.monotonic_ns() - age_ms * NS_PER_MS)
        kept = _Kept(message=message, view=view, at_ns=at_ns, via=via)
        known = self._kept.get(observer)
        if known is not None and not _is_newer(kept, known):
            return
        self._kept[observer] = kept
        self._forget()
        if via is None:
            self.on_view(view)

    def _forget(self) -> None:
        for observer in [i for i in self._kept if self._peers.get(i) is None]:
            del self._kept[observer]

    async def _ask_others(self, missing: frozenset[RuntimeId]) -> None:
        """Ask some who are heard for views of those who are not; signatures make them true.

        Three at a time, until every view is there or three times three were asked: whoever holds
        nothing, or says so, hides nothing that another one holds.
        """
        holders = self._holders(missing)[: _ASKED_MAX * _ROUNDS_MAX]
        left = missing
        for first in range(0, len(holders), _ASKED_MAX):
            asked = holders[first : first + _ASKED_MAX]
            self._asked_last = asked[-1]
            await self._ask(asked, left)
            left = frozenset(i for i in left if not self._is_known_now(i))
            if not left:
                return

    def _holders(self, missing: frozenset[RuntimeId]) -> list[RuntimeId]:
        """Return whom to ask, in this order.

        First those who say they hear most of the missing; then all others, each in its turn.
        """
        heard = sorted(
            p.record.runtime_id
            for p in self._peers
            if p.lifecycle is Lifecycle.ONLINE and p.trust_reason is None
        )
        in_turn = [i for i in heard if i > self._asked_last]
        in_turn += [i for i in heard if i <= self._asked_last]
        told = sorted(in_turn, key=lambda i: -self._tells_of(i, missing))[:_ASKED_MAX]
        return told + [i for i in in_turn if i not in told]

    def _tells_of(self, holder: RuntimeId, missing: frozenset[RuntimeId]) -> int:
        """Return how many of the missing a runtime says it hears."""
        kept = self._kept.get(holder)
        if kept is None or self._ms_since(kept.at_ns) > VIEW_AGE_MS_MAX:
            return 0
        lines = kept.view.peers
        return sum(p.target in missing and p.lifecycle_state is Lifecycle.ONLINE for p in lines)

    def _is_known_now(self, observer: RuntimeId) -> bool:
        kept = self._kept.get(observer)
        return kept is not None and self._ms_since(kept.at_ns) <= LOST_VIEW_AGE_MS_MAX

    async def _ask(self, holders: list[RuntimeId], missing: frozenset[RuntimeId]) -> None:
        body, keys = canonical_json(sorted(missing)), {view_key(i) for i in missing}
        questions = [
            self._mesh.query(MeshMessage(key=held_views_key(i), body=body), timeout_ms=_ASK_MS)
            for i in holders
        ]
        answers = await asyncio.gather(*questions)
        for holder, answer in zip(holders, answers, strict=True):
            if not isinstance(answer, MeshMessage) or len(answer.body) > HANDED_BYTES_MAX:
                continue
            try:
                handed = decode_json(answer.body, tuple[HandedView, ...])
            except ContractViolation:
                continue
            for one in [one for one in handed if one.key in keys][: len(keys)]:
                self._take_handed(one, holder)

    def _take_handed(self, handed: HandedView, holder: RuntimeId) -> None:
        message = MeshMessage(
            key=handed.key, body=handed.body.encode(), token=handed.token.encode()
        )
        signed_ms = self._peers.age_of_event(message)
        if signed_ms is not None and len(message.body) <= VIEW_BYTES_MAX:
            # The holder may say it is younger than it is; its signed time says how old at least.
            self._keep(message, age_ms=max(handed.age_ms, signed_ms, 0), via=holder)


def _is_newer(new: _Kept, known: _Kept) -> bool:
    """Tell whether a view takes the place of another one of the same observer.

    Within one boot its signed count decides, never how old somebody says it is. What came from
    the observer itself is preferred to the same view handed on.
    """
    if new.view.boot_id != known.view.boot_id:
        return new.at_ns >= known.at_ns
    if new.view.seq == known.view.seq:
        return new.via is None
    return new.view.seq > known.view.seq
