from typing import Any

import pytest
from hypothesis import given

from config_samples import json_values
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import AllowRule
from trust_runtime.core.config.allow_rules import is_pattern, read_rules, rule_problems

PATH = "runtime.cloud.wan.allow_write"
SITE_B = SiteName("site-b")


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        ("*", True),
        ("site-b/*", True),
        ("site-b*", True),
        ("*/press-1", True),
        ("*press-1", True),
        ("press-1", True),
        ("site-b/press-1", True),
        ("default-site/press-1", True),
        ("site*/press", False),
        ("*site*", False),
        ("**", False),
        ("", False),
        (" ", False),
        ("a/b/c", False),
        ("press 1", False),
        ("site-b/", False),
        ("..", False),
        ("x" * 128, True),
        ("x" * 129, False),
        ("press\n*", False),
        (None, False),
        (5, False),
        (["*"], False),
    ],
)
def test_what_is_a_pattern(pattern: object, *, good: bool) -> None:
    assert is_pattern(pattern) is good


@pytest.mark.parametrize(
    ("rules", "paths"),
    [
        pytest.param([], [], id="no rules"),
        pytest.param([{"action": "cfg_apply", "target": "site-b/*"}], [], id="without from"),
        pytest.param([{"action": "*", "target": "*", "from": "*"}], [], id="everything"),
        pytest.param({}, [""], id="a table"),
        pytest.param("*", [""], id="a text"),
        pytest.param(["*"], ["[0]"], id="a rule that is a text"),
        pytest.param([{"action": "*", "target": "*"}] * 1024, [], id="as many as allowed"),
        pytest.param([{"action": "*", "target": "*"}] * 1025, [""], id="one too many"),
        pytest.param([{"target": "*"}], ["[0].action"], id="no action"),
        pytest.param([{"action": "cfg_aply", "target": "*"}], ["[0].action"], id="unknown action"),
        pytest.param([{"action": "CFG_APPLY", "target": "*"}], ["[0].action"], id="exact in JSON"),
        pytest.param([{"action": "*"}], ["[0].target"], id="no target"),
        pytest.param(
            [{"action": "*", "target": "*"}, {"action": "*", "target": "*", "from": "a*b"}],
            ["[1].from"],
            id="second rule",
        ),
        pytest.param([{"action": "*", "target": "*", "from": None}], ["[0].from"], id="null"),
        pytest.param([{"action": "*", "target": "*", "form": "x"}], ["[0]"], id="unknown member"),
        pytest.param([{}], ["[0].action", "[0].target"], id="all of them at once"),
    ],
)
def test_problems_name_rule_and_member(rules: Any, paths: list[str]) -> None:
    assert [problem.path for problem in rule_problems(PATH, rules)] == [PATH + p for p in paths]


def test_an_unknown_member_is_named_with_the_nearest() -> None:
    (problem,) = rule_problems(PATH, [{"action": "*", "target": "*", "form": "secret"}])
    assert "'from'" in str(problem.message)
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("site", "pattern", "meant"),
    [
        ("site-b", "press-1", "site-b/press-1"),
        ("site-b", "site-c/press-1", "site-c/press-1"),
        ("site-b", "default-site/press-1", "default-site/press-1"),
        ("site-b", "press-*", "press-*"),
        ("default-site", "press-1", "press-1"),
    ],
)
def test_a_bare_exact_name_means_the_own_site(site: str, pattern: str, meant: str) -> None:
    rules = [{"action": "cfg_apply", "target": pattern, "from": pattern}]
    once = read_rules(rules, SiteName(site))
    assert once == (AllowRule(action="cfg_apply", target=meant, origin=meant),)
    # Settings are made of settings again at each change: the meaning must stay.
    again = [{"action": r.action, "target": r.target, "from": r.origin} for r in once]
    assert read_rules(again, SiteName(site)) == once


@given(json_values)
def test_anything_is_rules_or_has_a_problem(value: object) -> None:
    if not list(rule_problems(PATH, value)):
        assert isinstance(value, list)
        assert len(read_rules(value, SITE_B)) == len(value)
