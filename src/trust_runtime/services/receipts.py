"""Makes sealed receipts at preflight, and holds a dispatch to the one it presents (B1)."""

from msgspec import Struct

from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.codec import convert
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.receipt import (
    RECEIPT_LIFETIME_S,
    MovedFact,
    Receipt,
    ReceiptClaims,
    SealedFacts,
    TargetFacts,
)
from trust_runtime.core.policy.case import DecisionFacts
from trust_runtime.core.receipt import (
    facts_digest,
    moved_at_origin,
    moved_denial,
    receipt_denial,
    sealed_facts,
)
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.signer import Signer
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.order import now_s


class Broken(Struct, frozen=True, kw_only=True):
    """Why a dispatch is not held to be what its receipt was made for."""

    denial: Denial
    """The code, the reason and what to do."""

    moved: tuple[MovedFact, ...] = ()
    """Every fact that moved; empty when the receipt itself is no good."""


class Receipts:
    """Seals with the identity key; keeps nothing, so a restart takes nothing from a receipt."""

    def __init__(
        self, *, own: RuntimeId, fleet: Fleet, signer: Signer, clock: Clock, entropy: Entropy
    ) -> None:
        self._own = own
        self._fleet = fleet
        self._signer = signer
        self._clock = clock
        self._entropy = entropy

    def seal(
        self, request: ActionRequest, caller: Caller, preflight: Preflight, *, facts: DecisionFacts
    ) -> Receipt:
        """Return a receipt for an allowed request, good for `RECEIPT_LIFETIME_S`."""
        sealed = self._facts(request, caller, preflight, facts=facts)
        made_s = now_s(self._clock)
        claims = ReceiptClaims(
            iss=spiffe_id(self._own),
            aud=spiffe_id(self._own),
            digest=facts_digest(sealed),
            jti=self._entropy.uuid7(),
            iat=made_s,
            exp=made_s + RECEIPT_LIFETIME_S,
        )
        return Receipt(facts=sealed, seal=self._signer.sign(TokenType.RECEIPT, claims).decode())

    def broken(
        self, request: ActionRequest, caller: Caller, preflight: Preflight, *, facts: DecisionFacts
    ) -> Broken | None:
        """Return why the receipt a request presents does not let it pass; None: it does, or none.

        Args:
            request: as given.
            caller: who was authenticated.
            preflight: the decision just taken.
            facts: what it was taken on.
        """
        receipt = request.receipt
        if receipt is None:
            return None
        claims = self._read(receipt)
        if isinstance(claims, Denial):
            return Broken(denial=claims)
        now = self._facts(request, caller, preflight, facts=facts)
        denial = receipt_denial(receipt, claims, now, now_s=now_s(self._clock))
        if denial is not None:
            return Broken(denial=denial)
        moved = moved_at_origin(receipt.facts, now)
        return (
            Broken(denial=moved_denial(moved, request.request_id), moved=moved) if moved else None
        )

    def _read(self, receipt: Receipt) -> ReceiptClaims | Denial:
        try:
            signer, raw = self._signer.verify(TokenType.RECEIPT, receipt.seal.encode())
            claims = convert(raw, ReceiptClaims)
        except (TokenInvalid, ContractViolation, UnicodeEncodeError) as error:
            return deny(
                DenialCode.PERMISSION_DENIED,
                f"the seal of the receipt is not good: {error}",
                "send the receipt as preflight gave it",
            )
        if signer.runtime_id == self._own and signer.pin != self._signer.own_pin:
            return deny(
                DenialCode.PERMISSION_DENIED,
                f"the receipt is sealed with a key that is not that of {self._own}",
                "run preflight again",
            )
        return claims

    def _facts(
        self, request: ActionRequest, caller: Caller, preflight: Preflight, *, facts: DecisionFacts
    ) -> SealedFacts:
        words = {target: self._fleet.word_of(RuntimeId(target)) for target in preflight.acting_on}
        return sealed_facts(request, caller, preflight, facts=facts, words=words)


def expected_of(request: ActionRequest, target: RuntimeId) -> TargetFacts | None:
    """Return what a target is to find at its own end, by the receipt of the request."""
    if request.receipt is None:
        return None
    found = (one.known for one in request.receipt.facts.targets if one.runtime_id == target)
    return next(found, None)
