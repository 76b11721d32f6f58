"""By which rule of its profile this runtime knows its peers, and itself (contract 2.4)."""

from trust_runtime.contracts.envelope import SignerFacts
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.services.peer import Peer
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing


class Trust:
    """Pins in `dev`; in `plant` and `wan` chains to the bundle of the signer's own site."""

    def __init__(self, *, running: Running, signing: Signing, clock: Clock, log: Log) -> None:
        self._running = running
        self._signing = signing
        self._clock = clock
        self._log = log

    @property
    def uses_pins(self) -> bool:
        """Whether peers are known by pinned keys, and the untrusted may read."""
        return self._running.settings.profile is Profile.DEV

    def reason_against(self, peer: Peer, signer: SignerFacts) -> TrustReason | None:
        """Return why a signer is not accepted as `peer`, or None."""
        if self.uses_pins:
            return peer.reason_against(signer, now_s=self._clock.wall_ns() // NS_PER_S)
        unfit = self._signing.distrust_in(signer)
        return None if unfit is None else unfit.reason

    def may_speak(self, peer: Peer, signer: SignerFacts, *, as_own: bool) -> bool:
        """Tell whether a signed broadcast may change what is known of `peer`.

        Where chains count, an untrusted signer is heard only as long as it takes nobody's place:
        it is then shown as untrusted, with the reason.

        Args:
            peer: whose key the message came on.
            signer: who signed it, under the peer's id.
            as_own: `peer` is this runtime itself, under another incarnation.
        """
        if self.uses_pins or self._signing.distrust_in(signer) is None:
            return True
        if as_own or peer.record.pin not in (None, signer.pin):
            return False
        known = peer.signer
        trusted = known is not None and self._signing.distrust_in(known) is None
        return known is None or known.pin == signer.pin or not trusted

    def pin_after(self, peer: Peer, signer: SignerFacts) -> str:
        """Return what is pinned once a signer is accepted: the first key ever, where pins count.

        Elsewhere it only says which key it was.
        """
        return (peer.record.pin or signer.pin) if self.uses_pins else signer.pin

    def own_reason(self, *, doubled: bool) -> TrustReason | None:
        """Return why this runtime does not trust itself, or None.

        Args:
            doubled: another process runs under the own id.
        """
        if doubled:
            return TrustReason.DUPLICATE_INSTANCE
        unfit = self._signing.own_distrust(self._running.settings.profile)
        return None if unfit is None else unfit.reason

    def tell(self, peer: Peer, reason: TrustReason | None) -> None:
        """Log a verdict on a peer, with all there is to say of it."""
        runtime_id = peer.record.runtime_id
        if reason is None:
            self._log.info("trust_changed", f"{runtime_id} is trusted", peer=runtime_id)
            return
        detail = ""
        if peer.signer is not None and not self.uses_pins:
            unfit = self._signing.distrust_in(peer.signer)
            detail = "" if unfit is None or unfit.reason is not reason else f": {unfit.detail}"
        text = f"{runtime_id} is untrusted: {reason}{detail}"
        self._log.error("trust_changed", text, peer=runtime_id)

    def tell_own(self, reason: TrustReason | None) -> None:
        """Log a verdict on this runtime itself."""
        own = self._running.settings.runtime_id
        if reason is None:
            self._log.info("trust_changed", f"{own} runs once, with a fit identity")
        elif reason is TrustReason.DUPLICATE_INSTANCE:
            self._log.error(
                "trust_changed",
                f"another process runs as {own}; writes are refused until one stops",
            )
        else:
            unfit = self._signing.own_distrust(self._running.settings.profile)
            detail = reason if unfit is None else unfit.detail
            self._log.error("trust_changed", f"the identity of {own} is unfit: {detail}")
