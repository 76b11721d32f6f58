"""`runtime.cloud.wan.allow_write`: are these rules, and what do they mean here (contract 9.2)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trust_runtime.contracts.actions import ActionType
from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import DEFAULT_SITE, ID_RULE, SiteName, parse_runtime_id
from trust_runtime.contracts.policy import AllowRule
from trust_runtime.core.config.rules import LIST_MAX, value_text

RULES_TEXT: Final = "a list of {action, target, from?}, at most 1024"
ACTIONS: Final = (*(str(action) for action in ActionType), "*")
PATTERN_RULE: Final = f"* | PREFIX* | *SUFFIX | {ID_RULE}"

_MEMBERS: Final = ("action", "target", "from")


def is_pattern(value: Any) -> bool:
    """Tell whether `value` is `*`, `PREFIX*`, `*SUFFIX` or an exact runtime id."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return False
    stars = value.count("*")
    if stars:
        return stars == 1 and (value.endswith("*") or value.startswith("*"))
    try:
        parse_runtime_id(value)
    except ContractViolation:
        return False
    return True


def rule_problems(path: str, value: Any) -> Iterator[SettingProblem]:
    """Yield what keeps `value` from being a list of rules, each naming member and rule.

    Args:
        path: TOML path of the list.
        value: anything.
    """
    if not isinstance(value, list | tuple) or len(value) > LIST_MAX:
        yield _problem(path, value, RULES_TEXT)
        return
    for index, rule in enumerate(value):
        here = f"{path}[{index}]"
        if isinstance(rule, Mapping):
            yield from _member_problems(here, rule)
        else:
            yield _problem(here, rule, "{action, target, from?}")


def read_rules(value: list[Any], site: SiteName) -> tuple[AllowRule, ...]:
    """Return a list without problems as rules; a bare exact name means the own site (2.2)."""
    return tuple(
        AllowRule(
            action=rule["action"],
            target=_in_site(rule["target"], site),
            origin=_in_site(rule.get("from", "*"), site),
        )
        for rule in value
    )


def _member_problems(path: str, rule: Mapping[Any, Any]) -> Iterator[SettingProblem]:
    for name in rule:
        if name not in _MEMBERS:
            hint = nearest(str(name), list(_MEMBERS))
            yield SettingProblem(
                path=path,
                value="an unknown member",
                allowed="action, target, from",
                message=f"unknown member {value_text(name)}{hint}",
            )
    action, target, origin = rule.get("action"), rule.get("target"), rule.get("from", "*")
    if not isinstance(action, str) or action not in ACTIONS:
        yield _problem(f"{path}.action", action, " | ".join(f'"{name}"' for name in ACTIONS))
    if not is_pattern(target):
        yield _problem(f"{path}.target", target, PATTERN_RULE)
    if not is_pattern(origin):
        yield _problem(f"{path}.from", origin, PATTERN_RULE)


def _in_site(pattern: str, site: SiteName) -> str:
    if "*" in pattern or "/" in pattern or site == DEFAULT_SITE:
        return pattern
    return f"{site}/{pattern}"


def _problem(path: str, value: Any, allowed: str) -> SettingProblem:
    shown = "nothing" if value is None else value_text(value)
    return SettingProblem(path=path, value=shown, allowed=allowed)
