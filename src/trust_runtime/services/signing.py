"""Messages signed by this runtime, and the reading of signed ones (contract 5.6)."""

from typing import Any

from trust_runtime.contracts.codec import canonical_json, convert, sha256_hex
from trust_runtime.contracts.envelope import (
    BROADCAST,
    ActionClaims,
    BroadcastClaims,
    MeshMessage,
    ReplyClaims,
    SignerFacts,
    TokenType,
)
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.identity import Distrust, IdentityFacts
from trust_runtime.contracts.ids import BootId, RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import owner_of
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.core.trust import judge_chain, judge_own
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.signer import Signer


def body_digest(body: bytes) -> str:
    """Return `sha256:` and the hex digest of the body bytes."""
    return "sha256:" + sha256_hex(body)


class Signing:
    """Signs what this runtime says and reads what others signed."""

    def __init__(self, *, own: RuntimeId, signer: Signer, clock: Clock, entropy: Entropy) -> None:
        self._own = own
        self._signer = signer
        self._clock = clock
        self._entropy = entropy

    @property
    def own_pin(self) -> str:
        """SHA-256 hex of the own public key."""
        return self._signer.own_pin

    @property
    def own_identity(self) -> IdentityFacts:
        """The own identity pair in use."""
        return self._signer.own_identity

    def distrust_in(self, signer: SignerFacts) -> Distrust | None:
        """Return why a signer's chain is not accepted in `plant` and `wan`, or None (2.4)."""
        return judge_chain(self._signer.chain_of(signer), now_s=self._now_s())

    def own_distrust(self, profile: Profile) -> Distrust | None:
        """Return why the own identity is unfit for a profile, or None; `dev` asks for dates only.

        An end of 0 says that there is no certificate: in `dev` one is always made.
        """
        if profile is not Profile.DEV:
            return judge_own(self._signer.own_identity, now_s=self._now_s())
        late_s = self._now_s() - self._signer.own_not_after_s
        if late_s <= 0:
            return None
        return Distrust(
            reason=TrustReason.EXPIRED, detail=f"the own certificate expired {late_s} s ago"
        )

    def _now_s(self) -> int:
        return self._clock.wall_ns() // NS_PER_S

    def broadcast(
        self, kind: TokenType, key: str, content: Any, *, seq: int, boot_id: BootId
    ) -> MeshMessage:
        """Return a beacon or event to everybody."""
        body = canonical_json(content)
        now_ns = self._clock.wall_ns()
        claims = BroadcastClaims(
            iss=spiffe_id(self._own),
            aud=BROADCAST,
            sub=spiffe_id(self._own),
            digest=body_digest(body),
            iat=now_ns // NS_PER_S,
            sent_ns=now_ns,
            seq=seq,
            boot_id=boot_id,
        )
        return MeshMessage(key=key, body=body, token=self._signer.sign(kind, claims))

    def action(self, key: str, body: bytes, claims: ActionClaims) -> MeshMessage:
        """Return an action for one target; the claims already name the body's digest."""
        return MeshMessage(key=key, body=body, token=self._signer.sign(TokenType.ACTION, claims))

    def reply(self, request: ActionClaims, key: str, content: Any) -> MeshMessage:
        """Return the answer to a verified action."""
        body = canonical_json(content)
        claims = ReplyClaims(
            iss=spiffe_id(self._own),
            aud=request.iss,
            sub=request.sub,
            op=request.op,
            request_id=request.request_id,
            audit_id=request.audit_id,
            digest=body_digest(body),
            jti=self._entropy.uuid7(),
            irt=request.jti,
            iat=self._clock.wall_ns() // NS_PER_S,
        )
        return MeshMessage(key=key, body=body, token=self._signer.sign(TokenType.REPLY, claims))

    def read_broadcast(
        self, kind: TokenType, message: MeshMessage
    ) -> tuple[SignerFacts, BroadcastClaims]:
        """Return signer and claims of a beacon or event of the key's owner.

        Raises:
            TokenInvalid: not signed by the owner of the key, or not over this body.
        """
        signer, raw = self._signer.verify(kind, message.token)
        try:
            claims = convert(raw, BroadcastClaims, known_only=False)
            owner = owner_of(message.key)
        except ContractViolation as error:
            raise TokenInvalid(str(error), undecodable=True) from error
        if signer.runtime_id != owner:
            raise TokenInvalid(f"{signer.runtime_id} speaks on the key of {owner}")
        if claims.aud != BROADCAST or claims.digest != body_digest(message.body):
            raise TokenInvalid(f"{owner}: the signature is not over this message")
        return signer, claims

    def read_action(self, message: MeshMessage) -> tuple[SignerFacts, ActionClaims]:
        """Return signer and claims of an action, not yet judged.

        Raises:
            TokenInvalid: it is undecodable or its signature is bad.
        """
        signer, raw = self._signer.verify(TokenType.ACTION, message.token)
        try:
            return signer, convert(raw, ActionClaims, known_only=False)
        except ContractViolation as error:
            raise TokenInvalid(str(error), undecodable=True) from error

    def read_reply(self, request: ActionClaims, message: MeshMessage) -> SignerFacts:
        """Return who signed the answer to `request`.

        Raises:
            TokenInvalid: it is not the asked target's answer to this very request.
        """
        signer, raw = self._signer.verify(TokenType.REPLY, message.token)
        try:
            claims = convert(raw, ReplyClaims, known_only=False)
        except ContractViolation as error:
            raise TokenInvalid(str(error), undecodable=True) from error
        expected = (request.aud, request.iss, request.jti, body_digest(message.body))
        if (claims.iss, claims.aud, claims.irt, claims.digest) != expected:
            raise TokenInvalid(f"{claims.iss} answered another request")
        return signer
