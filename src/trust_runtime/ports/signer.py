"""Signatures of this runtime, and reading those of others."""

from typing import Any, Protocol

from trust_runtime.contracts.envelope import SignerFacts, TokenType
from trust_runtime.contracts.identity import ChainFacts, IdentityFacts


class Signer(Protocol):
    """Holds the identity key; never blocks long, runs on the event loop."""

    @property
    def own_pin(self) -> str:
        """SHA-256 hex of the own public key (DER SubjectPublicKeyInfo)."""
        ...

    @property
    def own_fingerprint(self) -> str:
        """SHA-256 hex of the own DER certificate; empty without one."""
        ...

    @property
    def own_not_after_s(self) -> int:
        """End of the own certificate's validity, seconds since the epoch; 0 without one."""
        ...

    @property
    def own_identity(self) -> IdentityFacts:
        """The own pair in use, against the own site's bundle; `core.trust.judge_own` judges it."""
        ...

    def chain_of(self, signer: SignerFacts) -> ChainFacts:
        """Return the way from a signer's certificate to the bundle of exactly its own site.

        As installed now, so that a bundle that is removed counts no longer; cheap when asked again.
        `core.trust.judge_chain` judges it; profile `dev` does not ask.
        """
        ...

    def sign(self, kind: TokenType, claims: Any) -> bytes:
        """Return a compact JWS (ES256, `typ` of `kind`, `x5c` = own chain) over `claims`.

        Without a certificate the chain is empty, and nobody accepts it.
        """
        ...

    def verify(self, kind: TokenType, token: bytes) -> tuple[SignerFacts, dict[str, Any]]:
        """Return who signed `token`, and its claims.

        Checks form, `alg` ES256, `typ`, no `crit`, one URI SAN that is a runtime's SPIFFE id,
        the signature, and that `iss` is that SPIFFE id. Dates, pins, audience and expiry are the
        caller's to judge.

        Raises:
            TokenInvalid: any of these fails.
        """
        ...
