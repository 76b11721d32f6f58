"""What a decision is taken on, and what each rule of it answers."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.actions import ActionRequest, ActionType, VerbSpec
from trust_runtime.contracts.decisions import Check, CheckOutcome, TargetState
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.policy import AllowRule, Caller, Profile
from trust_runtime.contracts.presence import AcceptedWrite, TrustReason

DETAIL_LENGTH_MAX: Final = 1_000
"""Characters of one refusal: it may repeat what was given, once for each of many targets."""


class PeerFacts(Struct, frozen=True, kw_only=True):
    """What the origin's peer table says of one runtime; a snapshot without ages."""

    target_state: TargetState
    """Reachability by the origin's verdict."""

    trust_reason: TrustReason | None = None
    """Why it is untrusted; None when trusted."""

    accepts: tuple[AcceptedWrite, ...] = ()
    """Inbound rules its last beacon announced."""

    accepts_cut: bool = False
    """Whether it has more of them than it announced."""

    profile: Profile | None = None
    """Its last word; None if never heard or not known here."""

    without_tls: tuple[str, ...] = ()
    """Which of `runtime.web.tls` and `runtime.mesh.tls` its last beacon says are off."""

    debug_enabled: bool | None = None
    """Its last word; None if never heard."""

    clock_skew_ms: int | None = None
    """Measured; None while unknown."""


class ConfigFacts(Struct, frozen=True, kw_only=True):
    """What the decision about a configuration write to this very runtime needs."""

    file_values: Mapping[str, Any]
    """TOML path to value, as `runtime.toml` has them."""

    document: Mapping[str, Any]
    """The newest desired document."""


class DecisionFacts(Struct, frozen=True, kw_only=True):
    """Everything the decision knows besides the request and its caller."""

    own: RuntimeId
    """The deciding runtime."""

    site: SiteName
    """Its site."""

    profile: Profile
    """Its profile."""

    unmet: tuple[str, ...] = ()
    """Preconditions of its profile that are unmet, in the contract's order."""

    store_fault: str | None = None
    """Why its durable store cannot keep records; None when it can."""

    own_trust_reason: TrustReason | None = None
    """Why it is untrusted to itself; None when it is not."""

    allow_write: tuple[AllowRule, ...] = ()
    """Its rules for writes across sites."""

    debug_enabled: bool = False
    """Whether its debug-gated verbs are usable."""

    config: ConfigFacts
    """Its configuration."""

    peers: Mapping[RuntimeId, PeerFacts]
    """Its peer table, without itself."""


class Case(Struct, frozen=True, kw_only=True):
    """One target of one request, as the rules see it."""

    request: ActionRequest
    """As given."""

    caller: Caller
    """Who was authenticated."""

    facts: DecisionFacts
    """What is known."""

    action: ActionType | None
    """None when the request names none of the three."""

    target_text: str
    """The target as given."""

    target: RuntimeId | None
    """The target resolved, or None."""

    naming: Denial | None
    """Why it could not be resolved."""

    verb: VerbSpec | None
    """The verb of a `cmd_invoke` or of a proxied read, when there is such a verb."""

    @property
    def is_write(self) -> bool:
        """Whether the action changes something."""
        return self.action in (ActionType.CFG_APPLY, ActionType.CMD_INVOKE)

    @property
    def is_local(self) -> bool:
        """Whether the target is the deciding runtime itself."""
        return self.target == self.facts.own

    @property
    def peer(self) -> PeerFacts | None:
        """What is known of a target that is another runtime."""
        return None if self.target is None else self.facts.peers.get(self.target)


class Finding(Struct, frozen=True, kw_only=True, gc=False):
    """What one rule says of one case."""

    name: str
    """The rule's stable name."""

    outcome: CheckOutcome
    """Pass, deny or skip."""

    detail: str
    """For people."""

    denial: Denial | None = None
    """Set exactly when the outcome is deny."""

    def as_check(self) -> Check:
        """Return it as the answer shows it."""
        return Check(
            check=self.name,
            outcome=self.outcome,
            detail=self.detail,
            remedy=None if self.denial is None else self.denial.remedy,
        )


def passed(name: str, detail: str) -> Finding:
    """Return that a rule is satisfied."""
    return Finding(name=name, outcome=CheckOutcome.PASS, detail=detail)


def skipped(name: str, detail: str) -> Finding:
    """Return that a rule does not apply, or cannot be decided."""
    return Finding(name=name, outcome=CheckOutcome.SKIP, detail=detail)


def denied(name: str, code: DenialCode, *, detail: str, remedy: str) -> Finding:
    """Return that a rule refuses; a detail beyond its limit is cut and ends in `...`."""
    if len(detail) > DETAIL_LENGTH_MAX:
        detail = detail[: DETAIL_LENGTH_MAX - 3] + "..."
    return Finding(
        name=name,
        outcome=CheckOutcome.DENY,
        detail=detail,
        denial=Denial(code=code, reason=detail, remedy=remedy),
    )
