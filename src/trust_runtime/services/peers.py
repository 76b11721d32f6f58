"""The peer table: folds tokens and signed beacons into what is known of every other runtime."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.envelope import BroadcastClaims, MeshMessage, SignerFacts, TokenType
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import parse_token_key
from trust_runtime.contracts.presence import (
    BeaconStatus,
    Lifecycle,
    PeerEvidence,
    PeerRecord,
    TrustReason,
)
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S, MonotonicNs
from trust_runtime.core.presence import decide_lifecycle, is_duplicate, next_change_ns
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.services.offsets import Offsets
from trust_runtime.services.peer import Peer
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing
from trust_runtime.services.trust import Trust

PEERS_MAX: Final = 5_000
_TOKENS_MAX: Final = 16
_BEACON_BYTES_MAX: Final = 8_192
_EDGES_BYTES_MAX: Final = 1_048_576


class Peers:
    """Owns the peer table; everything happens on the event loop.

    `on_change` is called after each visible change, `on_keep` with the id of a peer whose durable
    record changed, `on_token` when any token of another runtime appears,
    `on_beacon` after each valid beacon of another runtime, `before_judging` before each verdict.
    """

    def __init__(
        self, *, own: RuntimeId, running: Running, signing: Signing, clock: Clock, log: Log
    ) -> None:
        self._own = own
        self._running = running
        self._signing = signing
        self._clock = clock
        self._log = log
        self._peers: dict[RuntimeId, Peer] = {}
        self._twins = Peer(record=PeerRecord(runtime_id=own))
        self._offsets = Offsets(clock)
        self.trust = Trust(running=running, signing=signing, clock=clock, log=log)
        self.own_trust_reason: TrustReason | None = None
        self.rejected: dict[str, int] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.on_keep: Callable[[RuntimeId], None] = lambda _id: None
        self.on_token: Callable[[], None] = lambda: None
        self.on_beacon: Callable[[Peer], None] = lambda _peer: None
        self.before_judging: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[Peer]:
        """Iterate over every other runtime a signed message was heard of."""
        return (peer for peer in tuple(self._peers.values()) if peer.is_heard)

    def get(self, runtime_id: RuntimeId) -> Peer | None:
        """Return one peer, or None when nothing signed was ever heard of it."""
        peer = self._peers.get(runtime_id)
        return peer if peer is not None and peer.is_heard else None

    def load(self, records: Iterable[PeerRecord]) -> None:
        """Take the kept table; who did not leave cleanly is stale from now on (5.3)."""
        now_ns = self._clock.monotonic_ns()
        for record in records:
            if record.runtime_id == self._own:
                continue
            peer = Peer(
                record=record,
                evidence=PeerEvidence(contact_lost_at_ns=now_ns, left_cleanly=record.left_cleanly),
            )
            self._peers[record.runtime_id] = peer
            peer.lifecycle = decide_lifecycle(
                peer.evidence, self._running.settings.presence, now_ns=now_ns
            )
            peer.trust_reason = self._decide_trust(peer, now_ns)

    def take_token(self, key: str, *, alive: bool) -> None:
        """Fold the appearance or loss of a liveliness token."""
        if self._running.stopping:
            return  # Closing the own session loses every token; that says nothing of the others.
        try:
            runtime_id, boot = parse_token_key(key)
        except ContractViolation:
            self._reject("token")
            return
        if runtime_id == self._own and boot == self._running.boot_id:
            return
        peer = self._twins if runtime_id == self._own else self._known_or_new(runtime_id)
        if peer is None:
            return
        self.before_judging()  # What was lost while this process stood still is lost only now.
        now_ns = self._clock.monotonic_ns()
        if alive:
            if len(peer.tokens_since_ns) < _TOKENS_MAX:
                peer.tokens_since_ns.setdefault(boot, now_ns)
        else:
            peer.tokens_since_ns.pop(boot, None)
            if boot == peer.evidence.beacon_boot and peer.evidence.contact_lost_at_ns is None:
                peer.evidence = msgspec.structs.replace(peer.evidence, contact_lost_at_ns=now_ns)
        peer.evidence = msgspec.structs.replace(
            peer.evidence, tokens=frozenset(peer.tokens_since_ns)
        )
        self._judge(peer)
        if alive:
            self.on_token()

    def take_beacon(self, message: MeshMessage) -> None:
        """Fold a beacon; anything but a valid, newer one of the key's owner is counted away."""
        read = self._read(TokenType.BEACON, message, bytes_max=_BEACON_BYTES_MAX)
        if read is None:
            return
        signer, claims, peer = read
        try:
            status = decode_json(message.body, BeaconStatus)
        except ContractViolation:
            self._reject("beacon")
            return
        if status.boot_id != claims.boot_id or peer.is_superseded(claims.boot_id):
            self._reject("beacon_order")
            return
        self.before_judging()  # What waited while this process stood still is known as such.
        self._offsets.measure(peer, claims, status, others=self._peers.values())
        self._adopt(peer, signer, status)
        self._judge(peer)
        if peer is not self._twins:
            self.on_beacon(peer)
        self.on_change()

    def take_edges(self, message: MeshMessage) -> None:
        """Take the edges a peer measured; shown while that peer is online."""
        read = self._read(TokenType.EVENT, message, bytes_max=_EDGES_BYTES_MAX)
        if read is None:
            return
        _, claims, peer = read
        if peer.is_superseded(claims.boot_id):
            self._reject("edges")
            return
        try:
            edges = decode_json(message.body, tuple[Edge, ...])
        except ContractViolation:
            self._reject("edges")
            return
        if any(edge.source != peer.record.runtime_id for edge in edges) or peer is self._twins:
            self._reject("edges")
            return
        peer.edges = edges
        self.on_change()

    def read_event(self, message: MeshMessage, *, bytes_max: int) -> BroadcastClaims | None:
        """Return the claims of a valid, new event of another runtime that is trusted here."""
        read = self._read(TokenType.EVENT, message, bytes_max=bytes_max)
        if read is None:
            return None
        signer, claims, peer = read
        if peer is self._twins or not peer.is_heard or self.trust.reason_against(peer, signer):
            self._reject("event")
            return None
        return claims

    def age_of_event(self, message: MeshMessage) -> int | None:
        """Return how old an event is that somebody else handed on, or None if it is not valid.

        Milliseconds since it was signed, by the own wall clock and the measured offset.
        """
        try:
            signer, claims = self._signing.read_broadcast(TokenType.EVENT, message)
        except TokenInvalid:
            self._reject("signature")
            return None
        peer = self._peers.get(signer.runtime_id)
        if peer is None or not peer.is_heard or self.trust.reason_against(peer, signer):
            self._reject("event")
            return None
        return (self._clock.wall_ns() - claims.sent_ns - (peer.offset_ns or 0)) // NS_PER_MS

    def admit(self, signer: SignerFacts) -> TrustReason | None:
        """Return why a validly signed message's signer is untrusted here, or None.

        A key never seen before is pinned on first use (contract 2.4, dev); elsewhere its chain
        decides, and the pin only says which key it was.
        """
        if signer.runtime_id == self._own:
            return TrustReason.DUPLICATE_INSTANCE
        peer = self._known_or_new(signer.runtime_id)
        if peer is None:
            return TrustReason.NEVER_SEEN
        reason = self.trust.reason_against(peer, signer)
        if reason is None and peer.record.pin != self.trust.pin_after(peer, signer):
            peer.signer = signer
            self._keep(peer, pin=signer.pin)
            self._judge(peer)
        return reason or (
            peer.trust_reason if peer.trust_reason is TrustReason.DUPLICATE_INSTANCE else None
        )

    def pin(self, runtime_id: RuntimeId, pin: str | None) -> None:
        """Replace or remove (None) the pin of one runtime: the operator's word."""
        peer = self._known_or_new(runtime_id)
        if peer is not None:
            # What was found wrong under the old pin is judged anew.
            peer.record = msgspec.structs.replace(peer.record, pin=pin, trust_reason=None)
            self._judge(peer)
            self._keep(peer, pin=pin)

    def note_stall(self, length_ns: int) -> None:
        """Take back the time this process stood still from the silence of whoever holds a token.

        While it stood still nobody could be heard, so nobody was silent.
        """
        now_ns = self._clock.monotonic_ns()
        self._offsets.note_stall()
        for peer in self._peers.values():
            peer.forgive(length_ns, now_ns=now_ns)

    def evaluate(self) -> MonotonicNs | None:
        """Judge everybody by the time that passed; return when the next verdict may change."""
        now_ns = self._clock.monotonic_ns()
        limits = self._running.settings.presence
        changes: list[int] = []
        for peer in (*self._peers.values(), self._twins):
            self._judge(peer)
            change_ns = next_change_ns(peer.evidence, limits, now_ns=now_ns)
            if change_ns is not None:
                changes.append(change_ns)
            if len(peer.tokens_since_ns) > 1:
                changes.append(now_ns + NS_PER_S)
        self._forget()
        return MonotonicNs(min(changes)) if changes else None

    def _known_or_new(self, runtime_id: RuntimeId) -> Peer | None:
        peer = self._peers.get(runtime_id)
        if peer is None and len(self._peers) < PEERS_MAX:
            peer = Peer(record=PeerRecord(runtime_id=runtime_id))
            self._peers[runtime_id] = peer
        if peer is None:
            self._reject("peer_table_full")
        return peer

    def _read(
        self, kind: TokenType, message: MeshMessage, *, bytes_max: int
    ) -> tuple[SignerFacts, BroadcastClaims, Peer] | None:
        if len(message.body) > bytes_max:
            self._reject("too_long")
            return None
        try:
            signer, claims = self._signing.read_broadcast(kind, message)
        except TokenInvalid as error:
            self._reject("signature")
            self._log.debug("mesh_rejected", error.reason, key=message.key)
            return None
        if signer.runtime_id == self._own:
            if claims.boot_id == self._running.boot_id:
                return None
            peer: Peer | None = self._twins
        else:
            peer = self._known_or_new(signer.runtime_id)
        if peer is None:
            return None
        if not self.trust.may_speak(peer, signer, as_own=peer is self._twins):
            self._reject("untrusted")
            return None
        if not peer.is_new(message.key, claims):
            self._reject("replayed")
            return None
        return signer, claims, peer

    def _adopt(self, peer: Peer, signer: SignerFacts, status: BeaconStatus) -> None:
        boot = status.boot_id
        if boot != peer.evidence.beacon_boot:
            peer.probes.clear()
            peer.edges = ()
        peer.pins = {b: p for b, p in peer.pins.items() if b in peer.tokens_since_ns}
        trusted = self.trust.reason_against(peer, signer) is None
        if trusted or self.trust.uses_pins:
            peer.pins[boot] = signer.pin  # Where chains count, an untrusted one proves no twin.
        peer.signer = signer
        leaving = status.lifecycle == "leaving"
        peer.evidence = PeerEvidence(
            tokens=frozenset(peer.tokens_since_ns),
            beacon_boot=boot,
            beacon_at_ns=self._clock.monotonic_ns(),
            beacon_period_ms=max(1, status.period_ms),
            left_cleanly=leaving,
        )
        first = peer.record.status is None
        moved = status.mesh.addresses != peer.record.addresses
        left = leaving != peer.record.left_cleanly
        restarted = peer.record.status is not None and peer.record.status.boot_id != boot
        peer.record = msgspec.structs.replace(
            peer.record,
            pin=self.trust.pin_after(peer, signer) if trusted else peer.record.pin,
            left_cleanly=leaving,
            last_seen_ns=self._clock.wall_ns(),
            addresses=status.mesh.addresses,
            status=status,
        )
        if (first or moved or left or restarted) and peer is not self._twins:
            self.on_keep(peer.record.runtime_id)

    def _judge(self, peer: Peer) -> None:
        self.before_judging()
        now_ns = self._clock.monotonic_ns()
        if peer is self._twins:
            self._judge_own(now_ns)
            return
        lifecycle = decide_lifecycle(peer.evidence, self._running.settings.presence, now_ns=now_ns)
        trust = self._decide_trust(peer, now_ns)
        if lifecycle is not peer.lifecycle:
            self._tell_lifecycle(peer, lifecycle)
        if trust is not peer.trust_reason:
            self._tell_trust(peer, trust)

    def _tell_lifecycle(self, peer: Peer, lifecycle: Lifecycle) -> None:
        runtime_id = peer.record.runtime_id
        say = self._log.info if lifecycle is Lifecycle.ONLINE else self._log.warn
        say(f"peer_{lifecycle}", f"{runtime_id} is {lifecycle}", peer=runtime_id)
        peer.lifecycle = lifecycle
        if peer.record.status is not None:
            self.on_keep(runtime_id)
        self.on_change()

    def _tell_trust(self, peer: Peer, trust: TrustReason | None) -> None:
        self.trust.tell(peer, trust)
        peer.trust_reason = trust
        self._keep(peer, pin=peer.record.pin)
        self.on_change()

    def _judge_own(self, now_ns: MonotonicNs) -> None:
        own_boot = self._running.boot_id
        since = {own_boot: MonotonicNs(0), **self._twins.tokens_since_ns}
        # The own key under the own incarnation; theirs as their beacons proved.
        pins = {own_boot: self._signing.own_pin, **self._twins.pins}
        doubled = is_duplicate(since, pins, now_ns=now_ns)
        reason = self.trust.own_reason(doubled=doubled)
        if reason is not self.own_trust_reason:
            self.own_trust_reason = reason
            self.trust.tell_own(reason)
            self.on_change()

    def _decide_trust(self, peer: Peer, now_ns: MonotonicNs) -> TrustReason | None:
        if is_duplicate(peer.tokens_since_ns, peer.pins, now_ns=now_ns):
            return TrustReason.DUPLICATE_INSTANCE
        if peer.signer is not None:
            return self.trust.reason_against(peer, peer.signer)
        if peer.record.pin is None:
            return TrustReason.NEVER_SEEN
        return peer.record.trust_reason

    def _keep(self, peer: Peer, *, pin: str | None) -> None:
        peer.record = msgspec.structs.replace(peer.record, pin=pin, trust_reason=peer.trust_reason)
        if pin is not None or peer.record.status is not None:
            self.on_keep(peer.record.runtime_id)

    def _forget(self) -> None:
        limit_ms = self._running.settings.presence.forget_after_ms
        before_ns = self._clock.wall_ns() - limit_ms * NS_PER_MS
        gone = [
            runtime_id
            for runtime_id, peer in self._peers.items()
            if not peer.tokens_since_ns
            and ((limit_ms > 0 and 0 < peer.record.last_seen_ns < before_ns) or not peer.is_heard)
        ]
        for runtime_id in gone:
            del self._peers[runtime_id]
            self.on_keep(runtime_id)
        if gone:
            self.on_change()

    def _reject(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
