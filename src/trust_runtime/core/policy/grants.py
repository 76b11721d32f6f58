"""Rules of `allow_write`: does one let a write out or in, and which one would (contract 9.2)."""

from collections.abc import Iterable
from typing import Final

from trust_runtime.contracts.ids import RuntimeId, site_of, spelled_in
from trust_runtime.contracts.policy import AllowRule
from trust_runtime.contracts.presence import AcceptedWrite
from trust_runtime.core.policy.patterns import pattern_matches

_ANY: Final = "*"


def lets_out(
    rules: Iterable[AllowRule], action: str, *, target: RuntimeId, origin: RuntimeId
) -> bool:
    """Tell whether an outbound rule of `origin` allows `action` at `target`."""
    return any(
        rule.action in (_ANY, action)
        and pattern_matches(rule.target, target)
        and pattern_matches(rule.origin, origin)
        for rule in rules
    )


def accepts(rules: Iterable[AcceptedWrite], action: str, origin: RuntimeId) -> bool:
    """Tell whether an inbound rule, already one about its owner, allows `action` of `origin`."""
    return any(
        rule.action in (_ANY, action) and pattern_matches(rule.origin, origin) for rule in rules
    )


def outbound_rule(action: str, target: RuntimeId, *, origin: RuntimeId) -> AllowRule:
    """Return the narrowest rule that lets `action` out, as written in the origin's configuration.

    It stands at the origin alone, so it need not say `from`.
    """
    return AllowRule(action=action, target=spelled_in(site_of(origin), target))


def inbound_rule(action: str, *, target: RuntimeId, origin: RuntimeId) -> AllowRule:
    """Return the narrowest rule that lets `action` in, as written in the target's configuration."""
    site = site_of(target)
    return AllowRule(
        action=action, target=spelled_in(site, target), origin=spelled_in(site, origin)
    )


def rule_text(rule: AllowRule) -> str:
    """Return a rule as TOML writes it; the default of `from` is left out."""
    origin = "" if rule.origin == _ANY else f', from = "{rule.origin}"'
    return f'{{action = "{rule.action}", target = "{rule.target}"{origin}}}'
