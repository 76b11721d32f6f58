"""`core.policy.grants`: which rule lets a write out or in, and in which words (contract 9.2)."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from decision_samples import rule
from decision_strategies import ACTIONS, IDS, PATTERNS
from trust_runtime.contracts.actions import ActionType
from trust_runtime.contracts.ids import RuntimeId, site_of
from trust_runtime.contracts.policy import AllowRule
from trust_runtime.core.config.allow_rules import read_rules, rule_problems
from trust_runtime.core.policy import grants
from trust_runtime.core.policy.inbound import accepted_writes
from trust_runtime.core.policy.patterns import pattern_matches

WRITES = (ActionType.CFG_APPLY, ActionType.CMD_INVOKE)
ids, actions = st.sampled_from(IDS), st.sampled_from(WRITES)


def configured(text: str, at: RuntimeId) -> tuple[AllowRule, ...]:
    """Return what a rule, as somebody would type it from an answer, means at a runtime."""
    value: list[Any] = [tomllib.loads(f"rule = {text}")["rule"]]
    assert list(rule_problems("allow_write", value)) == []
    return read_rules(value, site_of(at))


@given(action=actions, target=ids, origin=ids)
def test_the_outbound_rule_as_typed_lets_out_this_and_nothing_else(
    action: ActionType, target: RuntimeId, origin: RuntimeId
) -> None:
    text = grants.rule_text(grants.outbound_rule(action, target, origin=origin))
    rules = configured(text, origin)
    let_out = [
        (other, runtime)
        for other in WRITES
        for runtime in IDS
        if grants.lets_out(rules, other, target=runtime, origin=origin)
    ]
    assert let_out == [(action, target)]


@given(action=actions, target=ids, origin=ids)
def test_the_inbound_rule_as_typed_lets_in_this_and_nothing_else(
    action: ActionType, target: RuntimeId, origin: RuntimeId
) -> None:
    text = grants.rule_text(grants.inbound_rule(action, target=target, origin=origin))
    rules = configured(text, target)
    let_in = [
        (own, other, runtime)
        for own in IDS
        for other in WRITES
        for runtime in IDS
        if grants.accepts(accepted_writes(own, rules), other, runtime)
    ]
    assert let_in == [(target, action, origin)]


@given(
    rules=st.lists(
        st.builds(rule, st.sampled_from(ACTIONS), st.sampled_from(PATTERNS), st.sampled_from(IDS)),
        max_size=4,
    ),
    action=actions,
    target=ids,
    origin=ids,
)
def test_any_one_rule_is_enough(
    rules: list[AllowRule], action: ActionType, target: RuntimeId, origin: RuntimeId
) -> None:
    fitting = [
        one
        for one in rules
        if one.action in ("*", action)
        and pattern_matches(one.target, target)
        and one.origin == origin
    ]
    assert grants.lets_out(rules, action, target=target, origin=origin) is bool(fitting)
    assert grants.accepts(accepted_writes(target, rules), action, origin) is bool(fitting)
