"""The identity pair and the installed trust of a project, read at one moment (contract 2.3)."""

from msgspec import Struct

from trust_runtime.adapters.pki.certificates import runtime_named_in
from trust_runtime.adapters.pki.identity import Identity, load_chain, load_key
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.trust_store import (
    TrustSnapshot,
    chain_facts,
    read_trust,
    site_trust,
)
from trust_runtime.contracts.errors import ContractViolation, StartRefused
from trust_runtime.contracts.identity import IdentityFacts
from trust_runtime.contracts.ids import RuntimeId, site_of


class IdentityState(Struct, frozen=True, kw_only=True):
    """What a process signs with, and whom it trusts."""

    own: RuntimeId
    """Whom `runtime.toml` says this is."""
    identity: Identity | None = None
    """None: there is no usable pair, as `problem` says."""
    problem: str | None = None
    """Why the pair on disk is not used, naming the file."""
    trust: TrustSnapshot = TrustSnapshot()
    """Bundles and revocation lists."""

    def facts(self) -> IdentityFacts:
        """Return what others may know of it; no key."""
        identity = self.identity
        if identity is None:
            return IdentityFacts(own=self.own, problem=self.problem, notes=self.trust.notes)
        named, chain = identity.runtime_id, None
        try:
            chain = chain_facts(identity.chain, named, site_trust(self.trust, named))
        except ContractViolation as error:
            return IdentityFacts(own=self.own, problem=str(error), notes=self.trust.notes)
        notes = self.trust.notes if self.problem is None else (self.problem, *self.trust.notes)
        return IdentityFacts(own=self.own, pin=identity.pin, chain=chain, notes=notes)


def read_state(
    layout: IdentityLayout, own: RuntimeId, *, before: IdentityState | None = None
) -> IdentityState:
    """Return what is on disk; makes and changes nothing, never raises for what is in the files.

    A pair that cannot be used leaves the one of `before` in use: while `pki renew --new-key` puts
    one file after the other, they do not fit together.

    Args:
        layout: the project.
        own: whom `runtime.toml` says this is.
        before: what this process uses until now.
    """
    trust = read_trust(layout, site_of(own), before=None if before is None else before.trust)
    try:
        return IdentityState(own=own, identity=_read_pair(layout), trust=trust)
    except StartRefused as error:
        return IdentityState(
            own=own,
            identity=None if before is None else before.identity,
            problem=f"{error.reason}; {error.remedy}",
            trust=trust,
        )


def _read_pair(layout: IdentityLayout) -> Identity:
    issue = f"trust-runtime pki issue --ca DIR --project {layout.folder}"
    key = load_key(layout.key)
    if key is None:
        raise StartRefused(f"{layout.key} is missing", issue)
    chain = load_chain(layout.certificate, key)
    if chain is None:
        raise StartRefused(f"{layout.certificate} is missing", issue)
    try:
        named = runtime_named_in(chain[0])
    except ContractViolation as error:
        raise StartRefused(f"{layout.certificate}: {error}", issue) from error
    return Identity(runtime_id=named, key=key, chain=chain)
